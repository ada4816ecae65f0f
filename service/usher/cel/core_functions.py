"""The functions of CEL's standard definitions that are not about time: sizes, conversions, strings, `matches`.

Pure; any thread.
"""

from __future__ import annotations

import math
import re

from usher.cel.errors import EvaluationError
from usher.cel.limits import LARGE, Budget
from usher.cel.patterns import Pattern
from usher.cel.signatures import BOOL, BYTES, DOUBLE, INT, LIST, MAP, NUMBER, STRING, TYPE, UINT, Library
from usher.cel.values import ANY, TYPE_VALUES, TypeValue, Uint, checked_int, checked_uint, kind_of

library = Library()

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_SPECIAL_DOUBLES = {"NaN": math.nan, "Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}
_SPECIAL_DOUBLES |= {
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
    "Inf": math.inf,
    "+Inf": math.inf,
    "-Inf": -math.inf,
}
_BOOLS = {"true": True, "True": True, "TRUE": True, "t": True, "1": True}
_BOOLS |= {"false": False, "False": False, "FALSE": False, "f": False, "0": False}
_INT_BOUND, _UINT_BOUND = 2.0**63, 2.0**64
_LONGEST_NUMBER = 400
_EXPONENT_FROM = 6


def conversion_error(target: str) -> EvaluationError:
    """Return the error for a value that has no counterpart in the target."""
    return EvaluationError("bad-conversion", f"the value cannot be converted to {target}")


@library.function("dyn", (ANY,))
def dyn(value: object) -> object:
    """Return the value itself; nothing is known about it at compile time."""
    return value


@library.function("type", (ANY,), TYPE)
def type_of(value: object) -> TypeValue:
    """Return the type of a value."""
    return TYPE_VALUES[kind_of(value).value]


@library.function("size", (STRING | BYTES | LIST | MAP,), INT)
def size(value: str | bytes | list[object] | dict[object, object]) -> int:
    """Code points, bytes, items or entries."""
    return len(value)


@library.function("bool", (BOOL | STRING,), BOOL)
def to_bool(value: bool | str) -> bool:  # noqa: FBT001  this converts booleans
    """From text: true, t, 1, false, f, 0 and their capitals."""
    if isinstance(value, bool):
        return value
    if value not in _BOOLS:
        raise conversion_error("bool")
    return _BOOLS[value]


@library.function("int", (NUMBER | STRING,), INT)
def to_int(value: float | str) -> int:
    """Doubles are cut towards zero; text is decimal digits with an optional sign."""
    return checked_int(_integer(value, "int", -_INT_BOUND, _INT_BOUND))


@library.function("uint", (NUMBER | STRING,), UINT)
def to_uint(value: float | str) -> Uint:
    """As `int`, without a sign."""
    if isinstance(value, str) and value.startswith("-"):
        raise conversion_error("uint")
    if isinstance(value, float) and value < 0:
        raise EvaluationError("out-of-range", "the double does not fit into uint")
    return checked_uint(_integer(value, "uint", -1.0, _UINT_BOUND))


def _integer(value: float | str, target: str, above: float, below: float) -> int:
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise conversion_error(target)
        return int(value)
    if not above < value < below and isinstance(value, float):
        raise EvaluationError("out-of-range", f"the double does not fit into {target}")
    return int(value)


@library.function("double", (NUMBER | STRING,), DOUBLE)
def to_double(value: float | str) -> float:
    """Text is a decimal number, NaN or Infinity; what is too large for a double is an error."""
    if not isinstance(value, str):
        return _float(value)
    if value in _SPECIAL_DOUBLES:
        return _SPECIAL_DOUBLES[value]
    if len(value) > _LONGEST_NUMBER or not _DECIMAL.fullmatch(value):
        raise conversion_error("double")
    return _finite(float(value))


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise EvaluationError("out-of-range", "the number does not fit into double") from None


def _finite(value: float) -> float:
    if math.isinf(value):
        raise EvaluationError("out-of-range", "the number does not fit into double")
    return value


@library.function("string", (BOOL | NUMBER | STRING | TYPE,), STRING)
def to_string(value: float | str | TypeValue) -> str:
    """Write doubles as C and Go print them with `%g` and just enough digits: 1.5, 1e+06."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _digits(value)
    return double_text(value) if isinstance(value, float) else str(value)


def _digits(value: int) -> str:
    checked_int(value) if value < 0 else checked_uint(value)
    return str(int(value))


def double_text(value: float) -> str:
    """Return the shortest digits that give the same double, with an exponent below 1e-4 and from 1e6 on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, power = _shortest(repr(value))
    if not -_EXPONENT_FROM + 1 < power < _EXPONENT_FROM:
        point = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{point}e{'-' if power < 0 else '+'}{abs(power):02}"
    return sign + _positional(digits, power)


def _shortest(text: str) -> tuple[str, str, int]:
    """Sign, significant digits and power of ten of the first digit, from Python's shortest notation."""
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or "0") + (
        len(whole) - 1 if whole != "0" else -1 - (len(fraction) - len(fraction.lstrip("0")))
    )
    return (sign, digits.rstrip("0"), power) if digits else (sign, "0", 0)


def _positional(digits: str, power: int) -> str:
    if power < 0:
        return "0." + "0" * (-power - 1) + digits
    whole = digits[: power + 1].ljust(power + 1, "0")
    return whole + ("." + digits[power + 1 :] if digits[power + 1 :] else "")


@library.function("string", (BYTES,), STRING, bounded=True)
def text_from_bytes(budget: Budget, value: bytes) -> str:
    """From UTF-8."""
    budget.produce(len(value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("bad-text", "the bytes are no valid UTF-8") from None


@library.function("bytes", (STRING | BYTES,), BYTES, bounded=True)
def to_bytes(budget: Budget, value: str | bytes) -> bytes:
    """To UTF-8."""
    budget.produce(len(value))
    if isinstance(value, bytes):
        return value
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise EvaluationError("bad-text", "the text holds a lone surrogate") from None


@library.function("contains", (STRING, STRING), BOOL, bounded=True)
def contains(budget: Budget, text: str, part: str) -> bool:
    """Whether the text contains the part."""
    budget.work(len(text))
    return part in text


@library.function("startsWith", (STRING, STRING), BOOL, bounded=True)
def starts_with(budget: Budget, text: str, prefix: str) -> bool:
    """Whether the text begins so."""
    if len(prefix) > LARGE:
        budget.work(len(prefix))
    return text.startswith(prefix)


@library.function("endsWith", (STRING, STRING), BOOL, bounded=True)
def ends_with(budget: Budget, text: str, suffix: str) -> bool:
    """Whether the text ends so."""
    if len(suffix) > LARGE:
        budget.work(len(suffix))
    return text.endswith(suffix)


@library.function("matches", (STRING, STRING), BOOL, bounded=True, pattern=1)
def matches(budget: Budget, text: str, pattern: Pattern) -> bool:
    """Whether RE2 finds the pattern anywhere in the text."""
    return pattern.found_in(text, budget)


CORE_FUNCTIONS = library.functions()
