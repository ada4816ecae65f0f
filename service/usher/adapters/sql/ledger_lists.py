"""Files that are imported into the ledger: reserved values, leavers, and what `usher ledger export` wrote.

Owns how such a file is read: UTF-8, columns by their names, every fault by its line and in words that quote nothing of
the file. Reads a line at a time, however long the file is. One thread.
"""

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, Literal

from usher.adapters.csv_cells import BYTE_ORDER_MARK
from usher.adapters.sql.ledger_export import COLUMNS
from usher.adapters.sql.ledger_tables import LEAVER, RESERVED, SOURCES
from usher.cel import EvaluationError
from usher.cel.time_values import timestamp_from
from usher.domain.bounded import bounded
from usher.engine import Namespace, Owner
from usher.engine.stores import is_claimable

Kind = Literal["reserved", "leavers", "exported"]

NOBODY: Final = Owner("usher", "reserved")
"""Holds what nobody gets. No row is its: a row's application comes from Okta, whose ids look otherwise."""

_NEEDED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "reserved": ("value",),
    "leavers": ("value", "subject"),
    "exported": COLUMNS,
}
_DELIMITERS: Final = (",", ";", "\t")
"""A spreadsheet saves with the one its country's settings name."""
_MAX_LINE_BYTES: Final = 1024 * 1024
"""A file without line ends must not be read into memory whole."""
_MAX_NANOSECONDS: Final = 2**63 - 1

_Row = Mapping[str, str]
"""One row by its columns."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One row: a value and who is to hold it. `since` is None where the file has no say."""

    line: int
    namespace: Namespace
    value: str
    owner: Owner
    source: str
    reason: str
    since: int | None = None
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line."""

    line: int
    code: str
    message: str


class _FaultyRowError(Exception):
    """A row cannot be taken as it is."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _EndError(_FaultyRowError):
    """Nothing more can be read of the file."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """A file and how it is to be understood.

    `declared` are the namespaces of the settings, `namespace` is the one of rows that name none, `application` that of
    leavers whose row names none, and `reason` goes on record where a row gives none.
    """

    path: Path
    kind: Kind
    declared: Mapping[str, Namespace]
    namespace: Namespace
    application: str
    reason: str

    def rows(self) -> Iterator[Listed | Fault]:
        """Yield what each row says, or what is wrong with it, in the file's order; raises `OSError`."""
        with self.path.open("rb") as file:
            lines = _Lines(file)
            try:
                for columns, cells in self._rows(lines):
                    if any(map(str.strip, cells)):  # spreadsheets end in rows without content
                        yield self._understood(lines.begun, columns, cells)
            except _EndError as end:
                yield Fault(lines.begun, end.code, end.message)

    def _rows(self, lines: "_Lines") -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """Yield each row with the names of its columns; none for a plain list."""
        text = iter(lines)
        first = next(text, "")
        columns, delimiter = self._header(first, is_marked=lines.is_marked)
        reader = csv.reader(text if columns else itertools.chain([first], text), delimiter=delimiter, strict=True)
        lines.begin_row(again=not columns)
        try:
            for cells in reader:
                yield columns, cells
                lines.begin_row()
        except csv.Error:
            raise _EndError("not-csv", "not CSV: quotes that do not match, or a cell without end") from None

    def _header(self, first: str, *, is_marked: bool) -> tuple[Sequence[str], str]:
        """Return the columns and what stands between cells; no columns for a plain list."""
        needed = _NEEDED[self.kind]
        for delimiter in _DELIMITERS:
            columns = tuple(cell.strip().lower() for cell in first.rstrip("\r\n").split(delimiter))
            columns = tuple(cell.removeprefix('"').removesuffix('"') for cell in columns)
            if all(columns.count(name) == 1 for name in needed):
                if self.kind == "exported" and is_marked:
                    message = "written by a spreadsheet or for one, which may change times and ids; export it anew"
                    raise _EndError("not-as-exported", message)
                return columns, delimiter
        if self.kind != "reserved":
            raise _EndError("bad-header", f"the first line must name the columns {', '.join(needed)}")
        return (), ","

    def _understood(self, line: int, columns: Sequence[str], cells: Sequence[str]) -> Listed | Fault:
        try:
            row = _named(columns, cells)
            return self._exported(line, row) if self.kind == "exported" else self._listed(line, row)
        except _FaultyRowError as error:
            return Fault(line, error.code, error.message)

    def _listed(self, line: int, row: _Row) -> Listed:
        value, reason = row["value"].strip(), row.get("reason", "").strip() or self.reason
        owner, source = NOBODY, RESERVED
        if self.kind == "leavers":
            application = row.get("application", "").strip() or self.application
            owner, source = Owner(bounded(application), bounded(row["subject"].strip())), LEAVER
        _require_sound(value, owner, reason)
        return Listed(line, self.namespace, value, owner, source, reason)

    def _exported(self, line: int, row: _Row) -> Listed:
        value, owner = row["value"], Owner(bounded(row["application"]), bounded(row["subject"]))
        _require_sound(value, owner, self.reason)
        namespace = self.declared.get(row["namespace"])
        if namespace is None:
            raise _FaultyRowError("unknown-namespace", "the settings declare no such namespace")
        if row["source"] not in SOURCES:
            raise _FaultyRowError("bad-source", f"source is none of {', '.join(SOURCES)}")
        seen = _nanoseconds(row["seen"]) if row["seen"] else None
        return Listed(line, namespace, value, owner, row["source"], self.reason, _nanoseconds(row["since"]), seen)


