"""CEL's math extension. Pure but for the budget; any thread."""

from __future__ import annotations

import math

from usher.cel.errors import EvaluationError
from usher.cel.limits import Budget
from usher.cel.operators import forced, ordering
from usher.cel.signatures import BOOL, DOUBLE, INT, LIST, NUMBER, UINT, Library
from usher.cel.values import INT_MAX, NUMERIC_CLASSES, UINT_MAX, Uint, checked_int

library = Library()

_BITS = 64
_less, _greater = ordering("<"), ordering(">")


@library.function("math.greatest", (LIST,), NUMBER, bounded=True)
def greatest_of(budget: Budget, values: list[object]) -> object:
    """Return the greatest number of a list; the first of equals."""
    return _best(budget, values, greatest=True)


@library.function("math.greatest", (NUMBER,), NUMBER, variadic=True, bounded=True)
def greatest(budget: Budget, *values: object) -> object:
    """Return the greatest of the numbers; the first of equals."""
    return _best(budget, list(values), greatest=True)


@library.function("math.least", (LIST,), NUMBER, bounded=True)
def least_of(budget: Budget, values: list[object]) -> object:
    """Return the least number of a list; the first of equals."""
    return _best(budget, values, greatest=False)


@library.function("math.least", (NUMBER,), NUMBER, variadic=True, bounded=True)
def least(budget: Budget, *values: object) -> object:
    """Return the least of the numbers; the first of equals."""
    return _best(budget, list(values), greatest=False)


def _best(budget: Budget, values: list[object], *, greatest: bool) -> object:
    better = _greater if greatest else _less
    if not values or any(value.__class__ not in NUMERIC_CLASSES for value in values):
        raise EvaluationError("no-such-overload", "math.greatest() and math.least() are defined for numbers only")
    best = values[0]
    for value in values:
        budget.step()
        if better(value, best):
            best = value
    return forced(best)  # an int of the list may have more than 64 bits


def _rounded(value: float, whole: float) -> float:
    """Return the whole number with the sign of the value, so that -0.0 stays; what is not finite stays as it is."""
    return math.copysign(whole, value)


@library.function("math.ceil", (DOUBLE,), DOUBLE)
def ceil(value: float) -> float:
    """Return the smallest whole number that is not less."""
    return _rounded(value, float(math.ceil(value))) if math.isfinite(value) else value


@library.function("math.floor", (DOUBLE,), DOUBLE)
def floor(value: float) -> float:
    """Return the greatest whole number that is not more."""
    return _rounded(value, float(math.floor(value))) if math.isfinite(value) else value


@library.function("math.round", (DOUBLE,), DOUBLE)
def round_half_away(value: float) -> float:
    """Return the nearest whole number; halves go away from zero."""
    if not math.isfinite(value):
        return value
    whole, rest = float(math.trunc(abs(value))), math.fmod(abs(value), 1.0)
    return _rounded(value, whole + 1.0 if rest >= 0.5 else whole)  # noqa: PLR2004  one half


@library.function("math.trunc", (DOUBLE,), DOUBLE)
def trunc(value: float) -> float:
    """Without what stands after the point."""
    return _rounded(value, float(math.trunc(value))) if math.isfinite(value) else value


@library.function("math.abs", (INT,), INT)
def absolute_int(value: int) -> int:
    """Return the size of an int."""
    return checked_int(abs(value))


@library.function("math.abs", (UINT,), UINT)
def absolute_uint(value: Uint) -> Uint:
    """Return the uint itself."""
    return value


@library.function("math.abs", (DOUBLE,), DOUBLE)
def absolute_double(value: float) -> float:
    """Return the size of a double."""
    return abs(value)


@library.function("math.sign", (INT,), INT)
def sign_int(value: int) -> int:
    """-1, 0 or 1."""
    return (value > 0) - (value < 0)


@library.function("math.sign", (UINT,), UINT)
def sign_uint(value: Uint) -> Uint:
    """0 or 1."""
    return Uint(value > 0)


@library.function("math.sign", (DOUBLE,), DOUBLE)
def sign_double(value: float) -> float:
    """-1.0, 0.0, 1.0, or NaN."""
    return value if math.isnan(value) else float((value > 0) - (value < 0))


@library.function("math.sqrt", (NUMBER,), DOUBLE)
def square_root(value: float) -> float:
    """Return the square root; NaN below zero."""
    return math.sqrt(value) if value >= 0 else math.nan


@library.function("math.isInf", (DOUBLE,), BOOL)
def is_infinite(value: float) -> bool:
    """Whether the double is infinite."""
    return math.isinf(value)


@library.function("math.isNaN", (DOUBLE,), BOOL)
def is_not_a_number(value: float) -> bool:
    """Whether the double is no number."""
    return math.isnan(value)


@library.function("math.isFinite", (DOUBLE,), BOOL)
def is_finite(value: float) -> bool:
    """Whether the double is neither infinite nor NaN."""
    return math.isfinite(value)


@library.function("math.bitAnd", (INT, INT), INT)
@library.function("math.bitAnd", (UINT, UINT), UINT)
def bit_and(left: int, right: int) -> int:
    """Return the bits that both have."""
    return _like(left, left & right)


@library.function("math.bitOr", (INT, INT), INT)
@library.function("math.bitOr", (UINT, UINT), UINT)
def bit_or(left: int, right: int) -> int:
    """Return the bits that either has."""
    return _like(left, left | right)


@library.function("math.bitXor", (INT, INT), INT)
@library.function("math.bitXor", (UINT, UINT), UINT)
def bit_xor(left: int, right: int) -> int:
    """Return the bits that one of them has."""
    return _like(left, left ^ right)


@library.function("math.bitNot", (INT,), INT)
@library.function("math.bitNot", (UINT,), UINT)
def bit_not(value: int) -> int:
    """Return the other bits."""
    return _like(value, ~value)


@library.function("math.bitShiftLeft", (INT, INT), INT)
@library.function("math.bitShiftLeft", (UINT, INT), UINT)
def bit_shift_left(value: int, bits: int) -> int:
    """Bits moved up; what leaves the 64 is lost."""
    return _like(value, 0 if _shift(bits) >= _BITS else value << bits)


@library.function("math.bitShiftRight", (INT, INT), INT)
@library.function("math.bitShiftRight", (UINT, INT), UINT)
def bit_shift_right(value: int, bits: int) -> int:
    """Bits moved down, zeros following also for negative numbers."""
    return _like(value, 0 if _shift(bits) >= _BITS else (value & UINT_MAX) >> bits)


def _shift(bits: int) -> int:
    if bits < 0:
        raise EvaluationError("out-of-range", "bits cannot be shifted by less than zero")
    return bits


def _like(sample: int, bits: int) -> int:
    """Return the lowest 64 bits, as the type of the sample."""
    bits &= UINT_MAX
    if isinstance(sample, Uint):
        return Uint(bits)
    return bits if bits <= INT_MAX else bits - UINT_MAX - 1


MATH_FUNCTIONS = library.functions()
