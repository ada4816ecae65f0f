"""What one decision leaves on record, and what the line needs of whoever keeps it.

Owns the shape of the record before redaction: it holds profile values and must reach nothing but a `DecisionLog`.
Frozen values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypedDict

from usher.domain.command import Command
from usher.domain.decision import (
    ClaimTrace,
    Conflict,
    Decision,
    Ending,
    Hold,
    Lookup,
    Outcome,
    Remembered,
    RuleFault,
    RuleTrace,
)

_NOTHING: Final = Decision("")


class Judgement(TypedDict):
    """The part of a record that the policies decided."""

    trace: tuple[RuleTrace, ...]
    conflicts: tuple[Conflict, ...]
    errors: tuple[RuleFault, ...]
    ending: Ending | None
    holds: tuple[Hold, ...]
    vetoed: tuple[str, ...]
    claims: tuple[ClaimTrace, ...]
    remembered: tuple[Remembered, ...]
    lookups: tuple[Lookup, ...]
    debug: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision with its input and its account.

    `timestamp` is RFC 3339 in UTC with milliseconds; `faults` are schema faults as `path: code`, for `invalid` only.
    `stages` maps the stages that were passed, in order, to milliseconds. `ending` is None when no policy was asked. An
    undecided call keeps what was decided before it failed: claims stand. `shadow`: what the shadow policies would have
    done, of which nothing was answered. `cause`: why the call ended undecided, as the code in its answer.
    `waited_seconds`: from the arrival of the body until a worker took the call up, part of `milliseconds`.
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
    stages: Mapping[str, float] = field(default_factory=dict)
    ending: Ending | None = None
    holds: tuple[Hold, ...] = ()
    vetoed: tuple[str, ...] = ()
    claims: tuple[ClaimTrace, ...] = ()
    remembered: tuple[Remembered, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    debug: Mapping[str, object] = field(default_factory=dict)
    shadow: bool = False
    cause: str = ""
    waited_seconds: float = 0.0

    @property
    def is_ownerless(self) -> bool:
        """Whether a row that was to be created brought no id: what is claimed for it goes to this one event."""
        return self.ending is Ending.CREATE and not self.subject and not self.holds


def judgement(decision: Decision | None) -> Judgement:
    """Return what a record keeps of a decision; nothing of none."""
    ending = decision.ending if decision else None
    decision = decision or _NOTHING
    return {
        "trace": decision.trace,
        "conflicts": decision.conflicts,
        "errors": decision.faults,
        "ending": ending,
        "holds": decision.holds,
        "vetoed": decision.vetoed,
        "claims": decision.claims,
        "remembered": decision.remembered,
        "lookups": decision.lookups,
        "debug": decision.debug,
    }


class DecisionLog(Protocol):
    """Keeps records; called before the answer leaves, from any worker thread."""

    def append(self, record: DecisionRecord) -> None:
        """Keep the record. Never raises: what cannot be kept is counted as lost."""


QUEUE: Final = "queue"
"""The `cause` of a call that waited too long to be begun."""


class Meter(Protocol):
    """Counts what the line does; called from any worker thread, never raises."""

    def decided(self, record: DecisionRecord) -> None:
        """Count one decision with its rules, conflicts and errors."""

    def replayed(self, decision_id: str) -> None:
        """Count an answer that was given again."""
