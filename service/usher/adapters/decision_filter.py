"""Which lines of the decision log are asked for.

Owns what each question means. A line is looked at as bytes first, so that a search for one person among millions of
lines reads few of them. Pure; any thread.
"""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from usher.adapters.decision_reading import Line
from usher.adapters.redaction import Redactor
from usher.domain.decision import Verdict


@dataclass(frozen=True, slots=True)
class Person:
    """A value of a person, as lines may spell it: in clear as a text or a number, and hashed."""

    text: str
    number: float | None
    hashes: tuple[str, ...]

    def is_in(self, line: Line) -> bool:
        """Say whether the value stands anywhere in a line, whole."""
        if any(digest.encode() in line.content for digest in self.hashes):
            return True
        rest: list[object] = [line.data]
        while rest:
            value = rest.pop()
            if isinstance(value, Mapping):
                rest += value.values()
            elif isinstance(value, list):
                rest += value
            elif isinstance(value, str):
                if value == self.text:
                    return True
            elif self.number is not None and not isinstance(value, bool) and value == self.number:
                return True
        return False

    def spellings(self) -> tuple[bytes, ...]:
        """Return bytes of which one stands in every line that holds the value; none when that cannot be said."""
        # 1, 1.0 and 1e0 are one number.
        return () if self.number is not None else (_json(self.text), *(digest.encode() for digest in self.hashes))


def person_of(value: str, redactor: Redactor | None) -> Person:
    """Return how a value stands in the log; without a redactor lines that hide it are not found."""
    number = _number(value)
    hidden = () if redactor is None else (value, *(() if number is None else (number,)))
    return Person(value, number, tuple(str(redactor.hashed(one)) for one in hidden if redactor is not None))


@dataclass(frozen=True, slots=True)
class Sought:
    """What a line must be; '', None and nothing ask for nothing.

    `since` is the first moment and `until` the one after the last, as lines spell them. `rules`: one of them fired or
    held. `application` is an id, a name or a label.
    """

    since: str = ""
    until: str = ""
    outcomes: Collection[str] = ()
    rules: Collection[str] = ()
    event: str | None = None
    application: str | None = None
    person: Person | None = None
    shadow: bool | None = None


class Filter:
    """Says of each line whether it is asked for."""

    def __init__(self, sought: Sought) -> None:
        self.sought: Final = sought
        alternatives = (
            tuple(map(_json, sought.rules)),
            () if sought.event is None else (_json(sought.event),),
            () if sought.application is None else (_json(sought.application),),
            () if sought.person is None else sought.person.spellings(),
        )
        self._spellings: Final = tuple(several for several in alternatives if several)

    @property
    def since(self) -> str:
        """The first moment, as lines spell it; '' for all."""
        return self.sought.since

    @property
    def until(self) -> str:
        """The moment after the last; '' for all."""
        return self.sought.until

    def may_be(self, content: bytes) -> bool:
        """Say whether a line is worth reading: whether it holds what was asked for somewhere."""
        return all(any(spelling in content for spelling in several) for several in self._spellings)

    def accepts(self, line: Line) -> bool:
        """Say whether a line is asked for."""
        sought, data = self.sought, line.data
        return (
            sought.since <= line.timestamp
            and (not sought.until or line.timestamp < sought.until)
            and (not sought.outcomes or data.get("outcome") in sought.outcomes)
            and (sought.shadow is None or (data.get("shadow") is True) == sought.shadow)
            and (sought.event is None or data.get("event_id") == sought.event)
            and (sought.application is None or sought.application in _applications(data))
            and (not sought.rules or not {*fired(data), *held(data)}.isdisjoint(sought.rules))
            and (sought.person is None or sought.person.is_in(line))
        )


def fired(data: Mapping[str, object]) -> tuple[str, ...]:
    """Return the rules that fired."""
    trace = data.get("trace")
    told = trace.items() if isinstance(trace, Mapping) else ()
    return tuple(str(rule) for rule, verdict in told if verdict == Verdict.FIRED.value)


def held(data: Mapping[str, object]) -> tuple[str, ...]:
    """Return the rules that held the row."""
    hold = data.get("hold")
    return tuple(map(str, hold)) if isinstance(hold, list) else ()


def application(data: Mapping[str, object]) -> Mapping[str, object]:
    """Return what a line tells about the application; nothing where that was dropped."""
    told = data.get("application")
    return told if isinstance(told, Mapping) else {}


def _applications(data: Mapping[str, object]) -> set[object]:
    told = application(data)
    return {value for name in ("id", "name", "label") if isinstance(value := told.get(name), str)}


def _number(value: str) -> float | None:
    try:
        number = json.loads(value, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    if isinstance(number, float) and not math.isfinite(number):
        return None
    return number if isinstance(number, (int, float)) and not isinstance(number, bool) else None


def _json(text: str) -> bytes:
    return json.dumps(text).encode()
