"""The bounds: `Limits` for the text of an expression, `Budget` for what evaluations may use up.

A `Budget` is mutable, serves one whole decision and belongs to the one thread that makes it. `Limits` are shared.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from usher.cel.errors import BudgetExceeded

LARGE = 4_096  # after work on so many items or characters, or so many units, the clock is looked at
TEXT_UNITS = 8  # what a text costs besides its characters: Python's own header, and its place in a list
UNCHARGED = 64  # a sum of texts charges its inner results only when they are longer
_STEPS_PER_LOOK = 16
_ITEMS_PER_STEP_BITS = 8  # 256 characters or items are looked through in the time of one step
_SLOW_CHARS_PER_STEP_BITS = 4  # functions on names take some 0.3 µs a character


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that are the same for every decision.

    `length_chars`: an expression is read by people. `depth`: nested brackets, calls, `?:`, `!` and `-`; each costs
    some three Python frames, so 64 stays far from the recursion limit. `pattern_chars` and `pattern_size` bound regular
    expressions; the second is RE2's count of instructions. `pattern_work`: size times text in one search, some 10 ns
    each at worst. `name_chars`: text for the functions on names, some 0.3 µs each. `steps` and `produced` are what one
    decision may use up.
    """

    length_chars: int = 10_000
    depth: int = 64
    pattern_chars: int = 1_000
    pattern_size: int = 5_000
    pattern_work: int = 5_000_000
    name_chars: int = 2_000
    steps: int = 100_000
    produced: int = 2_000_000


DEFAULT_LIMITS = Limits()


class Budget:
    """What is left for one decision: `steps` of macros, `produced` units of memory, time until `deadline`.

    `deadline` is a `time.monotonic()` value in seconds or None. A unit stands for some eight bytes. It is a character
    of a text, which costs `TEXT_UNITS` besides; an item of a list is 8 when it may be new and 1 when it is copied; a
    map's entry is 16. The clock is looked at whenever enough of either is spent, however small the single sums are.
    """

    __slots__ = ("_look_produced", "_look_steps", "_unseen", "deadline", "limits", "produced", "steps")

    def __init__(
        self,
        steps: int | None = None,
        deadline: float | None = None,
        produced: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.steps = limits.steps if steps is None else steps
        self.deadline = deadline
        self.produced = limits.produced if produced is None else produced
        self.limits = limits
        self._unseen = 0
        # Never below zero, so that one comparison finds both what is spent and when to look at the clock.
        self._look_steps = max(0, self.steps - _STEPS_PER_LOOK)
        self._look_produced = max(0, self.produced - LARGE)

    def step(self, cost: int = 1) -> None:
        """One turn of a macro. Looks at the clock every sixteenth step."""
        self.steps -= cost
        if self.steps < self._look_steps:
            self.check()

    def check(self) -> None:
        """Raise `BudgetExceeded` when steps or time are used up."""
        if self.steps < 0:
            raise BudgetExceeded("too-many-steps", "the expression takes more steps than a decision may")
        self._look_steps = max(0, self.steps - _STEPS_PER_LOOK)
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise BudgetExceeded("deadline", "the time for this decision is over")

    def produce(self, units: int) -> None:
        """Charge for a string, list or map that is about to be built."""
        self.produced -= units
        if self.produced < self._look_produced:
            if self.produced < 0:
                raise BudgetExceeded("too-large", "the expression builds more text or lists than a decision may")
            self._look_produced = max(0, self.produced - LARGE)
            self.check()

    def work(self, size: int) -> None:
        """Announce work at C's speed on `size` characters or items; all of it together costs steps."""
        self._unseen += size
        if self._unseen > LARGE:
            self.steps -= self._unseen >> _ITEMS_PER_STEP_BITS
            self._unseen = 0
            self.check()

    def toil(self, size: int) -> None:
        """Announce slow work, in Python or in a library, on `size` characters; always looks at the clock."""
        self.steps -= 1 + (size >> _SLOW_CHARS_PER_STEP_BITS)
        self.check()

    def text(self, text: str) -> str:
        """Charge for the characters of a string just built and hand it on; calls charge `TEXT_UNITS` themselves."""
        self.produce(len(text))
        return text
