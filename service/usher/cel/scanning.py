"""The text of an expression made safe for the parser: literals decoded, comments blanked, brackets counted.

cel-python's grammar reads string literals with a regular expression that is exponential on an unclosed literal full
of backslashes, ends raw strings at the wrong quote, drops newlines and takes `1 inx` for `1 in x`. So literals are
read here, in linear time and as the specification says, and the parser sees a stand-in of the same length: places
stay true. Pure functions; any thread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from usher.cel.errors import CompileError, ExpressionProblem
from usher.cel.limits import Limits

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\n\f\r]+)
  | (?P<comment>//[^\n]*)
  | (?P<string>(?:[bB][rR]?|[rR])?(?:\"{3}|'{3}|"|'))
  | (?P<quoted>`[a-zA-Z0-9_.\-/ ]+`)
  | (?P<number>0x[0-9a-fA-F]+[uU]?|(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?[uU]?)
  | (?P<word>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<operator>&&|\|\||[=!<>]=|[-+*/%<>!?:.,])
    """,
    re.VERBOSE,
)
# The alternatives exclude each other, so no text makes them try twice. Possessive repetition would say so more plainly,
# but CPython 3.11.2, which Debian 12 ships, never matches it where a group ends in a lookahead.
_REST = {
    '"': re.compile(r'(?:[^"\\\n\r]|\\[^\n\r])*"'),
    "'": re.compile(r"(?:[^'\\\n\r]|\\[^\n\r])*'"),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*'''", re.DOTALL),
}
_RAW_REST = {
    '"': re.compile(r'[^"\n\r]*"'),
    "'": re.compile(r"[^'\n\r]*'"),
    '"""': re.compile(r'(?:[^"]|"(?!""))*"""'),
    "'''": re.compile(r"(?:[^']|'(?!''))*'''"),
}
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|)"
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_NOT_FIELDS = frozenset({"in", "true", "false", "null"})
_CONSTANTS = {"true": True, "false": False, "null": None}
_OCTAL, _HEXADECIMAL = 8, 16
_LAST_CODE_POINT = 0x10FFFF


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the parser gets (`text`) and what it must not see.

    Values of literals and `quoted` fields by their offset. Blanks in `text` stand outside of strings, or in comments.
    """

    text: str
    literals: dict[int, str | bytes | bool | None]
    quoted: dict[int, str]


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset; columns count code points."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def refusal(text: str, offset: int, message: str, code: str = "cel-syntax") -> CompileError:
    """Return the error for one problem at an offset."""
    line, column = place_of(text, offset)
    return CompileError((ExpressionProblem(code, message, line, column),))


def scan(text: str, limits: Limits) -> Scanned:
    """Read the text once from left to right. Raises `CompileError` with the first problem."""
    if len(text) > limits.length_chars:
        raise refusal(
            text, 0, f"the expression has {len(text)} characters, the limit is {limits.length_chars}", "too-long"
        )
    return _Scan(text, limits).run()


class _Scan:
    """One pass over one text; lives for one call of `scan`."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.text = text
        self.depth_limit = limits.depth
        self.clean: list[str] = []
        self.literals: dict[int, str | bytes | bool | None] = {}
        self.quoted: dict[int, str] = {}
        self.brackets: list[int] = []
        self.after_operand = False
        self.after_dot = False

    def run(self) -> Scanned:
        offset = 0
        while offset < len(self.text):
            match = _TOKEN.match(self.text, offset)
            if match is None:
                raise refusal(self.text, offset, "this character has no meaning here")
            kind = match.lastgroup or ""
            if kind in {"string", "quoted", "number", "word"}:
                self._operand(kind, match[0], offset)
            offset = self._take(kind, match)
        if self.brackets:
            opened = self.brackets[-1]
            raise refusal(self.text, opened, f"'{self.text[opened]}' is never closed")
        return Scanned("".join(self.clean), self.literals, self.quoted)

    def _take(self, kind: str, match: re.Match[str]) -> int:
        lexeme, offset = match[0], match.start()
        if kind == "string":
            return self._string(match)
        if kind in {"open", "close"}:
            self._bracket(kind, offset)
        if kind == "quoted":
            self.quoted[offset] = lexeme[1:-1]
            lexeme = "_" * len(lexeme)
        if kind == "word" and lexeme in _CONSTANTS and not self.after_dot:
            # A string of the same length: the grammar's own callback for `true` loses the place.
            self.literals[offset] = _CONSTANTS[lexeme]
            lexeme = '"' + "x" * (len(lexeme) - 2) + '"'
        if kind == "comment":
            lexeme = " " * len(lexeme)
        self.clean.append(lexeme)
        if kind not in {"space", "comment"}:
            self.after_operand = kind in {"close", "number", "quoted"} or (kind == "word" and lexeme != "in")
            self.after_dot = lexeme == "."
        return match.end()

    def _operand(self, kind: str, lexeme: str, offset: int) -> None:
        if kind == "word" and self.after_dot and lexeme in _NOT_FIELDS:
            raise refusal(self.text, offset, f"'{lexeme}' cannot be the name of a field here: write ['{lexeme}']")
        if kind == "quoted" and not self.after_dot:
            raise refusal(self.text, offset, "a name in backticks is only possible after a dot")
        if self.after_operand and not (kind == "word" and lexeme == "in"):
            raise refusal(self.text, offset, "expected an operator before this")

    def _bracket(self, kind: str, offset: int) -> None:
        if kind == "open":
            self.brackets.append(offset)
            if len(self.brackets) > self.depth_limit:
                raise refusal(self.text, offset, f"brackets are nested deeper than {self.depth_limit}", "too-deep")
            return
        if not self.brackets:
            raise refusal(self.text, offset, f"'{self.text[offset]}' closes nothing")
        opened = self.brackets.pop()
        if _CLOSES[self.text[opened]] != self.text[offset]:
            raise refusal(
                self.text, offset, f"expected '{_CLOSES[self.text[opened]]}', which closes '{self.text[opened]}'"
            )

    def _string(self, match: re.Match[str]) -> int:
        offset, opening = match.start(), match[0]
        prefix = opening.rstrip("\"'")
        quote = opening[len(prefix) :]
        raw = prefix[-1:] in {"r", "R"}
        rest = (_RAW_REST if raw else _REST)[quote].match(self.text, match.end())
        if rest is None:
            raise refusal(self.text, offset, "this string is never closed")
        body = rest[0][: -len(quote)]
        self.literals[offset] = self._decoded(body, match.end(), raw=raw, as_bytes=prefix[:1] in {"b", "B"})
        self.clean.append(prefix + quote + re.sub(r"[^\n\r]", "x", body) + quote)
        self.after_operand, self.after_dot = True, False
        return rest.end()

    def _decoded(self, body: str, offset: int, *, raw: bool, as_bytes: bool) -> str | bytes:
        pieces: list[str | bytes] = []
        end = 0
        for match in () if raw else _ESCAPE.finditer(body):
            pieces += [body[end : match.start()], self._escape(match, offset, as_bytes=as_bytes)]
            end = match.end()
        pieces.append(body[end:])
        try:
            if as_bytes:
                return b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)
        except UnicodeEncodeError:
            raise refusal(self.text, offset, "this text cannot be written as UTF-8") from None
        return "".join(piece for piece in pieces if isinstance(piece, str))

    def _escape(self, match: re.Match[str], offset: int, *, as_bytes: bool) -> str | bytes:
        simple, byte, short, long, octal = match.groups()
        if simple:
            return _SIMPLE.get(simple, simple)
        number = int(octal, _OCTAL) if octal else int(byte or short or long or "-1", _HEXADECIMAL)
        wrong = number < 0 or number > _LAST_CODE_POINT or "\ud800" <= chr(number) <= "\udfff"
        if wrong or (as_bytes and (short or long)):
            raise refusal(
                self.text, offset + match.start(), "this escape does not exist here; a backslash is written \\\\"
            )
        return bytes([number]) if as_bytes else chr(number)
