"""Closures for `&&`, `||`, `!`, `?:` and the comparisons, with CEL's absorption of errors.

`false && <error>` is false on either side, `true || <error>` true. Only `EvaluationError` is ever absorbed. Nothing
mutable; any thread.
"""

from __future__ import annotations

from usher.cel.errors import EvaluationError, Fault, no_overload
from usher.cel.frames import Frame, Run
from usher.cel.limits import LARGE
from usher.cel.operators import contained, equal, ordering

Place = tuple[int, int]
_LONG_CLASSES = frozenset({str, bytes})


def junction(operator: str, operands: tuple[Run, ...], places: tuple[Place, ...]) -> Run:
    """Build a chain of `&&` or `||`: stops at the first value that decides; errors count only if none does."""
    decides = operator == "||"
    parts = tuple(zip(operands, places, strict=True))

    def decide(frame: Frame) -> object:
        kept: EvaluationError | None = None
        for operand, place in parts:
            try:
                value = operand(frame)
            except EvaluationError as error:
                kept = kept or error.with_traceback(None)
                continue
            if value is decides:
                return decides
            if value.__class__ is not bool:
                kept = kept or no_overload(f"'{operator}'").placed(*place)
        if kept is not None:
            raise kept
        return not decides

    return decide


def negation(operand: Run, place: Place) -> Run:
    """`!operand`."""

    def negate(frame: Frame) -> object:
        value = operand(frame)
        if value is True:
            return False
        if value is False:
            return True
        raise no_overload("'!'").placed(*place)

    return negate


def choice(condition: Run, then: Run, otherwise: Run, place: Place) -> Run:
    """`condition ? then : otherwise`: only the chosen side is evaluated."""

    def choose(frame: Frame) -> object:
        value = condition(frame)
        if value is True:
            return then(frame)
        if value is False:
            return otherwise(frame)
        raise no_overload("'?:'").placed(*place)

    return choose


def equality(left: Run, right: Run, place: Place, *, wanted: bool) -> Run:
    """`left == right` if `wanted`, else `left != right`."""

    def decide(frame: Frame) -> object:
        one, other = left(frame), right(frame)
        try:
            return equal(one, other, frame.budget) is wanted
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place

    return decide


def equality_with_text(operand: Run, text: str | None, *, wanted: bool) -> Run:
    """Against a constant string or null Python's own comparison is exact."""
    if wanted:
        return lambda frame: operand(frame) == text
    return lambda frame: operand(frame) != text


def order(operator: str, left: Run, right: Run, place: Place) -> Run:
    """`<`, `<=`, `>`, `>=`."""
    compare = ordering(operator)

    def decide(frame: Frame) -> object:
        one, other = left(frame), right(frame)
        try:
            if one.__class__ in _LONG_CLASSES and len(one) > LARGE:
                frame.budget.work(len(one))
            return compare(one, other)
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place

    return decide


def membership(item: Run, container: Run, place: Place) -> Run:
    """`item in container`."""

    def decide(frame: Frame) -> object:
        one, other = item(frame), container(frame)
        try:
            return contained(one, other, frame.budget)
        except Fault as error:
            raise error.placed(*place)  # noqa: B904  the same error, now with its place

    return decide


def membership_of_text(text: str, container: Run, place: Place) -> Run:
    """`'text' in container`: Python's own `in` is exact."""

    def decide(frame: Frame) -> object:
        values = container(frame)
        if values.__class__ is list or values.__class__ is dict:
            frame.budget.work(len(values))
            return text in values
        raise no_overload("'in'").placed(*place)

    return decide


def membership_in_texts(item: Run, texts: frozenset[str]) -> Run:
    """`item in ['a', 'b']`: only a string can be in."""

    def decide(frame: Frame) -> object:
        value = item(frame)
        return value.__class__ is str and value in texts

    return decide
