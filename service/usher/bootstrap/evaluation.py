"""The line for every door but `serve`: the same steps, with nothing written and nothing kept.

Owns the throw-away collaborators. One evaluation at a time.
"""

from collections.abc import Callable

from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.record import DecisionRecord
from usher.answer.replay import ReplayStore
from usher.bootstrap.schemas import Schemas
from usher.engine import PolicySet

EVALUATION_SECONDS = 30.0
"""A person waits at the terminal: longer than the service would, short enough to see a runaway policy."""


class KeptInMemory:
    """A decision log and a meter with state one can look at."""

    def __init__(self) -> None:
        self.records: list[DecisionRecord] = []

    def append(self, record: DecisionRecord) -> None:
        """Keep the record."""
        self.records.append(record)

    def decided(self, record: DecisionRecord) -> None:
        """Count nothing."""

    def replayed(self) -> None:
        """Count nothing."""


def evaluation_line(
    policy_set: PolicySet, schemas: Schemas, kept: KeptInMemory, on_fault: Callable[[str, Exception], None]
) -> AnswerLine:
    """Return a line that answers as the service would and leaves its records in `kept`."""
    return AnswerLine(
        policies=lambda: policy_set,
        request_shape=schemas.request,
        response_shape=schemas.response,
        decision_log=kept,
        meter=kept,
        replay=ReplayStore(keep_seconds=0, limit_bytes=0),
        options=AnswerOptions(deadline_seconds=EVALUATION_SECONDS),
        on_fault=on_fault,
    )
