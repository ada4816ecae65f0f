"""Loading the directory: all users of a file as a new generation, or none of them.

Owns what makes a load fail and that a failed one leaves the generation before it in force. Reads row by row and commits
some thousand users at a time: neither memory nor a transaction grows with the file. One thread, in a command.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from usher.adapters.okta_users import BadRow, FoundUser, Row
from usher.adapters.sql.database import Database
from usher.adapters.sql.directory import SqlDirectory
from usher.adapters.sql.directory_generations import Clock, NewGeneration
from usher.adapters.sql.directory_keys import Keying
from usher.errors import UsherError

TOLD_ROWS: Final = 100
"""Bad rows that are told one by one; all others are counted."""
SMALLEST_SHARE: Final = 0.5
"""A load with less than this share of the users before it is taken for a file that broke off."""
_CHUNK_ROWS: Final = 5_000
_CHUNK_SECONDS: Final = 5.0
"""What comes from a pipe may be slow: what has come is written, and gives a sign of life."""


class BadRowsError(UsherError):
    """Rows that are no users; `rows` are the first of them, in order, `count` how many there are."""

    def __init__(self, rows: Sequence[BadRow], count: int) -> None:
        super().__init__(f"{count:,} bad row{'' if count == 1 else 's'}")
        self.rows = tuple(rows)
        self.count = count


class LoadRefusedError(UsherError):
    """The users are too few to be all of them; the text names the option that allows it."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a load may do, and whom it tells when it begins to index; `clock` gives nanoseconds since 1970."""

    allow_empty: bool = False
    allow_shrink: bool = False
    on_indexing: Callable[[], None] = lambda: None
    clock: Clock = time.time_ns


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load that went well: the number of its generation, users, seconds."""

    generation: int
    users: int
    seconds: float


def load(database: Database, rows: Iterable[Row], keying: Keying, source: str, options: LoadOptions) -> Loaded:
    """Load users and make them the current generation; `source` is what the rows come from, for people.

    Raises `BadRowsError`, `LoadRefusedError`, `LoadUnderWayError`, `LoadLostError`, `NoRoomError` and `StoreError`.
    Whatever is raised, by `rows` too: what was current stays so.
    """
    began = time.monotonic()
    before = SqlDirectory(database, keying).newest(database.patience())
    new = NewGeneration.begin(database, source, keying, options.clock)
    try:
        new.remove_old()
        filled = _fill(new, rows)
        options.on_indexing()
        _require_sound(new, filled)
        _require_enough(filled.users, before.users if before else 0, options)
        new.index_keys()
        new.make_current(filled.users)
    except BaseException:
        new.discard()
        raise
    return Loaded(new.number, filled.users, time.monotonic() - began)


@dataclass(slots=True)
class _Filled:
    """What was written, and what could not be."""

    users: int = 0
    bad: int = 0
    told: list[BadRow] = field(default_factory=list)


def _fill(new: NewGeneration, rows: Iterable[Row]) -> _Filled:
    """Write all users; goes on after a bad row, so that all are told at once."""
    filled = _Filled()
    for chunk in _chunks(rows):
        found = [row for row in chunk if isinstance(row, FoundUser)]
        bad = [row for row in chunk if isinstance(row, BadRow)]
        new.add(found)
        filled.users += len(found)
        filled.bad += len(bad)
        filled.told += bad[: TOLD_ROWS - len(filled.told)]
    return filled


def _require_sound(new: NewGeneration, filled: _Filled) -> None:
    new.index_ids()
    twice, count = new.twice(TOLD_ROWS)
    if filled.bad or count:
        again = [BadRow(line, "duplicate-id", f"line {first} has the same id") for line, first in twice]
        told = sorted([*filled.told, *again], key=lambda row: row.line)
        raise BadRowsError(told[:TOLD_ROWS], filled.bad + count)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    since = time.monotonic()
    for row in rows:
        chunk.append(row)
        if len(chunk) >= _CHUNK_ROWS or time.monotonic() - since >= _CHUNK_SECONDS:
            yield chunk
            chunk = []
            since = time.monotonic()
    if chunk:
        yield chunk


def _require_enough(users: int, before: int, options: LoadOptions) -> None:
    if not users and not options.allow_empty:
        raise LoadRefusedError("there are no users in it; --allow-empty loads it nevertheless")
    if users < before * SMALLEST_SHARE and users and not options.allow_shrink:
        # APPSEC: every login that is missing in an export that broke off would be given away.
        raise LoadRefusedError(f"{users:,} users after {before:,} before; --allow-shrink loads them nevertheless")