class _Lines:
    """The lines of a file as text; `begun` is the one on which the row under way begins, from 1."""

    def __init__(self, file: BinaryIO) -> None:
        self.begun = 1
        self.is_marked = False
        self._file = file
        self._read = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_MAX_LINE_BYTES + 1):
            self._read += 1
            self.is_marked = self.is_marked or (self._read == 1 and line.startswith(BYTE_ORDER_MARK))
            if len(line) > _MAX_LINE_BYTES:
                raise self._end("too-long", f"the line has more than {_MAX_LINE_BYTES} bytes")
            try:
                text = line.decode("utf-8-sig" if self._read == 1 else "utf-8")
            except UnicodeDecodeError:
                raise self._end("not-utf8", "not UTF-8; save the file as UTF-8") from None
            yield text

    def begin_row(self, *, again: bool = False) -> None:
        """Let a row begin with the next line, or with the last one `again`."""
        self.begun = max(1, self._read + (0 if again else 1))

    def _end(self, code: str, message: str) -> _EndError:
        self.begun = self._read
        return _EndError(code, message)


def _named(columns: Sequence[str], cells: Sequence[str]) -> _Row:
    if columns and len(cells) != len(columns):
        raise _FaultyRowError("columns", f"{len(cells)} cells where the header has {len(columns)}")
    if not columns and (len(cells) > 1 or any(mark in cells[0] for mark in _DELIMITERS)):
        message = "more than a value; if that is meant, the first line must name the columns, value among them"
        raise _FaultyRowError("columns", message)
    return dict(zip(columns or ("value",), cells, strict=True))


def _require_sound(value: str, owner: Owner, reason: str) -> None:
    if not value.strip():
        raise _FaultyRowError("no-value", "the row has no value")
    if not owner.subject.strip():
        raise _FaultyRowError("no-subject", "the row has no subject")
    if not is_claimable(value) or "\0" in reason:
        raise _FaultyRowError("bad-value", "longer than any login, or with a character that no database takes")


@lru_cache(maxsize=1_000)
def _nanoseconds(text: str) -> int:
    """Return a moment that the file gives as nanoseconds since 1970."""
    with suppress(EvaluationError):
        found = timestamp_from(text).nanoseconds
        if 0 <= found <= _MAX_NANOSECONDS:
            return found
    raise _FaultyRowError("bad-time", "since and seen are written by RFC 3339, as in 2026-03-01T09:00:00Z")
