"""Closures that call functions: kinds of arguments checked, the signature chosen at compile time where it can be.

Also the two special forms, `get` and `blank`, whose arguments may be absent. Contextual functions are looked up in
the frame. Nothing mutable; any thread.
"""

from __future__ import annotations

from collections.abc import Callable

from usher.cel.errors import EvaluationError, Fault, no_overload
from usher.cel.frames import NOTHING, Frame, Run, forced_at
from usher.cel.limits import LARGE, TEXT_UNITS, Budget, Limits
from usher.cel.operators import has_key
from usher.cel.patterns import Pattern, compiled
from usher.cel.signatures import Implementation, Overload, classes_of
from usher.cel.values import Duration, Timestamp

Place = tuple[int, int]
Classes = frozenset[type] | None
_TWO = 2
_DYNAMIC_PATTERN_STEPS = 64
# Results that may be new and large beside a number; the functions charge the characters, where there may be many.
_CHARGED = frozenset({str, bytes, Timestamp, Duration})


def call(
    name: str, overloads: tuple[Overload, ...], arguments: tuple[Run, ...], place: Place, prepared: int | None = None
) -> Run:
    """Build a call of a function that is implemented here; `overloads` are those that may fit.

    The argument at `prepared` has been checked and turned into what the implementation wants by its own closure.
    """
    candidates = tuple((overload, _classes(overload, len(arguments), prepared)) for overload in overloads)
    first, classes = candidates[0]
    if len(candidates) == len(arguments) == 1 and first.implement is not None and not first.bounded:
        return _unary_call(name, first.implement, classes[0], arguments[0], place)
    if len(candidates) == 1 and len(arguments) == _TWO and first.implement is not None:
        return _binary_call(name, first.implement, classes, arguments, place, bounded=first.bounded)

    def run(frame: Frame) -> object:
        values = [argument(frame) for argument in arguments]
        for overload, classes in candidates:
            if overload.implement is not None and _fits(values, classes):
                try:
                    found = (
                        overload.implement(frame.budget, *values) if overload.bounded else overload.implement(*values)
                    )
                    if found.__class__ in _CHARGED:
                        frame.budget.produce(TEXT_UNITS)
                except Fault as error:
                    raise error.placed(*place)  # noqa: B904  the same error, now with its place
                return found
        raise no_overload(f"{name}()").placed(*place)

    return run


def _classes(overload: Overload, count: int, prepared: int | None) -> tuple[Classes, ...]:
    accepted = enumerate(overload.accepted(count))
    return tuple(None if position == prepared else classes_of(kinds) for position, kinds in accepted)


def pattern(argument: Run, limits: Limits, place: Place) -> Run:
    """Build a regular expression that only the request knows, compiled each time it is used."""

    def run(frame: Frame) -> object:
        text = argument(frame)
        if not isinstance(text, str):
            raise no_overload("a regular expression").placed(*place)
        try:
            # APPSEC: a sender may write a pattern that takes RE2 milliseconds; none begins after the deadline.
            frame.budget.step(_DYNAMIC_PATTERN_STEPS + min(len(text), limits.pattern_chars))
            frame.budget.check()
            return compiled(text, limits, trusted=False)
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place

    return run


def _unary_call(name: str, implement: Callable[..., object], classes: Classes, argument: Run, place: Place) -> Run:
    def run(frame: Frame) -> object:
        value = argument(frame)
        if classes is not None and value.__class__ not in classes:
            raise no_overload(f"{name}()").placed(*place)
        try:
            found = implement(value)
            if found.__class__ in _CHARGED:
                frame.budget.produce(TEXT_UNITS)
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place
        return found

    return run


def _binary_call(
    name: str,
    implement: Implementation,
    classes: tuple[Classes, ...],
    arguments: tuple[Run, ...],
    place: Place,
    *,
    bounded: bool,
) -> Run:
    (first, second), (first_of, second_of) = classes, arguments

    def run(frame: Frame) -> object:
        one, other = first_of(frame), second_of(frame)
        if (first is not None and one.__class__ not in first) or (second is not None and other.__class__ not in second):
            raise no_overload(f"{name}()").placed(*place)
        try:
            found = implement(frame.budget, one, other) if bounded else implement(one, other)
            if found.__class__ in _CHARGED:
                frame.budget.produce(TEXT_UNITS)
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place
        return found

    return run


def _fits(values: list[object], classes: tuple[Classes, ...]) -> bool:
    return all(accepted is None or value.__class__ in accepted for value, accepted in zip(values, classes, strict=True))


def matching(argument: Run, fixed: Pattern, place: Place) -> Run:
    """Build `matches` with a constant pattern."""
    found_in = fixed.found_in

    def run(frame: Frame) -> object:
        text = argument(frame)
        if not isinstance(text, str):
            raise no_overload("matches()").placed(*place)
        try:
            return found_in(text, frame.budget)
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place

    return run


def contextual_call(name: str, overload: Overload, arguments: tuple[Run, ...], place: Place) -> Run:
    """Build a call of a function whose implementation comes with the evaluation."""
    classes = tuple(classes_of(kinds) for kinds in overload.accepted(len(arguments)))

    def run(frame: Frame) -> object:
        implement = frame.functions.get(name)
        if implement is None:
            raise EvaluationError("no-implementation", f"{name}() cannot be used here").placed(*place)
        values = [argument(frame) for argument in arguments]
        if not _fits(values, classes):
            raise no_overload(f"{name}()").placed(*place)
        try:
            frame.budget.toil(0)  # it may look through a directory
            return implement(*values)
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place

    return run


def get(mapping: Run, key: Run, default: Run, place: Place) -> Run:
    """`get(map, key, default)`: the default if the key is absent or its value null; evaluated only then."""

    def run(frame: Frame) -> object:
        found, wanted = mapping(frame), key(frame)
        if not isinstance(found, dict):
            raise no_overload("get()").placed(*place)
        value = forced_at(found[wanted], *place) if has_key(found, wanted) else None
        return default(frame) if value is None else value

    return run


def get_text(mapping: Run, key: str, default: Run, place: Place) -> Run:
    """`get` with a constant key."""

    def run(frame: Frame) -> object:
        found = mapping(frame)
        if not isinstance(found, dict):
            raise no_overload("get()").placed(*place)
        value = forced_at(found.get(key), *place)
        return default(frame) if value is None else value

    return run


def is_blank(value: object, budget: Budget) -> bool:
    """Null, '' or nothing but blanks."""
    if isinstance(value, str):
        if len(value) > LARGE:
            budget.work(len(value))
        return not value or value.isspace()
    return value is None


def _blank_at(value: object, budget: Budget, place: Place) -> bool:
    try:
        return is_blank(value, budget)
    except Fault as error:
        raise error.placed(*place)  # noqa: B904  the same error, now with its place


def blank(argument: Run, place: Place) -> Run:
    """`blank(x)` of anything that is not a field."""
    return lambda frame: _blank_at(argument(frame), frame.budget, place)


def blank_field(root: Run, fields: tuple[str, ...], place: Place) -> Run:
    """`blank(a.b.c)`: also true if any field on the way is absent or null."""

    def run(frame: Frame) -> object:
        value = root(frame)
        for field in fields:
            if value is None:
                return True
            if not isinstance(value, dict):
                raise no_overload("blank()").placed(*place)
            value = value.get(field, NOTHING)
            if value is NOTHING:
                return True
            value = forced_at(value, *place)
        return _blank_at(value, frame.budget, place)

    return run
