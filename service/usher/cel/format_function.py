"""`format` of the strings extension: `%s %d %f %e %b %o %x %X %%`, with a precision for `%f` and `%e`.

Pure but for the budget; any thread.
"""

from __future__ import annotations

import math
import re

from usher.cel.core_functions import double_text, to_string
from usher.cel.errors import EvaluationError
from usher.cel.limits import Budget
from usher.cel.operators import forced
from usher.cel.signatures import LIST, STRING, Library
from usher.cel.time_values import duration_text, timestamp_text
from usher.cel.values import Duration, Timestamp, TypeValue

library = Library()

_CLAUSE = re.compile(r"%(?:\.([0-9]{1,3}))?([a-zA-Z%])?")
_DEFAULT_PRECISION = 6


@library.function("format", (STRING, LIST), STRING, bounded=True)
def format_text(budget: Budget, template: str, arguments: list[object]) -> str:
    """Return the template with its clauses replaced by the arguments, in order; surplus arguments are ignored."""
    budget.work(len(template))
    pieces: list[str] = []
    end = used = 0
    for match in _CLAUSE.finditer(template):
        pieces.append(template[end : match.start()])
        end = match.end()
        budget.step()
        if match[0] == "%%":
            pieces.append("%")
            continue
        if used == len(arguments):
            raise EvaluationError("bad-format", "format() has more clauses than arguments")
        pieces.append(_clause(budget, match[2] or "", match[1], arguments[used]))
        budget.produce(len(pieces[-1]))
        used += 1
    budget.produce(len(template))
    return "".join((*pieces, template[end:]))


def _clause(budget: Budget, verb: str, precision: str | None, value: object) -> str:
    if precision is not None and verb not in {"e", "f"}:
        raise EvaluationError("bad-format", "only %f and %e take a precision")
    match verb:
        case "s":
            return _text(budget, value)
        case "d":
            return _decimal(value)
        case "f" | "e":
            return _number(value, f".{precision or _DEFAULT_PRECISION}{verb}")
        case "b" | "o":
            return _digits(value, verb)
        case "x" | "X":
            return _hexadecimal(budget, value, verb)
    raise EvaluationError("bad-format", "format() knows %s %d %f %e %b %o %x %X and %%")


def _unfit(verb: str) -> EvaluationError:
    return EvaluationError("bad-format", f"%{verb} is not defined for a value of this type")


def _special(value: object) -> str | None:
    return double_text(value) if isinstance(value, float) and not math.isfinite(value) else None


def _decimal(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return to_string(value)
    special = _special(value)
    if special is None:
        raise _unfit("d")
    return special


def _number(value: object, python_format: str) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _unfit(python_format[-1])
    return _special(value) or format(value, python_format)


def _digits(value: object, verb: str) -> str:
    if not isinstance(value, int) or (isinstance(value, bool) and verb == "o"):
        raise _unfit(verb)
    return format(int(value), verb)


def _hexadecimal(budget: Budget, value: object, verb: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return format(int(value), verb)
    if not isinstance(value, str | bytes):
        raise _unfit(verb)
    budget.produce(2 * len(value))
    text = value.encode("utf-8", "replace").hex() if isinstance(value, str) else value.hex()
    return text.upper() if verb == "X" else text


def _text(budget: Budget, value: object) -> str:
    """`%s`: lists and maps in full, a map's entries ordered by what their keys look like."""
    match value:
        case None:
            return "null"
        case str():
            return value
        case bytes():
            budget.produce(len(value))
            return value.decode("utf-8", "replace")
        case list():
            return "[" + ", ".join([_item(budget, item) for item in value]) + "]"
        case dict():
            entries = {_item(budget, key): _item(budget, forced(item)) for key, item in value.items()}
            return "{" + ", ".join(f"{key}: {entries[key]}" for key in sorted(entries)) + "}"
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return duration_text(value)
        case bool() | int() | float() | TypeValue():
            return to_string(value)
    raise _unfit("s")


def _item(budget: Budget, value: object) -> str:
    budget.step()
    text = _text(budget, value)
    budget.produce(len(text) + 2)
    return text


FORMAT_FUNCTIONS = library.functions()
