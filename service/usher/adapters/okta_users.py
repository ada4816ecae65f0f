"""Okta's users as they come in a file: NDJSON of its Users API, or CSV; row by row, whatever the file's size.

Owns what a row must be to become a known user, and how a bad one is told: by its line, never by its values. A user has
the shape of `GET /api/v1/users` (Okta's API reference, Users). One thread.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePath
from typing import BinaryIO, Final

from usher.engine import User
from usher.engine.known_users import BadUserError, user_from_json
from usher.errors import UsherError

MAX_LINE_BYTES: Final = 1024 * 1024
"""A user has some kilobytes; a file without line ends must not be read into memory whole."""
_JSON_SUFFIXES: Final = {".json", ".jsonl", ".ndjson"}
_DELIMITERS: Final = ",;\t"
_BOM: Final = b"\xef\xbb\xbf"
_MAX_NAME_CHARS: Final = 64


class UnreadableUsersError(UsherError):
    """The file cannot be read; the text is one clause that says why."""


@dataclass(frozen=True, slots=True)
class FoundUser:
    """A user, flat: `id`, `status`, `login` and what else is not null; `line` is where it begins, from 1."""

    line: int
    user: User


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no user, or what is wrong with the whole file."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class _Line:
    line: int
    text: str


Row = FoundUser | BadRow


class UserFile:
    """The rows of an open file, once. `name` may tell the format; `read_bytes` is how far it has been read."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.read_bytes = 0
        self._file = file
        self._is_json = PurePath(name).suffix.lower() in _JSON_SUFFIXES

    def rows(self) -> Iterator[Row]:
        """Yield every row but blank ones, in order; raises `UnreadableUsersError`."""
        lines = self._lines()
        first = next((line for line in lines if isinstance(line, BadRow) or line.text.strip()), None)
        if first is None:
            return
        start = first.text.lstrip()[0] if isinstance(first, _Line) else ""
        if start == "[":
            message = "a list can only be read whole; write one user a line, for example with jq -c '.[]'"
            yield BadRow(first.line, "json-list", message)
        elif self._is_json or start == "{":
            yield from _json_rows(chain([first], lines))
        elif isinstance(first, BadRow):
            yield first
        else:
            yield from _csv_rows(first, lines)

    def _lines(self) -> Iterator[_Line | BadRow]:
        number = 0
        while content := self._read_line():
            number += 1
            if len(content) > MAX_LINE_BYTES:
                while not content.endswith(b"\n") and (content := self._read_line()):
                    pass
                yield BadRow(number, "too-long", f"the line has more than {MAX_LINE_BYTES} bytes")
                continue
            try:
                yield _Line(number, (content.removeprefix(_BOM) if number == 1 else content).decode("utf-8"))
            except UnicodeDecodeError:
                yield BadRow(number, "not-utf8", "not UTF-8; save the file as UTF-8, and unpacked")

    def _read_line(self) -> bytes:
        try:
            content = self._file.readline(MAX_LINE_BYTES + 1)
        except OSError as error:
            raise UnreadableUsersError(f"cannot be read: {error.strerror or type(error).__name__}") from None
        self.read_bytes += len(content)
        return content


def _json_rows(lines: Iterator[_Line | BadRow]) -> Iterator[Row]:
    for line in lines:
        if isinstance(line, BadRow):
            yield line
        elif line.text.strip():
            try:
                yield FoundUser(line.line, _known(user_from_json(line.text)))
            except BadUserError as error:
                yield BadRow(line.line, error.code, str(error))


class _CsvText:
    """Lines as the csv module takes them; `begun` is the first line of the row under way, `bad` what it did not get."""

    def __init__(self, lines: Iterator[_Line | BadRow]) -> None:
        self.begun = 0
        self.bad: list[BadRow] = []
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.begun = self.begun or line.line
            if isinstance(line, BadRow):
                self.bad.append(line)
            yield "\n" if isinstance(line, BadRow) else line.text


def _csv_rows(first: _Line, lines: Iterator[_Line | BadRow]) -> Iterator[Row]:
    delimiter = max(_DELIMITERS, key=first.text.count)
    text = _CsvText(chain([first], lines))
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    names: Sequence[str] = ()
    while True:
        text.begun = 0
        fields = _fields(reader)
        yield from text.bad
        text.bad.clear()
        if fields is None:
            return
        if isinstance(fields, BadUserError):
            yield BadRow(text.begun, fields.code, str(fields))
        elif names:
            if any(map(str.strip, fields)):  # spreadsheets end in rows without content
                yield _csv_row(text.begun, names, fields)
        else:
            names = [field.strip() for field in fields]
            if wrong := _wrong_header(names):
                yield BadRow(text.begun, "bad-header", wrong)
                return


def _fields(reader: Iterator[list[str]]) -> list[str] | BadUserError | None:
    try:
        return next(reader, None)
    except csv.Error:
        message = f"not CSV: quotes that do not match, or a field of more than {csv.field_size_limit()} characters"
        return BadUserError("not-csv", message)


def _wrong_header(names: Sequence[str]) -> str:
    if missing := [name for name in ("id", "login") if name not in names]:
        return f"no column `{missing[0]}`; the first line names the attributes, id and login among them"
    if "" in names:
        return f"column {names.index('') + 1} has no name"
    twice = next((column for column, name in enumerate(names) if name in names[:column]), None)
    return "" if twice is None else f"column {twice + 1} has the name of an earlier one"


def _csv_row(line: int, names: Sequence[str], fields: Sequence[str]) -> Row:
    if len(fields) != len(names):
        return BadRow(line, "columns", f"{len(fields)} columns where the header has {len(names)}")
    try:
        # CSV cannot tell an empty text from none.
        return FoundUser(line, _known({name: field for name, field in zip(names, fields, strict=True) if field}))
    except BadUserError as error:
        return BadRow(line, error.code, str(error))


def _known(user: Mapping[str, object]) -> User:
    """Return what is kept of a user; raises `BadUserError`."""
    kept = {name: value for name, value in user.items() if value is not None}
    for name in ("id", "login"):
        value = kept.get(name)
        if not isinstance(value, str) or not value.strip():
            raise BadUserError(f"no-{name}", f"the user has no {name}")
    if not isinstance(kept.setdefault("status", ""), str):
        raise BadUserError("bad-value", "the status is not text")
    for name, value in kept.items():
        if not isinstance(value, str) and not _is_attribute(value):
            # APPSEC: a name that is none may be a person's.
            named = f"`{name}`" if name.isidentifier() and len(name) <= _MAX_NAME_CHARS else "an attribute"
            raise BadUserError("bad-value", f"{named} is neither text, number, boolean nor a list of these")
    return kept


def _is_attribute(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return _is_plain(value)


def _is_plain(value: object) -> bool:
    # NaN and infinity are no JSON, though Python reads them.
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
