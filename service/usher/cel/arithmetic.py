"""Closures for `+ - * / %` and unary minus; text and small integers take the short way. Nothing mutable; any thread."""

from __future__ import annotations

from collections.abc import Callable

from usher.cel.errors import Fault
from usher.cel.frames import Frame, Run
from usher.cel.limits import TEXT_UNITS, UNCHARGED, Budget
from usher.cel.operators import add, negated

Place = tuple[int, int]
Compute = Callable[[object, object, Budget], object]


def addition(first: Run, rest: tuple[tuple[Run, Place], ...]) -> Run:
    """Build a chain of `+`, folded from the left."""

    def run(frame: Frame) -> object:
        total = first(frame)
        for operand, place in rest:
            value = operand(frame)
            if isinstance(total, str) and isinstance(value, str):
                if len(total) > UNCHARGED:
                    frame.budget.produce(len(total))
                total = total + value
                continue
            try:
                total = add(total, value, frame.budget)
            except Fault as error:
                raise error.placed(*place)  # noqa: B904  the same error, now with its place
        if isinstance(total, str):
            frame.budget.produce(TEXT_UNITS + len(total))
        return total

    return run


def arithmetic(first: Run, rest: tuple[tuple[Compute, Run, Place], ...]) -> Run:
    """Build a chain of sums and differences, or of products, folded from the left."""

    def run(frame: Frame) -> object:
        total = first(frame)
        for compute, operand, place in rest:
            value = operand(frame)
            try:
                total = compute(total, value, frame.budget)
            except Fault as error:
                raise error.placed(*place)  # noqa: B904  the same error, now with its place
        return total

    return run


def negation(operand: Run, place: Place) -> Run:
    """`-operand`."""

    def run(frame: Frame) -> object:
        value = operand(frame)
        try:
            return negated(value)
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place

    return run
