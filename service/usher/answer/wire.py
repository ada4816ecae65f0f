"""From bytes to JSON, refusing whatever two readers could understand differently.

Owns what counts as parsable: UTF-8, no duplicate members, no NaN, no lone surrogates, a bounded depth. A profile read
one way here and another way by Okta would be a wrong answer. Pure functions; the decoder holds no request state.
"""

import json
import math
from collections.abc import Iterator
from typing import Final, NoReturn

from usher.errors import UsherError

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 20_000
"""Members and items in one body: a profile has a hundred. Judging far more of them would outlast Okta's patience."""
_MAX_NAME_CHARS: Final = 80


class NotParsableError(UsherError):
    """The body is not a JSON text this service reads; `code` says why, `line` and `column` where, 0 when unknown."""

    def __init__(self, code: str, message: str, line: int = 0, column: int = 0) -> None:
        self.code = code
        self.line = line
        self.column = column
        super().__init__(message)


def parse(body: bytes) -> object:
    """Return the JSON value of a body; raises `NotParsableError`, whose text quotes no value."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotParsableError("not-utf8", f"the body is not UTF-8 (byte {error.start})") from None
    try:
        value: object = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotParsableError("not-json", f"the body is not JSON: {error.msg}", error.lineno, error.colno) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # more digits than Python converts
        raise NotParsableError("not-a-number", "a number in the body has too many digits") from None
    # Fewer brackets than levels allowed cannot nest deeper; only an odd body is walked.
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > MAX_DEPTH and _depth_exceeds(value, MAX_DEPTH):
        raise _too_deep()
    # A value follows a comma or a bracket, so fewer of them cannot hold more; only an odd body is counted.
    if body.count(b",") + brackets >= MAX_VALUES and _count_exceeds(value, MAX_VALUES):
        raise NotParsableError("too-many-values", f"the body holds more than {MAX_VALUES} values")
    if b"\\u" in body and not _is_unicode(value):
        raise NotParsableError("not-unicode", "a text in the body holds half a surrogate pair")
    return value


def _too_deep() -> NotParsableError:
    return NotParsableError("too-deep", f"the body is nested deeper than {MAX_DEPTH} levels")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add() is for its effect
        raise NotParsableError("duplicate-member", f"the member {twice[:_MAX_NAME_CHARS]!r} stands twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise NotParsableError("not-a-number", f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotParsableError("not-a-number", "a number in the body is too large")
    return number


def _depth_exceeds(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(child, (list, dict)) for child in level)


def _count_exceeds(value: object, limit: int) -> bool:
    waiting = [value]
    count = 0
    while waiting:
        count += 1
        if count > limit:
            return True
        waiting.extend(_children(waiting.pop()))
    return False


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _is_unicode(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
