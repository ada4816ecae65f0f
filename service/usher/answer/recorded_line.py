"""Back from a line of the decision log to a record: what `usher why` and tests from decisions read.

Owns the inverse of `decision_line`. Personal values stay the hashes they are; a hold's text and where a rule that fired
stands are not in the log. Pure functions.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from usher.answer.record import DecisionRecord
from usher.domain.command import Command, CommandType
from usher.domain.decision import (
    ClaimTrace,
    Conflict,
    Ending,
    Hold,
    Lookup,
    Outcome,
    Remembered,
    RuleFault,
    RuleTrace,
    Tried,
    Verdict,
)
from usher.errors import UsherError

_PLACED: Final = re.compile(r"(.+) at ([0-9]+):([0-9]+)")


class NotARecordError(UsherError):
    """A line of the decision log is not what this version writes."""


def record_of(line: Mapping[str, object]) -> DecisionRecord:
    """Return the record a line was written of; raises `NotARecordError`, which quotes nothing."""
    try:
        return _record(line)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise NotARecordError("this line of the decision log was written by another version of Usher") from None


def _record(line: Mapping[str, object]) -> DecisionRecord:
    milliseconds = line["milliseconds"]
    return DecisionRecord(
        decision_id=str(line["decision_id"]),
        timestamp=str(line["timestamp"]),
        event_id=str(line["event_id"]),
        application=_map(line.get("application")),
        subject=str(line.get("subject", "")),
        revision=str(line["revision"]),
        input=line.get("input"),
        trace=tuple(_trace(rule, str(told)) for rule, told in _map(line["trace"]).items()),
        commands=tuple(
            Command(CommandType(str(entry["type"])), _map(entry["value"])) for entry in _maps(line.get("commands"))
        ),
        conflicts=tuple(
            Conflict(str(entry["target"]), tuple(map(str, _list(entry["rules"])))) for entry in _maps(line["conflicts"])
        ),
        errors=tuple(
            RuleFault(str(entry["rule"]), str(entry["code"]), str(entry["target"]), closed=entry["closed"] is True)
            for entry in _maps(line["errors"])
        ),
        faults=tuple(map(str, _list(line.get("faults")))),
        outcome=Outcome(str(line["outcome"])),
        milliseconds=float(milliseconds) if isinstance(milliseconds, (int, float)) else 0.0,
        stages={name: float(str(spent)) for name, spent in _map(line.get("stages")).items()},
        ending=Ending(str(line["ending"])) if line["ending"] else None,
        holds=tuple(Hold(str(rule), "") for rule in _list(line["hold"])),
        vetoed=tuple(map(str, _list(line["vetoed"]))),
        claims=tuple(map(_claim, _maps(line.get("claims")))),
        remembered=tuple(
            Remembered(str(entry["namespace"]), str(entry["value"]), collision=entry["collision"] is True)
            for entry in _maps(line.get("remembered"))
        ),
        lookups=tuple(map(_lookup, _maps(line.get("lookups")))),
        shadow=line.get("shadow") is True,
        debug=_map(line["debug"]) if isinstance(line["debug"], dict) else {"": line["debug"]},
    )


def _trace(rule: str, told: str) -> RuleTrace:
    placed = _PLACED.fullmatch(told)
    if placed is None:
        return RuleTrace(rule, Verdict(told))
    place = int(placed[2]), int(placed[3])
    if placed[1] == Verdict.FALSE.value:
        return RuleTrace(rule, Verdict.FALSE, *place)
    return RuleTrace(rule, Verdict.ERROR, *place, placed[1])


def _claim(entry: Mapping[str, object]) -> ClaimTrace:
    more, granted = entry["more"], entry["granted"]
    return ClaimTrace(
        str(entry["rule"]),
        tuple(Tried(_texts(tried["values"]), str(tried["refused"])) for tried in _maps(entry["tried"])),
        None if granted is None else _texts(granted),
        more if isinstance(more, int) else 0,
    )


def _lookup(entry: Mapping[str, object]) -> Lookup:
    found = entry["found"]
    answer = found if isinstance(found, bool) else tuple(_list(found))
    return Lookup(str(entry["function"]), str(entry["name"]), str(entry["value"]), answer)


def _maps(value: object) -> Iterator[Mapping[str, object]]:
    yield from map(_map, _list(value))


def _texts(value: object) -> dict[str, str]:
    return {name: str(text) for name, text in _map(value).items()}


def _map(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError
    return value


def _list(value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError
    return value
