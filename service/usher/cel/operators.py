"""CEL's operators on plain Python values: equality, order, membership, arithmetic.

Owns the places where Python and CEL differ: `true` is not `1`, integers have 64 bits, division truncates, `1 == 1.0
== 1u`. Pure but for the budget that callers hand in; any thread.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from usher.cel.errors import EvaluationError, no_overload
from usher.cel.limits import LARGE, TEXT_UNITS, Budget
from usher.cel.values import (
    INT_MAX,
    INT_MIN,
    NUMERIC_CLASSES,
    ORDERED_CLASSES,
    Duration,
    Lazy,
    Timestamp,
    Uint,
    checked_duration,
    checked_int,
    checked_timestamp,
    checked_uint,
)

LIST_UNITS = 8  # what an empty list costs of `Budget.produced`
ITEM_UNITS = 8  # an item that may have been built for this list; one that is only copied costs 1
MAP_ENTRY_UNITS = 16
_ORDERINGS: dict[str, Callable[..., bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_SIMPLE_ITEMS = frozenset({str, bytes, type(None)})  # equal to nothing of another class, so Python's `in` is exact

# What is read from a binding and needs no second look. An int may have more than 64 bits there: JSON knows no bound.
PLAIN_CLASSES = frozenset({str, bool, type(None), dict, list, float})
KEY_CLASSES = NUMERIC_CLASSES | {str, bool}  # what may be looked up; doubles find the integer they equal


def forced(value: object) -> object:
    """Return the value, computed now if it is lazy; an int that is no int of CEL is an error where it is read.

    A lazy value's error carries a place in another expression, so it is raised anew, for whoever uses it to place.
    """
    if value.__class__ is int:
        if INT_MIN <= value <= INT_MAX:
            return value
        raise EvaluationError("overflow", "the integer does not fit into 64 bits")
    if not isinstance(value, Lazy):
        return value
    try:
        return value.force()
    except EvaluationError as error:
        raise EvaluationError(error.kind, error.message, origin=error.origin or error) from error


def equal(left: object, right: object, budget: Budget) -> bool:
    """CEL's heterogeneous equality: values of different types are unequal, numbers are compared as numbers."""
    if left.__class__ is str or right.__class__ is str:
        if left.__class__ is right.__class__ and len(left) > LARGE:  # type: ignore[arg-type]  # both are text
            budget.work(len(left))  # type: ignore[arg-type]  # likewise
        return left == right
    if left.__class__ is bool or right.__class__ is bool:
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return _equal_lists(left, right, budget)
    if isinstance(left, dict) and isinstance(right, dict):
        return _equal_maps(left, right, budget)
    if left.__class__ in NUMERIC_CLASSES and right.__class__ in NUMERIC_CLASSES:
        return left == right
    return left.__class__ is right.__class__ and left == right


def _equal_lists(left: list[object], right: list[object], budget: Budget) -> bool:
    # Not by Python's own comparison: it looks through all that is nested at once, and knows no lazy value.
    if len(left) != len(right):
        return False
    for one, other in zip(left, right, strict=True):
        budget.step()
        if not equal(one, other, budget):
            return False
    return True


def _equal_maps(left: dict[object, object], right: dict[object, object], budget: Budget) -> bool:
    if len(left) != len(right):
        return False
    for key, value in left.items():
        budget.step()
        if not has_key(right, key) or not equal(forced(value), forced(right[key]), budget):
            return False
    return True


def has_key(mapping: dict[object, object], key: object) -> bool:
    """Whether a map has a key: numbers by value, and `true` is not `1`."""
    if key.__class__ is str:
        return key in mapping
    if key.__class__ not in KEY_CLASSES or key not in mapping:
        return False
    if key not in {0, 1}:
        return True
    return any(other == key and (other.__class__ is bool) is (key.__class__ is bool) for other in mapping)


def contained(item: object, container: object, budget: Budget) -> bool:
    """`item in container`."""
    if isinstance(container, list):
        budget.work(len(container))
        if item.__class__ in _SIMPLE_ITEMS:
            return item in container
        for other in container:
            budget.step()
            if equal(item, other, budget):
                return True
        return False
    if isinstance(container, dict) and item.__class__ in KEY_CLASSES:
        return has_key(container, item)
    raise no_overload("'in'")


def indexed(container: object, key: object) -> object:
    """`container[key]`."""
    if isinstance(container, dict):
        if has_key(container, key):
            return forced(container[key])
        raise EvaluationError("no-such-key", "the map has no such key")
    if not isinstance(container, list):
        raise no_overload("[ ]")
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    if not isinstance(key, int) or isinstance(key, bool):
        raise no_overload("[ ]")
    if not 0 <= key < len(container):
        raise EvaluationError("no-such-index", "the list is shorter than that")
    return forced(container[key])


