"""One evaluation in progress, and the closures that read from it: names, fields, list and map literals.

A `Frame` lives for one evaluation on one thread. The closures hold nothing mutable and serve every thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from usher.cel.errors import EvaluationError, no_overload
from usher.cel.limits import Budget
from usher.cel.operators import ITEM_UNITS, LIST_UNITS, MAP_ENTRY_UNITS, PLAIN_CLASSES, forced, has_key, indexed
from usher.cel.values import TypeValue, Uint, checked_int

NOTHING = object()
_NO_SLOTS: list[object] = []  # never written to: an expression without macros has no slot
Implementations = Mapping[str, Callable[..., object]]


class Frame:
    """Bindings, budget, contextual functions and the values of macro variables."""

    __slots__ = ("budget", "functions", "names", "slots")

    def __init__(self, names: Mapping[str, object], budget: Budget, functions: Implementations, slots: int) -> None:
        self.names = names
        self.budget = budget
        self.functions = functions
        self.slots: list[object] = [None] * slots if slots else _NO_SLOTS


Run = Callable[[Frame], object]


def constant(value: object) -> Run:
    """Give the same value each time."""
    return lambda _: value


def local(slot: int) -> Run:
    """Read the variable of a macro."""

    def read(frame: Frame) -> object:
        value = frame.slots[slot]
        return checked_int(value) if value.__class__ is int else value

    return read


def forced_at(value: object, line: int, column: int) -> object:
    """Return the value, computed now if it is lazy; its error surfaces here."""
    try:
        return forced(value)
    except EvaluationError as error:
        raise error.placed(line, column)  # noqa: B904  the same error, now with its place


def name(text: str, line: int, column: int) -> Run:
    """Read a free name."""

    def read(frame: Frame) -> object:
        value = frame.names.get(text, NOTHING)
        if value is NOTHING:
            raise EvaluationError("no-such-name", f"'{text}' has no value here", line=line, column=column)
        return value if value.__class__ in PLAIN_CLASSES else forced_at(value, line, column)

    return read


def type_name(text: str, value: TypeValue) -> Run:
    """`int`, `string`, …: the type, unless a binding has that name."""
    return lambda frame: frame.names.get(text, value)


def select(operand: Run, field: str, line: int, column: int) -> Run:
    """`operand.field`."""

    def read(frame: Frame) -> object:
        mapping = operand(frame)
        if isinstance(mapping, dict):
            value = mapping.get(field, NOTHING)
            if value is NOTHING:
                raise EvaluationError("no-such-key", f"there is no '{field}'", line=line, column=column)
            return value if value.__class__ in PLAIN_CLASSES else forced_at(value, line, column)
        raise no_overload(f"'.{field}'").placed(line, column)

    return read


def select_from_name(text: str, field: str, line: int, column: int) -> Run:
    """`name.field` in one closure: the commonest expression of all."""
    slowly = select(name(text, line, column), field, line, column)

    def read(frame: Frame) -> object:
        mapping = frame.names.get(text)
        if mapping.__class__ is dict:
            value = mapping.get(field, NOTHING)
            if value.__class__ in PLAIN_CLASSES:  # and so neither absent nor lazy
                return value
            if value is not NOTHING:
                return forced_at(value, line, column)
        return slowly(frame)

    return read


def has(operand: Run, field: str, line: int, column: int) -> Run:
    """`has(operand.field)`: guards against absence only; what is no map is an error."""

    def read(frame: Frame) -> object:
        mapping = operand(frame)
        if isinstance(mapping, dict):
            return field in mapping
        raise no_overload("has()").placed(line, column)

    return read


def index(operand: Run, key: Run, line: int, column: int) -> Run:
    """`operand[key]`."""

    def read(frame: Frame) -> object:
        container = operand(frame)
        try:
            return indexed(container, key(frame))
        except EvaluationError as error:
            raise error.placed(line, column)  # noqa: B904  the same error, now with its place

    return read


def list_literal(items: tuple[Run, ...]) -> Run:
    """Build `[a, b]`: a new list each time, so that no caller can change another's."""
    units = LIST_UNITS + ITEM_UNITS * len(items)

    def build(frame: Frame) -> object:
        frame.budget.produce(units)
        return [item(frame) for item in items]

    return build


def map_literal(entries: tuple[tuple[Run, Run], ...], line: int, column: int) -> Run:
    """Build `{a: b}`: a new map each time. Keys: int, uint, bool, string; no two equal."""
    units = MAP_ENTRY_UNITS * (1 + len(entries))

    def build(frame: Frame) -> object:
        frame.budget.produce(units)
        built: dict[object, object] = {}
        for key_of, value_of in entries:
            key = key_of(frame)
            if key.__class__ not in {str, int, Uint, bool}:
                raise EvaluationError("bad-key", "a key must be int, uint, bool or string", line=line, column=column)
            if key in built:
                # Python cannot hold `true` beside `1`: an error, where CEL would keep both.
                kind = "repeated-key" if has_key(built, key) else "unsupported"
                raise EvaluationError(kind, "two keys of the map are the same", line=line, column=column)
            built[key] = value_of(frame)
        return built

    return build
