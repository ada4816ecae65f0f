"""What policies are tested in: namespaces and bounds as the settings say, the schemas of request, answer and test.

Frozen; any thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from usher.cel import DEFAULT_LIMITS, Limits
from usher.engine import DEFAULT_NAMESPACES, Namespace
from usher.shapes import Shape

DECISION_SECONDS: Final = 30.0
"""A person waits at the terminal: longer than the service would, short enough to see a runaway policy."""


@dataclass(frozen=True, slots=True)
class World:
    """The surroundings of a test run; `decision_seconds` bounds one decision."""

    request: Shape
    response: Shape
    tests: Shape
    namespaces: Mapping[str, Namespace] = field(default_factory=lambda: DEFAULT_NAMESPACES)
    limits: Limits = DEFAULT_LIMITS
    decision_seconds: float = DECISION_SECONDS
