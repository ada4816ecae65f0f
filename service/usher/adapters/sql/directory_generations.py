"""A load's life in the database: begun beside the current generation, filled, made current in one row, or removed.

Owns who may load and what is removed when: one load at a time, told by its heartbeat, and no generation that a decision
under way may still be reading. Every step is a transaction of its own, so that readers and the disk see small ones. One
thread: that of the load. Machines that load into one database are expected to have one time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.schema import DropTable

from usher.adapters.okta_users import FoundUser
from usher.adapters.sql.database import FAIL_FAST_SECONDS, Database
from usher.adapters.sql.directory_keys import Keying, attribute_key
from usher.adapters.sql.directory_packing import Packing
from usher.adapters.sql.directory_room import require_room
from usher.adapters.sql.directory_tables import CURRENT, GENERATIONS, LOADING, READY, tables_of
from usher.adapters.sql.directory_writing import write_rows
from usher.engine import StoreError
from usher.errors import UsherError

SECOND: Final = 1_000_000_000
"""In nanoseconds."""
KEPT_SECONDS: Final = 60
"""How long a generation stays after it was replaced: no decision takes longer than a few seconds."""
SILENT_SECONDS: Final = 600
"""A load without a sign of life for this long is dead; PostgreSQL ends a single statement of one by then, too."""

Clock = Callable[[], int]


class LoadUnderWayError(UsherError):
    """Another load has not ended yet, or was killed a moment ago."""


class LoadLostError(UsherError):
    """This load was taken for dead and removed by another."""


class NewGeneration:
    """A generation that nobody reads yet; `number` is its id. All methods raise `StoreError`."""

    def __init__(self, database: Database, number: int, keying: Keying, clock: Clock) -> None:
        self.number = number
        self._database = database
        self._keying = keying
        self._clock = clock
        self._tables = tables_of(number)
        self._packing: Packing | None = None
        self._entries = 0

    @classmethod
    def begin(cls, database: Database, source: str, keying: Keying, clock: Clock = time.time_ns) -> "NewGeneration":
        """Note that a load is under way and make its tables; raises `LoadUnderWayError`."""
        now = clock()
        row = {
            "state": LOADING,
            "source": source,
            "started": now,
            "beat": now,
            "users": 0,
            "settings": keying.as_json(),
            "dictionary": b"",
        }
        with database.writing(database.patience()) as connection:
            _lock(connection)
            _refuse_a_second(connection, now)
            number = connection.execute(insert(GENERATIONS).returning(GENERATIONS.c.id), row).scalar_one()
            new = cls(database, number, keying, clock)
            for table in (new._tables.users, new._tables.entries):
                table.create(connection, checkfirst=False)
        return new

    def remove_old(self) -> None:
        """Remove generations nobody reads any more, and what dead loads have left."""
        unused = select(GENERATIONS.c.id).where(
            GENERATIONS.c.id != self.number,
            GENERATIONS.c.id.not_in(select(func.coalesce(CURRENT.c.generation, 0))),
            func.coalesce(GENERATIONS.c.replaced, 0) < self._clock() - KEPT_SECONDS * SECOND,
        )
        with self._database.reading(self._database.patience()) as connection:
            numbers = connection.execute(unused).scalars().all()
        for number in numbers:
            self._remove(number)

    def add(self, found: Sequence[FoundUser]) -> None:
        """Add users, none of them before, in one transaction; raises `LoadLostError` and `NoRoomError`."""
        if self._packing is None and found:
            self._packing = Packing.learned_from(each.user for each in found)
        users, entries = self._rows(found)
        self._entries += len(entries)
        require_room(self._database)
        with self._alive() as connection:
            write_rows(connection, self._tables.users, users)
            write_rows(connection, self._tables.entries, entries)

    def index_ids(self) -> None:
        """Make users findable by id, when all are there."""
        with self._alive() as connection:
            self._tables.by_id().create(connection)

    def index_keys(self) -> None:
        """Make users findable by everything else; raises `LoadLostError` and `NoRoomError`."""
        require_room(self._database, rows_to_index=self._entries)
        with self._alive() as connection:
            self._tables.by_key().create(connection)
        with self._alive() as connection:
            # PostgreSQL knows nothing of a new table and might read all of it, until its own analysis a minute later.
            for table in (self._tables.users, self._tables.entries):
                connection.execute(text(f"ANALYZE {table.name}"))

    def twice(self, limit: int) -> tuple[list[tuple[int, int]], int]:
        """Return the first lines whose id an earlier line has, each with that line, and how many there are.

        Needs the index by id. Two ids of one key would count as one id: at a million users, one load in 10⁷.
        """
        users = self._tables.users
        seen_first = (
            select(users.c.id_key, func.min(users.c.position).label("line"))
            .group_by(users.c.id_key)
            .having(func.count() > 1)
            .subquery()
        )
        again = (
            select(users.c.position, seen_first.c.line)
            .join(seen_first, users.c.id_key == seen_first.c.id_key)
            .where(users.c.position > seen_first.c.line)
        )
        with self._database.reading(self._database.patience()) as connection:
            lines = connection.execute(again.order_by(users.c.position).limit(limit)).all()
            count = connection.execute(select(func.count()).select_from(again.subquery())).scalar()
        return [(row.position, row.line) for row in lines], count or 0

    def make_current(self, users: int) -> None:
        """Switch: who asks from now on finds these users; raises `LoadLostError`."""
        now = self._clock()
        dictionary = self._packing.dictionary if self._packing else b""
        with self._database.writing(self._database.patience()) as connection:
            _lock(connection)
            self._note(connection, state=READY, loaded=now, users=users, dictionary=dictionary)
            replaced = GENERATIONS.c.id.in_(select(CURRENT.c.generation))
            connection.execute(update(GENERATIONS).where(replaced).values(replaced=now))
            connection.execute(update(CURRENT).values(generation=self.number))

    def discard(self) -> None:
        """Remove what was loaded so far; where that fails, the next load does it."""
        try:
            self._remove(self.number)
        except StoreError:
            time.sleep(FAIL_FAST_SECONDS)
            with suppress(StoreError):
                self._remove(self.number)

    def _rows(self, found: Sequence[FoundUser]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        users: list[dict[str, object]] = []
        entries: list[dict[str, object]] = []
        for line, user in ((each.line, each.user) for each in found):
            packed = self._packing.packed(user) if self._packing else b""
            id_key = attribute_key("id", str(user["id"]))
            users.append({"position": line, "id_key": id_key, "attributes": packed})
            entries.extend({"key": key, "position": line} for key in self._keying.keys_of(user))
        return users, entries

    @contextmanager
    def _alive(self) -> Iterator[Connection]:
        """Open a transaction that gives a sign of life."""
        with self._database.writing(self._database.patience()) as connection:
            self._note(connection)
            yield connection

    def _note(self, connection: Connection, **values: object) -> None:
        mine = update(GENERATIONS).where(GENERATIONS.c.id == self.number, GENERATIONS.c.state == LOADING)
        if not connection.execute(mine.values(beat=self._clock(), **values)).rowcount:
            raise LoadLostError(
                f"this load gave no sign of life for {SILENT_SECONDS // 60} minutes, and another has taken its place"
            )

    def _remove(self, number: int) -> None:
        unused = GENERATIONS.c.id.not_in(select(func.coalesce(CURRENT.c.generation, 0)))
        with self._database.writing(self._database.patience()) as connection:
            if self._database.is_sqlite:
                # Some builds write zeros over what is removed, all of it at once: room and time a full disk has not.
                connection.exec_driver_sql("PRAGMA secure_delete = FAST")
            if connection.execute(delete(GENERATIONS).where(GENERATIONS.c.id == number, unused)).rowcount:
                tables = tables_of(number)
                for table in (tables.entries, tables.users):
                    connection.execute(DropTable(table, if_exists=True))


def _lock(connection: Connection) -> None:
    """Let one load at a time begin or end; SQLite has one writer anyway."""
    connection.execute(select(CURRENT.c.id).with_for_update())


def _refuse_a_second(connection: Connection, now: int) -> None:
    alive = GENERATIONS.c.beat > now - SILENT_SECONDS * SECOND
    other = connection.execute(select(GENERATIONS).where(GENERATIONS.c.state == LOADING, alive)).first()
    if other is not None:
        raise LoadUnderWayError(
            f"a load of {other.source} has been under way since {_clock_time(other.started)}; if it was killed, "
            f"load again after {_clock_time(other.beat + SILENT_SECONDS * SECOND)}"
        )


def _clock_time(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // SECOND, UTC).strftime("%H:%M:%S UTC")
