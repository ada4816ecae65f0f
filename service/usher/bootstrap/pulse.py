"""How the last decision went: what readiness goes by.

Owns that one memory, and the warning about rows without an id. Wraps the metrics, so that whatever is counted is also
felt. Written by worker threads, read by the operations threads; each field is written in one assignment.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog

from usher.answer.record import QUEUE, DecisionRecord, Meter
from usher.domain.decision import Outcome

WARN_SECONDS: Final = 60.0
"""How often at most it is said that rows come without an id of their own."""
UNREADY_SECONDS: Final = 10.0
"""How long one undecided call makes the service unready when no call after it was decided."""


class Pulse:
    """A `Meter` that remembers whether the latest decision ended undecided."""

    def __init__(self, meter: Meter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._clock = clock
        self._undecided_at: float | None = None
        self._warned_at: float | None = None

    def decided(self, record: DecisionRecord) -> None:
        """Remember the outcome and count it."""
        if record.is_ownerless:
            self._warn(record)
        if record.cause == QUEUE:
            pass  # too many calls are no fault of this service's, and fewer instances would help nobody
        elif record.outcome is Outcome.UNDECIDED:
            self._undecided_at = self._clock()
        elif self._undecided_at is not None:
            self._undecided_at = None
        self._meter.decided(record)

    def _warn(self, record: DecisionRecord) -> None:
        now = self._clock()
        if self._warned_at is None or now - self._warned_at > WARN_SECONDS:
            self._warned_at = now
            structlog.get_logger(__name__).warning("row_without_subject", decision_id=record.decision_id)

    def replayed(self, decision_id: str) -> None:
        """Count a repeated answer."""
        self._meter.replayed(decision_id)

    @property
    def is_healthy(self) -> bool:
        """Say whether calls are being decided."""
        undecided_at = self._undecided_at
        return undecided_at is None or self._clock() - undecided_at > UNREADY_SECONDS
