"""What was expected beside what came out: one difference for each target, rule or word that is not as it should be.

Owns what counts as different: what is named is compared exactly, an error, a conflict, a collision or a hold that is
not named is a difference, too. Pure functions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final

from usher.domain.place import Place
from usher.engine.values import same_value
from usher.proof.cases import Expectation
from usher.proof.found import Found

NOTHING: Final = None
"""Stands for a value that is not there: no command carries null, and an expectation may not name it."""
_BY_NAME: Final = ("set", "claims", "remembered", "collisions")
_LISTS: Final = ("fired", "vetoed", "conflicts", "errors")
_NEVER_SILENT: Final = ("errors", "conflicts", "collisions")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected: `what` as in `set user.login`; values as text can show them.

    `key` and `member` are the word of the test and the target, rule or namespace within it.
    """

    what: str
    key: str
    member: str
    expected: object
    actual: object
    place: Place


def differences(expectation: Expectation, found: Found) -> Iterator[Difference]:
    """Compare; nothing is yielded when all is as expected."""
    for key in (field.name for field in fields(found)):
        came = getattr(found, key)
        if key not in expectation.wanted and key not in _NEVER_SILENT:
            if key == "hold" and came:
                yield _difference(expectation, key, "", NOTHING, _told(came))
            continue
        wanted = expectation.wanted.get(key)
        if key in _BY_NAME:
            yield from _named(key, _mapping(wanted), came, expectation)
        elif key in _LISTS:
            yield from _listed(key, wanted, came, expectation)
        elif key == "hold":
            yield from _hold(wanted, came, expectation)
        elif not _same(wanted, came):
            yield _difference(expectation, key, "", wanted, came)


def _named(
    key: str, wanted: Mapping[str, object], came: Mapping[str, object], expectation: Expectation
) -> Iterator[Difference]:
    lets_be = expectation.partial and key not in _NEVER_SILENT
    extra = () if lets_be else sorted(came.keys() - wanted.keys())
    for name in (*wanted, *extra):
        expected, actual = wanted.get(name, NOTHING), came.get(name, NOTHING)
        if name not in wanted or name not in came or not _same(expected, actual):
            yield _difference(expectation, key, name, expected, actual)


def _listed(key: str, wanted: object, came: tuple[str, ...], expectation: Expectation) -> Iterator[Difference]:
    names = [str(name) for name in wanted] if isinstance(wanted, list) else []
    for name in sorted({*names} - {*came}):
        yield _difference(expectation, key, name, name, NOTHING)
    if not (expectation.partial and key == "fired"):
        for name in sorted({*came} - {*names}):
            yield _difference(expectation, key, name, NOTHING, name)


def _hold(wanted: object, came: tuple[str, ...], expectation: Expectation) -> Iterator[Difference]:
    texts = [str(wanted)] if isinstance(wanted, str) and wanted else []
    fine = bool(came) if wanted is True else sorted(came) == texts
    if not fine:
        yield _difference(expectation, "hold", "", wanted, _told(came))


def _told(holds: tuple[str, ...]) -> object:
    return "; ".join(holds) or NOTHING


def _difference(expectation: Expectation, key: str, member: str, expected: object, actual: object) -> Difference:
    return Difference(
        what=f"{key} {member}" if member else key,
        key=key,
        member=member,
        expected=expected,
        actual=actual,
        place=expectation.place_of(key, member),
    )


def _same(wanted: object, came: object) -> bool:
    if isinstance(wanted, dict) and isinstance(came, dict):
        return wanted.keys() == came.keys() and all(_same(value, came[name]) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(came, list):
        return len(wanted) == len(came) and all(map(_same, wanted, came))
    return same_value(wanted, came)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
