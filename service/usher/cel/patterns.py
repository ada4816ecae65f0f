"""Regular expressions: RE2 only, bounded in length, in size and in what one search may cost.

RE2 is linear in the text, but its slow engine also pays for the size of the pattern, so the product of both is
bounded. A `Pattern` is immutable; any thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import re2

from usher.cel.errors import BudgetExceeded, EvaluationError
from usher.cel.limits import Budget, Limits

_ANYWHERE, _NOWHERE = re2._Anchor.UNANCHORED, (-1, -1)  # noqa: SLF001  not offered under a public name
MEMORY_BYTES = 1 << 20
_LEAST_MEMORY_BYTES = 1 << 14  # with less RE2 compiles hardly anything
_INSTRUCTION_BYTES, _PROGRAM_SHARE = 16, 1.5  # RE2 keeps two thirds of its memory for the program
_CLASSES_FROM_REQUEST = 32  # classes of a pattern from a request: one by Unicode's tables takes some 70 µs
_CLASS = re.compile(r"\\[pPdDsSwWXC]|\[", re.ASCII)
_REQUEST_WEIGHT = 8  # written to hurt, a pattern takes RE2 20 ns and more an instruction and byte, not 3
_CHEAP_WORK = 2_048  # size times text that is not worth a look at the clock
_WORK_PER_CHARACTER_BITS = 3


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; `size` is RE2's count of instructions, eight times that for a pattern of a request."""

    compiled: re2._Regexp[str]
    size: int
    search: Callable[[object, bytes, int, int], list[tuple[int, int]]]

    def admitted(self, text: str, budget: Budget) -> bytes:
        """Return the text as RE2 wants it.

        Refuses one that would take this pattern too long, or that is no unicode text.
        """
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise EvaluationError("bad-text", "the text holds a lone surrogate") from None
        work = len(data) * self.size
        if work > budget.limits.pattern_work:
            raise BudgetExceeded("too-large", "the text is too long for this regular expression")
        budget.work(len(data) + (work >> _WORK_PER_CHARACTER_BITS))
        return data

    def found_in(self, text: str, budget: Budget) -> bool:
        """Whether the pattern matches anywhere.

        Six times as fast as `compiled.search`, which builds a match object in Python; text in plain ASCII, the
        commonest, is admitted without a second call.
        """
        cheap = len(text) * self.size <= _CHEAP_WORK and text.isascii()
        data = text.encode() if cheap else self.admitted(text, budget)
        return self.search(_ANYWHERE, data, 0, len(data))[0] != _NOWHERE


def compiled(pattern: str, limits: Limits, *, trusted: bool) -> Pattern:
    """Compile; `trusted` patterns stand in a policy, others in a request.

    Raises `EvaluationError` for what RE2 rejects and for what is over the limits; the message never quotes the
    pattern.
    """
    if len(pattern) > limits.pattern_chars:
        raise EvaluationError("bad-pattern", f"the regular expression is longer than {limits.pattern_chars} characters")
    options = re2.Options()
    options.max_mem = MEMORY_BYTES
    if not trusted:
        # APPSEC: RE2 gives up when the program is too large for its memory, instead of finishing it to be measured.
        if len(_CLASS.findall(pattern)) > _CLASSES_FROM_REQUEST:
            raise EvaluationError("bad-pattern", "the regular expression is too complex")
        options.max_mem = max(_LEAST_MEMORY_BYTES, int(limits.pattern_size * _INSTRUCTION_BYTES * _PROGRAM_SHARE))
    options.log_errors = False
    try:
        # Not `re2.compile`: its cache would keep patterns that came with a request.
        regexp = re2._Regexp(pattern, options)  # noqa: SLF001
    except (re2.error, UnicodeEncodeError):
        raise EvaluationError("bad-pattern", "RE2 rejects the regular expression") from None
    if regexp.programsize > limits.pattern_size:
        raise EvaluationError("bad-pattern", "the regular expression is too complex")
    size = regexp.programsize * (1 if trusted else _REQUEST_WEIGHT)
    return Pattern(regexp, size, regexp._regexp.Match)  # noqa: SLF001  as above
