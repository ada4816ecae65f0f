"""What policies are tested in: namespaces and bounds as the settings say, the schemas of request, answer and test.

Frozen; any thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from usher.cel import DEFAULT_LIMITS, Limits
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Namespace, Stores
from usher.shapes import Shape

DECISION_SECONDS: Final = 30.0
"""A person waits at the terminal: longer than the service would, short enough to see a runaway policy."""


@dataclass(frozen=True, slots=True)
class World:
    """The surroundings of a test run.

    `declared` holds what the settings say of stores, over a ledger and a directory that are empty; `decision_seconds`
    bounds one decision.
    """

    request: Shape
    response: Shape
    tests: Shape
    declared: Stores = field(default_factory=lambda: Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES))
    limits: Limits = DEFAULT_LIMITS
    decision_seconds: float = DECISION_SECONDS

    @property
    def namespaces(self) -> Mapping[str, Namespace]:
        """The namespaces the settings declare."""
        return self.declared.namespaces
