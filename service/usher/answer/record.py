"""What one decision leaves on record, and what the line needs of whoever keeps it.

Owns the shape of the record before redaction: it holds profile values and must reach nothing but a `DecisionLog`.
Frozen values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from usher.domain.command import Command
from usher.domain.decision import Conflict, Outcome, RuleFault, RuleTrace


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision with its input and its account.

    `timestamp` is RFC 3339 in UTC with milliseconds; `faults` are schema faults as `path: code`, for `invalid` only.
    """

    decision_id: str
    timestamp: str
    event_id: str
    application: Mapping[str, object]
    subject: str
    revision: str
    input: object
    trace: tuple[RuleTrace, ...]
    commands: tuple[Command, ...]
    conflicts: tuple[Conflict, ...]
    errors: tuple[RuleFault, ...]
    faults: tuple[str, ...]
    outcome: Outcome
    milliseconds: float


class DecisionLog(Protocol):
    """Keeps records; called before the answer leaves, from any worker thread."""

    def append(self, record: DecisionRecord) -> None:
        """Keep the record. Never raises: what cannot be kept is counted as lost."""


class Meter(Protocol):
    """Counts what the line does; called from any worker thread, never raises."""

    def decided(self, record: DecisionRecord) -> None:
        """Count one decision with its rules, conflicts and errors."""

    def replayed(self) -> None:
        """Count an answer that was given again."""
