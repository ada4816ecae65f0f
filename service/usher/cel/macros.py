"""Closures for `all`, `exists`, `exists_one`, `filter`, `map` and `cel.bind`.

Every turn costs a step of the budget (`cost` says how many, should the body be long), so the length of a list from the
request bounds nothing but itself. Nothing mutable; any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from usher.cel.errors import BudgetExceeded, EvaluationError, no_overload
from usher.cel.frames import Frame, Run
from usher.cel.operators import ITEM_UNITS, LIST_UNITS
from usher.cel.values import Lazy

Place = tuple[int, int]
Turn = Callable[[Frame, Iterable[object]], object]


def looped(macro: str, source: Run, turn: Turn, place: Place) -> Run:
    """Run `turn` over the items of a list or the keys of a map, and place what goes wrong with the loop itself."""

    def run(frame: Frame) -> object:
        items = source(frame)
        if not isinstance(items, list | dict):
            raise no_overload(f"{macro}()").placed(*place)
        try:
            return turn(frame, items)
        except BudgetExceeded as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place

    return run


def quantifier(macro: str, source: Run, slot: int, body: Run, place: Place, cost: int) -> Run:
    """`exists` and `all`: `||` and `&&` over the items, absorbing errors as those do and stopping as early."""
    decides = macro == "exists"

    def turn(frame: Frame, items: Iterable[object]) -> object:
        kept: EvaluationError | None = None
        slots, step = frame.slots, frame.budget.step
        for item in items:
            step(cost)
            slots[slot] = item
            try:
                value = body(frame)
            except EvaluationError as error:
                kept = kept or error.with_traceback(None)
                continue
            if value is decides:
                return decides
            if value.__class__ is not bool:
                kept = kept or no_overload(f"{macro}()").placed(*place)
        if kept is not None:
            raise kept
        return not decides

    return looped(macro, source, turn, place)


def exists_one(source: Run, slot: int, body: Run, place: Place, cost: int) -> Run:
    """`exists_one`: whether exactly one item fits; any error is an error."""

    def turn(frame: Frame, items: Iterable[object]) -> object:
        return sum(1 for _ in _kept(frame, items, slot, body, place, cost)) == 1

    return looped("exists_one", source, turn, place)


def filtered(source: Run, slot: int, body: Run, place: Place, cost: int) -> Run:
    """`filter`: the items that fit."""

    def turn(frame: Frame, items: Iterable[object]) -> object:
        return _charged(frame, _kept(frame, items, slot, body, place, cost))

    return looped("filter", source, turn, place)


def mapped(source: Run, slot: int, body: Run, keep: Run | None, place: Place, cost: int) -> Run:
    """`map`: what `body` makes of each item, or of each that `keep` accepts."""

    def turn(frame: Frame, items: Iterable[object]) -> object:
        chosen = _each(frame, items, slot, cost) if keep is None else _kept(frame, items, slot, keep, place, cost)
        return _charged(frame, (body(frame) for _ in chosen))

    return looped("map", source, turn, place)


def bound(slot: int, value: Run, body: Run) -> Run:
    """`cel.bind`: the value is computed at its first use, once, as the specification's macro does.

    An error in it surfaces where it is used and can be absorbed there.
    """

    def run(frame: Frame) -> object:
        frame.slots[slot] = Lazy(lambda: value(frame))
        return body(frame)

    return run


def bound_variable(slot: int) -> Run:
    """Read the variable of a `cel.bind`."""

    def read(frame: Frame) -> object:
        value = frame.slots[slot]
        return value.force() if isinstance(value, Lazy) else value

    return read


def _each(frame: Frame, items: Iterable[object], slot: int, cost: int) -> Iterable[object]:
    slots, step = frame.slots, frame.budget.step
    for item in items:
        step(cost)
        slots[slot] = item
        yield item


def _kept(frame: Frame, items: Iterable[object], slot: int, body: Run, place: Place, cost: int) -> Iterable[object]:
    for item in _each(frame, items, slot, cost):
        value = body(frame)
        if value is True:
            yield item
        elif value is not False:
            raise no_overload("the condition").placed(*place)


def _charged(frame: Frame, items: Iterable[object]) -> list[object]:
    """Build a list of the items; paid for as it grows, since a macro may stand within a macro."""
    built: list[object] = []
    produce = frame.budget.produce
    produce(LIST_UNITS)
    for item in items:
        produce(ITEM_UNITS)
        built.append(item)
    return built
