"""One call while it is answered: what is known of it so far, how long each stage took, what it leaves on record.

Owns ids and times of a call. A `Call` belongs to the thread that answers it.
"""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from usher.answer.record import DecisionRecord, judgement
from usher.domain.bounded import bounded
from usher.domain.command import Command
from usher.domain.decision import Decision, Outcome
from usher.domain.request import ImportRequest
from usher.engine import PolicySet
from usher.errors import UsherError

MAX_RECORDED_BYTES: Final = 131_072
"""A larger body is decided but not recorded: redacting it would take time that belongs to other calls."""
_NOTHING_WITHIN: Final[Mapping[str, float]] = {}


class OutOfTimeError(UsherError):
    """The deadline passed before an answer was ready."""


class WaitedTooLongError(UsherError):
    """The call was in the queue for longer than it may be."""


class Call:
    """What is known so far about one call; belongs to the thread that answers it."""

    __slots__ = (
        "_last",
        "arrived",
        "deadline",
        "decision",
        "decision_id",
        "input",
        "input_bytes",
        "now",
        "policies",
        "request",
        "revision",
        "stages",
        "waited_seconds",
    )

    def __init__(self, now: int, arrived: float, deadline: float, *, waited_seconds: float = 0.0) -> None:
        """`now` in nanoseconds since 1970; `arrived` and `deadline` are `time.monotonic()` in seconds."""
        self.decision_id = _decision_id(now)
        self.now = now
        self.arrived = arrived
        self.deadline = deadline
        self.stages: dict[str, float] = {}
        self._last = arrived
        self.waited_seconds = waited_seconds
        self.revision = ""
        self.policies: PolicySet | None = None
        self.input: object = None
        self.input_bytes = 0
        self.request: ImportRequest | None = None
        self.decision: Decision | None = None

    def passed(self, stage: str, *, within: Mapping[str, float] = _NOTHING_WITHIN) -> None:
        """Note how long a stage took since the one before; `within` holds stages that were part of it, in seconds."""
        now = time.monotonic()
        self.stages[stage] = now - self._last - sum(within.values())
        self.stages.update(within)
        self._last = now

    def check_deadline(self) -> None:
        """Raise `OutOfTimeError` when the time for an answer is over."""
        if time.monotonic() >= self.deadline:
            raise OutOfTimeError("the deadline passed")

    def check_wait(self, limit_seconds: float) -> None:
        """Raise `WaitedTooLongError` when the call, just taken up, has waited for longer."""
        if self.waited_seconds > limit_seconds:
            raise WaitedTooLongError("no worker was free for too long")

    def record(
        self,
        outcome: Outcome,
        *,
        decision: Decision | None = None,
        commands: tuple[Command, ...] = (),
        faults: tuple[str, ...] = (),
        cause: str = "",
    ) -> DecisionRecord:
        """Return what this call leaves on record."""
        request, decided = self.request, decision or self.decision
        subject = request.subject if request else ""
        return DecisionRecord(
            decision_id=self.decision_id,
            timestamp=_rfc3339(self.now),
            event_id=bounded(request.event_id if request else _event_id(self.input)),
            application=_bounded(request.application) if request else {},
            subject=decided.subject if decided else subject,
            revision=self.revision,
            input=self.input if self.input_bytes <= MAX_RECORDED_BYTES else None,
            commands=commands,
            faults=faults,
            outcome=outcome,
            milliseconds=_milliseconds(time.monotonic() - self.arrived),
            stages={stage: _milliseconds(seconds) for stage, seconds in self.stages.items()},
            cause=cause,
            waited_seconds=self.waited_seconds,
            # What was decided stands, even if its answer never left: a committed claim is not given back.
            **judgement(decided),
        )


def _decision_id(now: int) -> str:
    """Return an id that sorts by time: 12 hexadecimal digits of milliseconds since 1970, 14 at random."""
    return f"{now // 1_000_000:012x}{os.urandom(7).hex()}"


def _rfc3339(now: int) -> str:
    return datetime.fromtimestamp(now / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event_id(body: object) -> str:
    event_id = body.get("eventId") if isinstance(body, Mapping) else None
    return event_id if isinstance(event_id, str) else ""


def _bounded(application: Mapping[str, object]) -> Mapping[str, object]:
    return {name: bounded(value) if isinstance(value, str) else value for name, value in application.items()}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
