"""The bounds: `Limits` for the text of an expression, `Budget` for what evaluations may use up.

A `Budget` is mutable, serves one whole decision and belongs to the one thread that makes it. `Limits` are shared.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from usher.cel.errors import BudgetExceeded

DEFAULT_STEPS = 100_000
DEFAULT_PRODUCED = 2_000_000
LARGE = 4_096  # work on more items or characters than this looks at the clock
_ITEMS_PER_STEP_BITS = 8  # 256 characters or items are looked through in the time of one step
UNCHARGED = 64  # shorter strings cost nothing: the steps bound how many there can be


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that are the same for every decision.

    `length_chars`: an expression is read by people. `depth`: nested brackets, calls, `?:`, `!` and `-`; each costs
    some three Python frames, so 64 stays far from the recursion limit. `pattern_chars` and `pattern_size` bound regular
    expressions; the second is RE2's count of instructions. `pattern_work`: size times text in one search, some 10 ns
    each at worst. `name_chars`: text for the functions on names, some 0.3 µs each.
    """

    length_chars: int = 10_000
    depth: int = 64
    pattern_chars: int = 1_000
    pattern_size: int = 5_000
    pattern_work: int = 5_000_000
    name_chars: int = 2_000


DEFAULT_LIMITS = Limits()


class Budget:
    """What is left for one decision: `steps` of macros, `produced` units of memory, time until `deadline`.

    `deadline` is a `time.monotonic()` value in seconds or None. A unit is a character of a string or an item of a
    list; a map's entry is 16.
    """

    __slots__ = ("deadline", "limits", "produced", "steps")

    def __init__(
        self,
        steps: int = DEFAULT_STEPS,
        deadline: float | None = None,
        produced: int = DEFAULT_PRODUCED,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.steps = steps
        self.deadline = deadline
        self.produced = produced
        self.limits = limits

    def step(self) -> None:
        """One turn of a macro. Looks at the clock every sixteenth time."""
        self.steps -= 1
        if self.steps < 0 or not self.steps & 15:
            self.check()

    def check(self) -> None:
        """Raise `BudgetExceeded` when steps or time are used up."""
        if self.steps < 0:
            raise BudgetExceeded("too-many-steps", "the expression takes more steps than a decision may")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise BudgetExceeded("deadline", "the time for this decision is over")

    def produce(self, units: int) -> None:
        """Charge for a string, list or map that is about to be built."""
        self.produced -= units
        if self.produced < 0:
            raise BudgetExceeded("too-large", "the expression builds more text or lists than a decision may")
        if units > LARGE:
            self.check()

    def work(self, size: int) -> None:
        """Announce work at C's speed on `size` characters or items.

        Large work costs steps and looks at the clock first.
        """
        if size > LARGE:
            self.steps -= size >> _ITEMS_PER_STEP_BITS
            self.check()

    def text(self, text: str) -> str:
        """Charge for a string just built and hand it on."""
        if len(text) > UNCHARGED:
            self.produce(len(text))
        return text
