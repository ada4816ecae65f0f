"""A failed case in words: what was expected, what came, and why, for every door that runs policy tests.

Owns the wording. How good and bad are coloured is the caller's matter; a file wants no colour. Pure functions.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from usher.proof.comparing import NOTHING
from usher.proof.running import CaseResult, Failing
from usher.proof.words import rule_lines


@dataclass(frozen=True, slots=True)
class Colours:
    """What a text is put through where it is right, and where it is wrong."""

    good: Callable[[str], str] = str
    bad: Callable[[str], str] = str


PLAIN: Final = Colours()


def failed_lines(result: CaseResult, colours: Colours = PLAIN) -> Iterator[str]:
    """Yield what is wrong with one case."""
    yield f"  {colours.bad('FAILED')} {result.case.name} ({result.case.place})"
    for failing in result.failures:
        yield from (f"    {line}" for line in _difference(failing, colours))


def _difference(failing: Failing, colours: Colours) -> Iterator[str]:
    difference = failing.difference
    step = f"step {failing.step}, " if failing.step else ""
    yield f"{step}{difference.what} ({difference.place})"
    yield f"  expected {colours.good(shown(difference.expected))}"
    yield f"  came     {colours.bad(shown(difference.actual))}"
    yield from (f"  {line}" for line in failing.hint.splitlines())
    for account in failing.accounts:
        yield from (f"  {line}" for line in rule_lines(account))


def shown(value: object) -> str:
    """Return an expected value, or one that came, as JSON; `nothing` where there is none."""
    return "nothing" if value is NOTHING else json.dumps(value, ensure_ascii=False)


def shown_percent(percent: float) -> str:
    """Return a figure with one digit, rounded down: 100.0 is all."""
    return f"{math.floor(percent * 10) / 10:.1f} %"
