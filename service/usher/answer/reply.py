"""What the line hands back for one call: bytes, and what became of it. Frozen values."""

from collections.abc import Callable
from dataclasses import dataclass, field

from usher.domain.decision import Outcome


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one call, ready to send.

    `status` is 200 for everything that could be parsed, 400 for what could not; then `decision_id` and `outcome` are
    None. `afterwards` is to be called once the answer has left, on the same thread; it never raises.
    """

    status: int
    body: bytes
    decision_id: str | None
    outcome: Outcome | None
    replayed: bool = False
    afterwards: Callable[[], None] | None = field(default=None, compare=False)
