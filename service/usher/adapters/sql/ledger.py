"""The ledger in SQL: who holds which value, one holder per key, whatever threads, processes and machines do.

Owns the statements of a decision's transaction. The primary key makes claims exclusive; on PostgreSQL a lock on the
owner, taken first, makes a call and its repetition one after the other (SQLite has one writer at a time anyway). Any
thread; one transaction belongs to one.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ClauseElement, Connection, CursorResult, Dialect, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from usher.adapters.sql.database import Database
from usher.adapters.sql.ledger_tables import AUDIT, CLAIM, HOLDINGS, REMEMBERED
from usher.domain.bounded import bounded
from usher.engine import Namespace, Owner, Patience
from usher.engine.stores import Named

RELEASED: Final = "release"

_Mine = tuple[str, str, str]
"""Namespace, key and value."""

_MY_ROW: Final = (HOLDINGS.c.namespace == bindparam("namespace"), HOLDINGS.c.key == bindparam("key"))
_HOLDER: Final = select(HOLDINGS.c.application, HOLDINGS.c.subject).where(*_MY_ROW)
_HOLDERS: Final = select(HOLDINGS.c.key, HOLDINGS.c.application, HOLDINGS.c.subject).where(
    HOLDINGS.c.namespace == bindparam("namespace"), HOLDINGS.c.key.in_(bindparam("keys", expanding=True))
)
# Without a namespace: SQLite would go through all that is held in it rather than through what the owner holds. Locked,
# so that nobody releases on PostgreSQL what is about to be given again; SQLite has one writer at a time anyway.
_MINE: Final = (
    select(HOLDINGS.c.namespace, HOLDINGS.c.key, HOLDINGS.c.value)
    .where(HOLDINGS.c.subject == bindparam("subject"), HOLDINGS.c.application == bindparam("application"))
    .order_by(HOLDINGS.c.since.desc(), HOLDINGS.c.key)
    .with_for_update(read=True, key_share=True)
)
_FREE: Final = delete(HOLDINGS).where(
    *_MY_ROW, HOLDINGS.c.application == bindparam("application"), HOLDINGS.c.subject == bindparam("subject")
)
_TAKE: Final = {
    "sqlite": sqlite.insert(HOLDINGS).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(HOLDINGS).on_conflict_do_nothing(),
}
_RENEW: Final = update(HOLDINGS).where(*_MY_ROW).values(since=bindparam("now"))
_NOTE: Final = insert(AUDIT).values({column.name: bindparam(column.name) for column in AUDIT.c if column.name != "id"})
# Without the option SQLAlchemy closes the cursor first, and psycopg then counts -1, whether a row was inserted or not.
_COUNTED: Final = {"preserve_rowcount": True}
_LOCK: Final = select(func.pg_advisory_xact_lock(bindparam("number")))


class SqlLedger:
    """Remembers in a database. `clock` gives nanoseconds since 1970."""

    def __init__(self, database: Database, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.database = database
        self._clock = clock

    def holder(self, namespace: Namespace, value: str, patience: Patience) -> Owner | None:
        """Return who holds a value."""
        with self.database.reading(patience) as connection:
            return _holder(connection, namespace, value)

    @contextmanager
    def claims(self, owner: Owner, patience: Patience) -> Iterator["_SqlClaims"]:
        """Open the transaction of one decision."""
        with self.database.writing(patience) as connection:
            if not self.database.is_sqlite:
                _run(connection, _LOCK, {"number": _number_of(owner)})
            yield _SqlClaims(connection, owner, self._clock())


class _SqlClaims:
    """One open transaction."""

    def __init__(self, connection: Connection, owner: Owner, now: int) -> None:
        self._connection = connection
        self._now = now
        self._taken = 0
        self._owned = {"application": bounded(owner.application), "subject": bounded(owner.subject)}
        self._held: list[_Mine] | None = None

    def earlier(self, namespace: Namespace) -> tuple[str, ...]:
        """Return what the owner holds, newest first."""
        return tuple(value for name, _, value in self._mine() if name == namespace.name)

    def holders(self, values: Sequence[Named]) -> Sequence[Owner | None]:
        """Return who holds each value, what this transaction took included."""
        if len(values) == 1:
            return [_holder(self._connection, *values[0])]
        keys = [(namespace.name, bounded(namespace.key(value))) for namespace, value in values]
        found: dict[tuple[str, str], Owner] = {}
        for name in sorted({name for name, _ in keys}):
            wanted = [key for other, key in keys if other == name]
            for key, application, subject in self._connection.execute(_HOLDERS, {"namespace": name, "keys": wanted}):
                found[name, key] = Owner(application, subject)
        return [found.get(key) for key in keys]

    def take(self, values: Sequence[Named], reason: str) -> bool:
        """Take all values or none; they are the owner's newest from now on."""
        if len(values) == 1:
            return self._take(*values[0], reason)
        before = list(self._mine())
        undo = self._connection.begin_nested()
        # In one order everywhere: two decisions that want the same values must not wait for each other.
        for namespace, value in sorted(values, key=lambda named: named[0].name):
            if not self._take(namespace, value, reason):
                undo.rollback()
                self._held = before
                return False
        undo.commit()
        return True

    def give_up(self, values: Sequence[Named], reason: str) -> None:
        """Free values of the owner's own."""
        for namespace, value in values:
            key = bounded(namespace.key(value))
            freed = _run(self._connection, _FREE, {"namespace": namespace.name, "key": key, **self._owned})
            if freed.rowcount:
                self._note(RELEASED, namespace, value, reason)
            self._held = [mine for mine in self._mine() if mine[:2] != (namespace.name, key)]

    def _mine(self) -> list[_Mine]:
        """Return what the owner holds, newest first; read once, as nobody else takes for an owner who is locked."""
        if self._held is None:
            self._held = [(name, key, value) for name, key, value in _run(self._connection, _MINE, self._owned)]
        return self._held

    def _take(self, namespace: Namespace, value: str, reason: str) -> bool:
        key = bounded(namespace.key(value))
        within = [mine for mine in self._mine() if mine[0] == namespace.name]
        own = next((mine for mine in within if mine[1] == key), None)
        if own is None:
            own = (namespace.name, key, value)
            if not self._insert(own, CLAIM if reason else REMEMBERED):
                return False
            self._note(CLAIM if reason else REMEMBERED, namespace, value, reason)
        elif own is not within[0]:
            _run(self._connection, _RENEW, {"namespace": namespace.name, "key": key, "now": self._moment()})
        self._held = [own, *(mine for mine in self._mine() if mine is not own)]
        return True

    def _insert(self, mine: _Mine, source: str) -> bool:
        namespace, key, value = mine
        row = {
            "namespace": namespace,
            "key": key,
            "value": value,
            "source": source,
            "since": self._moment(),
            "seen": None,
        }
        taken = _run(self._connection, _TAKE[self._connection.dialect.name], {**row, **self._owned})
        return taken.rowcount == 1

    def _moment(self) -> int:
        """Return one moment for the whole transaction; what it takes later is newer all the same."""
        self._taken += 1
        return self._now + self._taken - 1

    def _note(self, action: str, namespace: Namespace, value: str, reason: str) -> None:
        noted = {"at": self._now, "action": action, "namespace": namespace.name, "value": value, "reason": reason}
        _run(self._connection, _NOTE, {**noted, **self._owned})


def _holder(connection: Connection, namespace: Namespace, value: str) -> Owner | None:
    wanted = {"namespace": namespace.name, "key": bounded(namespace.key(value))}
    row = _run(connection, _HOLDER, wanted).first()
    return Owner(*row) if row else None


def _run(connection: Connection, statement: ClauseElement, given: dict[str, Any]) -> "CursorResult[*tuple[Any, ...]]":
    """Run a statement; its text is made once, where SQLAlchemy would go through its parts for every call."""
    text, names = _text_of(statement, connection.dialect)
    parameters = tuple(given[name] for name in names) if names else given
    return connection.exec_driver_sql(text, parameters, execution_options=_COUNTED)


@lru_cache(maxsize=64)
def _text_of(statement: ClauseElement, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    """Return a statement as a driver takes it, with its parameters in their order, none where they are named."""
    compiled = statement.compile(dialect=dialect)
    return str(compiled), tuple(getattr(compiled, "positiontup", None) or ())


def _number_of(owner: Owner) -> int:
    """Return the number of an owner's lock; two owners with one number only wait for each other."""
    text = f"{owner.application}\0{owner.subject}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)
