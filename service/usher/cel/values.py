"""The values of CEL that JSON lacks, and the kind of every value.

Strings, ints, doubles, bools, bytes, lists, maps and null are `str`, `int`, `float`, `bool`, `bytes`, `list`, `dict`
and `None`. All values are immutable or never changed by this room, so every thread may hold them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from usher.cel.errors import EvaluationError

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
UINT_MAX = 2**64 - 1
SECOND = 1_000_000_000  # nanoseconds
TIMESTAMP_MIN = -62_135_596_800 * SECOND  # 0001-01-01T00:00:00Z
TIMESTAMP_MAX = 253_402_300_800 * SECOND - 1  # 9999-12-31T23:59:59.999999999Z
DURATION_MAX = 315_576_000_000 * SECOND


class Kind(StrEnum):
    """The types of CEL, under the names CEL gives them."""

    INT = "int"
    UINT = "uint"
    DOUBLE = "double"
    BOOL = "bool"
    STRING = "string"
    BYTES = "bytes"
    LIST = "list"
    MAP = "map"
    NULL = "null_type"
    TIMESTAMP = "google.protobuf.Timestamp"
    DURATION = "google.protobuf.Duration"
    TYPE = "type"


Kinds = frozenset[Kind]
ANY: Kinds = frozenset(Kind)


class Uint(int):
    """An unsigned integer. Arithmetic of `int` drops the type, so operators put it back."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TypeValue:
    """What `type(x)` gives, and what `int`, `string`, … name."""

    name: str

    def __str__(self) -> str:
        """Return the type's name."""
        return self.name


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment, in nanoseconds since 1970-01-01T00:00:00Z."""

    nanoseconds: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds."""

    nanoseconds: int


KIND_OF: dict[type, Kind] = {
    int: Kind.INT,
    Uint: Kind.UINT,
    float: Kind.DOUBLE,
    bool: Kind.BOOL,
    str: Kind.STRING,
    bytes: Kind.BYTES,
    list: Kind.LIST,
    dict: Kind.MAP,
    type(None): Kind.NULL,
    Timestamp: Kind.TIMESTAMP,
    Duration: Kind.DURATION,
    TypeValue: Kind.TYPE,
}
CLASS_OF: dict[Kind, type] = {kind: python_type for python_type, kind in KIND_OF.items()}
NUMERIC_CLASSES = frozenset({int, Uint, float})
ORDERED_CLASSES = frozenset({str, bytes, bool, Timestamp, Duration})
TYPE_VALUES: dict[str, TypeValue] = {kind.value: TypeValue(kind.value) for kind in Kind}


def kind_of(value: object) -> Kind:
    """Return the kind of a value; an error if it is none of ours, which means a binding was not plain JSON."""
    kind = KIND_OF.get(value.__class__)
    if kind is None:
        raise EvaluationError("foreign-value", "a binding holds a value that CEL has no type for")
    return kind


def checked_int(value: int) -> int:
    """Return the value, if it fits into 64 bits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("overflow", "the integer does not fit into 64 bits")


def checked_uint(value: int) -> Uint:
    """Return the value as an unsigned integer, if it fits into 64 bits."""
    if 0 <= value <= UINT_MAX:
        return Uint(value)
    raise EvaluationError("overflow", "the unsigned integer does not fit into 64 bits")


def checked_timestamp(nanoseconds: int) -> Timestamp:
    """Return a timestamp between the years 1 and 9999."""
    if TIMESTAMP_MIN <= nanoseconds <= TIMESTAMP_MAX:
        return Timestamp(nanoseconds)
    raise EvaluationError("out-of-range", "the timestamp lies outside the years 1 to 9999")


def checked_duration(nanoseconds: int) -> Duration:
    """Return a duration of at most some 10,000 years, protobuf's range."""
    if abs(nanoseconds) <= DURATION_MAX:
        return Duration(nanoseconds)
    raise EvaluationError("out-of-range", "the duration is longer than 10,000 years")


class Lazy:
    """A binding, or a value within a bound map, that is computed at first use; value or `EvaluationError` is kept.

    Belongs to one decision, and so to one thread. Exceptions of other kinds (a spent budget) are not kept.
    """

    __slots__ = ("_compute", "_computing", "_error", "_value")

    def __init__(self, compute: Callable[[], object]) -> None:
        """Keep what computes the value; nothing is computed yet."""
        self._compute: Callable[[], object] | None = compute
        self._computing = False
        self._error: EvaluationError | None = None
        self._value: object = None

    def force(self) -> object:
        """Return the value. Raises the kept `EvaluationError`; a value that needs itself is such an error."""
        compute = self._compute
        if compute is None:
            if self._error is not None:
                raise self._error.with_traceback(None)
            return self._value
        if self._computing:
            raise EvaluationError("needs-itself", "the value is computed from itself")
        self._computing = True
        try:
            self._value = compute()
        except EvaluationError as error:
            self._error = error
            self._compute = None
            raise
        finally:
            self._computing = False
        self._compute = None
        return self._value