def ordering(symbol: str) -> Callable[[object, object], bool]:
    """Return the function for `<`, `<=`, `>` or `>=`."""
    compare = _ORDERINGS[symbol]

    def ordered(left: object, right: object) -> bool:
        if left.__class__ is right.__class__:
            if left.__class__ in ORDERED_CLASSES or left.__class__ in NUMERIC_CLASSES:
                return compare(left, right)
        elif left.__class__ in NUMERIC_CLASSES and right.__class__ in NUMERIC_CLASSES:
            return compare(*_as_doubles(left, right))
        raise no_overload(f"'{symbol}'")

    return ordered


def _as_doubles(left: object, right: object) -> tuple[object, object]:
    """Numbers to order: beside a double an integer counts as the double next to it, as the specification's suite wants.

    Equality stays exact: two numbers that differ are not the same person's.
    """
    if isinstance(left, float) is isinstance(right, float):
        return left, right
    try:
        return float(left), float(right)  # type: ignore[arg-type]  # both are numbers
    except OverflowError:
        return left, right


def add(left: object, right: object, budget: Budget) -> object:
    """`left + right`."""
    match left, right:
        case str(), str():
            budget.produce(TEXT_UNITS + len(left) + len(right))
            return left + right
        case bool(), _:
            raise no_overload("'+'")
        case list(), list():
            budget.produce(LIST_UNITS + len(left) + len(right))
            return left + right
        case bytes(), bytes():
            budget.produce(TEXT_UNITS + len(left) + len(right))
            return left + right
        case Timestamp(), Duration():
            return checked_timestamp(left.nanoseconds + right.nanoseconds)
        case Duration(), Timestamp():
            return checked_timestamp(left.nanoseconds + right.nanoseconds)
        case Duration(), Duration():
            return checked_duration(left.nanoseconds + right.nanoseconds)
    return _numeric("+", operator.add, left, right)


def subtract(left: object, right: object, budget: Budget) -> object:
    """`left - right`."""
    del budget
    match left, right:
        case Timestamp(), Duration():
            return checked_timestamp(left.nanoseconds - right.nanoseconds)
        case Timestamp(), Timestamp():
            # The specification's suite wants an error where 64 bits of nanoseconds end, though longer durations exist.
            return checked_duration(checked_int(left.nanoseconds - right.nanoseconds))
        case Duration(), Duration():
            return checked_duration(left.nanoseconds - right.nanoseconds)
    return _numeric("-", operator.sub, left, right)


def multiply(left: object, right: object, budget: Budget) -> object:
    """`left * right`."""
    del budget
    return _numeric("*", operator.mul, left, right)


def divide(left: object, right: object, budget: Budget) -> object:
    """`left / right`: integers truncate towards zero, doubles know infinity."""
    del budget
    if isinstance(left, float) and isinstance(right, float):
        return left / right if right else _divided_by_zero(left, right)
    return _numeric("/", _quotient, left, right)


def remainder(left: object, right: object, budget: Budget) -> object:
    """`left % right`: takes the sign of `left`; not defined for doubles."""
    del budget
    if left.__class__ is float:
        raise no_overload("'%'")
    return _numeric("%", _rest, left, right)


def negated(value: object) -> object:
    """`-value`."""
    if value.__class__ is int and isinstance(value, int):
        return checked_int(-value)
    if isinstance(value, float):
        return -value
    raise no_overload("'-'")


ARITHMETIC: dict[str, Callable[[object, object, Budget], object]] = {
    "+": add, "-": subtract, "*": multiply, "/": divide, "%": remainder,
}  # fmt: skip


def _numeric(symbol: str, compute: Callable[..., int], left: object, right: object) -> object:
    if left.__class__ is right.__class__:
        if left.__class__ is int:
            return checked_int(compute(left, right))
        if left.__class__ is float:
            return compute(left, right)
        if left.__class__ is Uint:
            return checked_uint(compute(int(left), int(right)))  # type: ignore[call-overload]  # both are Uint
    raise no_overload(f"'{symbol}'")


def _quotient(left: int, right: int) -> int:
    if not right:
        raise EvaluationError("division-by-zero", "division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) is (right < 0) else -quotient


def _rest(left: int, right: int) -> int:
    if not right:
        raise EvaluationError("division-by-zero", "modulus by zero")
    if left == INT_MIN and right == -1:
        return -left  # overflows, as in the other implementations
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _divided_by_zero(left: float, right: float) -> float:
    if left == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)
