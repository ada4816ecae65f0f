"""CEL's strings extension, but for `format`.

Positions and lengths count code points. Pure but for the budget; any thread.
"""

from __future__ import annotations

from usher.cel.errors import EvaluationError
from usher.cel.limits import Budget
from usher.cel.operators import LIST_UNITS
from usher.cel.signatures import INT, LIST, STRING, Library

library = Library()

# Unicode's White_Space, which is what the extension's `trim` removes; Python's `strip()` takes four control
# characters more.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_TRANSLATED = 64  # beyond ASCII a character is looked up in a table: so many times slower than copying
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER = {code + 32: code for code in range(ord("A"), ord("Z") + 1)}
_QUOTED: dict[int, str] = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_QUOTED |= {ord(character): "\\" + letter for character, letter in zip('\a\b\f\n\r\t\v\\"', 'abfnrtv\\"', strict=True)}


def out_of_range() -> EvaluationError:
    """Return the error for a position outside the text."""
    return EvaluationError("out-of-range", "the position lies outside the text")


def _position(text: str, position: int) -> int:
    if not 0 <= position <= len(text):
        raise out_of_range()
    return position


@library.function("charAt", (STRING, INT), STRING)
def char_at(text: str, position: int) -> str:
    """Return the character at a position; '' at the very end."""
    start = _position(text, position)
    return text[start : start + 1]


@library.function("indexOf", (STRING, STRING, INT), INT, optional=1, bounded=True)
def index_of(budget: Budget, text: str, part: str, start: int = 0) -> int:
    """Where the part first stands, from `start` on; -1 if nowhere."""
    budget.work(len(text))
    return text.find(part, _position(text, start))


@library.function("lastIndexOf", (STRING, STRING, INT), INT, optional=1, bounded=True)
def last_index_of(budget: Budget, text: str, part: str, start: int | None = None) -> int:
    """Where the part last begins, not after `start`; -1 if nowhere."""
    budget.work(len(text))
    return text.rfind(part) if start is None else text.rfind(part, 0, _position(text, start) + len(part))


@library.function("join", (LIST, STRING), STRING, optional=1, bounded=True)
def join(budget: Budget, items: list[object], separator: str = "") -> str:
    """Return the strings of a list, one after the other."""
    budget.work(len(items))
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) != len(items):
        raise EvaluationError("no-such-overload", "join() is defined for lists of strings only")
    budget.produce(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _translated(budget: Budget, text: str, table: dict[int, int]) -> str:
    if not text.isascii():
        budget.work(len(text) * _TRANSLATED)
    return budget.text(text).translate(table)


@library.function("lowerAscii", (STRING,), STRING, bounded=True)
def lower_ascii(budget: Budget, text: str) -> str:
    """Return the text with A to Z in lower case; other letters stay."""
    return _translated(budget, text, _LOWER)


@library.function("upperAscii", (STRING,), STRING, bounded=True)
def upper_ascii(budget: Budget, text: str) -> str:
    """Return the text with a to z in capitals; other letters stay."""
    return _translated(budget, text, _UPPER)


@library.function("strings.quote", (STRING,), STRING, bounded=True)
def quote(budget: Budget, text: str) -> str:
    """Return the text as a CEL literal; what is no unicode becomes U+FFFD."""
    budget.work(_TRANSLATED * len(text))
    budget.produce(2 * len(text) + 2)
    return '"' + text.translate(_QUOTED) + '"'


@library.function("replace", (STRING, STRING, STRING, INT), STRING, optional=1, bounded=True)
def replace(budget: Budget, text: str, old: str, new: str, limit: int = -1) -> str:
    """With `new` in place of `old`, at most `limit` times if that is not negative."""
    budget.work(len(text))
    found = text.count(old)
    times = found if limit < 0 else min(found, limit)
    budget.produce(len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new, times)


@library.function("reverse", (STRING,), STRING, bounded=True)
def reverse(budget: Budget, text: str) -> str:
    """Back to front, by code point."""
    return budget.text(text)[::-1]


@library.function("split", (STRING, STRING, INT), LIST, optional=1, bounded=True)
def split(budget: Budget, text: str, separator: str, limit: int = -1) -> list[str]:
    """Return the parts between separators, at most `limit` if that is not negative; '' separates every character."""
    budget.work(len(text))
    parts = text.count(separator) + 1 if separator else len(text)
    if limit >= 0:
        parts = min(parts, limit)
    # A part costs Python some 60 bytes besides its characters.
    budget.produce(LIST_UNITS * (parts + 1) + len(text))
    if limit == 0:
        return []
    if separator:
        return text.split(separator, -1 if limit < 0 else limit - 1)
    if limit < 0 or limit >= len(text):
        return list(text) or [""]
    return [*text[: limit - 1], text[limit - 1 :]]


@library.function("substring", (STRING, INT, INT), STRING, optional=1, bounded=True)
def substring(budget: Budget, text: str, start: int, end: int | None = None) -> str:
    """From `start` up to, not including, `end`."""
    stop = len(text) if end is None else _position(text, end)
    if _position(text, start) > stop:
        raise out_of_range()
    return budget.text(text[start:stop])


@library.function("trim", (STRING,), STRING, bounded=True)
def trim(budget: Budget, text: str) -> str:
    """Without white space at either end."""
    return budget.text(text).strip(WHITE_SPACE)


TEXT_FUNCTIONS = library.functions()
