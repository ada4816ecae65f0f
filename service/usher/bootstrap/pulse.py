"""How the last decision went: what readiness goes by.

Owns that one memory. Wraps the metrics, so that whatever is counted is also felt. Written by worker threads, read by
the operations threads; each field is written in one assignment.
"""

import time
from collections.abc import Callable
from typing import Final

from usher.answer.record import DecisionRecord, Meter
from usher.domain.decision import Outcome

UNREADY_SECONDS: Final = 10.0
"""How long one undecided call makes the service unready when no call after it was decided."""


class Pulse:
    """A `Meter` that remembers whether the latest decision ended undecided."""

    def __init__(self, meter: Meter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._clock = clock
        self._undecided_at: float | None = None

    def decided(self, record: DecisionRecord) -> None:
        """Remember the outcome and count it."""
        if record.outcome is Outcome.UNDECIDED:
            self._undecided_at = self._clock()
        elif self._undecided_at is not None:
            self._undecided_at = None
        self._meter.decided(record)

    def replayed(self) -> None:
        """Count a repeated answer."""
        self._meter.replayed()

    @property
    def is_healthy(self) -> bool:
        """Say whether calls are being decided."""
        undecided_at = self._undecided_at
        return undecided_at is None or self._clock() - undecided_at > UNREADY_SECONDS
