"""What an administrator asks of the ledger, and the release of a value.

Owns these statements and their order. Reading lends a connection for one page at a time, so nobody who claims waits for
a reader, however slowly its output is read. Values are told to who asked for them and to nobody else: none stands in
an error. One thread per command, beside a service that runs.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, or_, select, true, tuple_

from usher.adapters.sql.database import Database
from usher.adapters.sql.ledger import RELEASED
from usher.adapters.sql.ledger_tables import AUDIT, HOLDINGS
from usher.domain.bounded import bounded
from usher.engine import Namespace, Owner
from usher.engine.stores import is_claimable

PAGE_ROWS: Final = 5_000
_NEWEST_FIRST: Final = (HOLDINGS.c.since.desc(), HOLDINGS.c.namespace, HOLDINGS.c.key)


@dataclass(frozen=True, slots=True)
class Holding:
    """A value that is held.

    `since` is when it came to be held, `seen` when a load of the directory first showed it, None for never; both in
    nanoseconds since 1970.
    """

    namespace: str
    value: str
    owner: Owner
    source: str
    since: int
    seen: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """An audit row: what became of a value, when (nanoseconds since 1970), whose it was, and why."""

    at: int
    action: str
    namespace: str
    value: str
    owner: Owner
    reason: str


@dataclass(frozen=True, slots=True)
class Sought:
    """Which holdings are meant; a filter that is left out lets everything through."""

    namespaces: Sequence[str] = ()
    sources: Sequence[str] = ()
    subject: str | None = None
    application: str | None = None

    def condition(self) -> ColumnElement[bool]:
        """Return it as SQL."""
        parts: list[ColumnElement[bool]] = [true()]
        if self.namespaces:
            parts.append(HOLDINGS.c.namespace.in_(self.namespaces))
        if self.sources:
            parts.append(HOLDINGS.c.source.in_(self.sources))
        if self.subject is not None:
            parts.append(HOLDINGS.c.subject == bounded(self.subject))
        if self.application is not None:
            parts.append(HOLDINGS.c.application == bounded(self.application))
        return and_(*parts)


def count(database: Database, sought: Sought) -> int:
    """Return how many holdings there are."""
    counted = select(func.count()).select_from(HOLDINGS).where(sought.condition())
    with database.reading(database.patience()) as connection:
        return connection.execute(counted).scalar_one()


def newest(database: Database, sought: Sought, limit: int | None = None) -> tuple[Holding, ...]:
    """Return holdings, the newest first."""
    return _holdings(database, select(HOLDINGS).where(sought.condition()).order_by(*_NEWEST_FIRST).limit(limit))


def pages(database: Database, sought: Sought) -> Iterator[tuple[Holding, ...]]:
    """Yield all holdings by namespace and key, some thousands at a time.

    Each page is as it was when it was read: what is claimed or released meanwhile may be in it or not, and no value is
    there twice.
    """
    ordered = select(HOLDINGS).where(sought.condition()).order_by(HOLDINGS.c.namespace, HOLDINGS.c.key).limit(PAGE_ROWS)
    rows = _rows(database, ordered)
    while rows:
        yield tuple(map(_holding, rows))
        rows = _rows(database, ordered.where(_beyond(rows[-1])))


def namespaces_held(database: Database) -> frozenset[str]:
    """Return the namespaces in which anything is held, whatever the settings declare today."""
    with database.reading(database.patience()) as connection:
        return frozenset(connection.execute(select(HOLDINGS.c.namespace).distinct()).scalars())


def find(database: Database, namespace: Namespace, value: str) -> tuple[Holding, ...]:
    """Return who holds a value: exactly as written, else as the namespace compares.

    A ledger whose keys were made in another way may keep the value under a key that is not asked for, or somebody
    else's under the one that is.
    """
    if not is_claimable(value):
        return ()
    within = HOLDINGS.c.namespace == namespace.name
    alike = _holdings(database, select(HOLDINGS).where(within, HOLDINGS.c.key == bounded(namespace.key(value))))
    if any(holding.value == value for holding in alike):
        return alike
    return _holdings(database, select(HOLDINGS).where(within, HOLDINGS.c.value == value)) or alike


def history_of_value(database: Database, namespace: Namespace, value: str) -> Iterator[Change]:
    """Yield what became of a value, however it was spelled, the oldest first; looks at every change there was."""
    key = namespace.key(value)
    # A value of ASCII letters that is the same has the key's local part in it; of all others only `key` can tell.
    local = key.rpartition("@")[0] or key
    others = _beyond_ascii(database)
    alike = or_(func.lower(AUDIT.c.value).contains(local, autoescape=True), others) if local.isascii() else others
    for change in _changes(database, and_(AUDIT.c.namespace == namespace.name, alike)):
        if namespace.key(change.value) == key:
            yield change


def history_of_subject(database: Database, subject: str) -> Iterator[Change]:
    """Yield what became of the values of an owner, in every application, the oldest first."""
    return _changes(database, AUDIT.c.subject == bounded(subject))


def release(
    database: Database,
    namespace: Namespace,
    value: str,
    *,
    reason: str,
    subject: str | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> tuple[Holding, ...]:
    """Free a value, or that of one owner only, and return who held it; nothing when nobody did.

    From the commit on anybody may claim it. A service that runs waits for this no longer than for a claim.
    """
    held = find(database, namespace, value)
    freed = [holding for holding in held if subject is None or holding.owner.subject == bounded(subject)]
    if not freed:
        return ()
    with database.writing(database.patience()) as connection:
        # Somebody else may have been faster since `find`: only what was still there was freed here.
        freed = [holding for holding in freed if connection.execute(_freeing(holding)).rowcount]
        for holding in freed:
            noted = {"at": clock(), "action": RELEASED, "namespace": holding.namespace, "value": holding.value}
            owned = {"application": holding.owner.application, "subject": holding.owner.subject}
            connection.execute(insert(AUDIT), {**noted, **owned, "reason": reason})
    return tuple(freed)


def _freeing(holding: Holding) -> Any:  # noqa: ANN401 - SQLAlchemy's delete is generic in what it returns
    owner = holding.owner
    return delete(HOLDINGS).where(
        HOLDINGS.c.subject == owner.subject,
        HOLDINGS.c.application == owner.application,
        HOLDINGS.c.namespace == holding.namespace,
        HOLDINGS.c.value == holding.value,
    )


def _beyond_ascii(database: Database) -> ColumnElement[bool]:
    if database.is_sqlite:
        return AUDIT.c.value.op("GLOB", is_comparison=True)("*[^\x01-\x7f]*")
    return func.octet_length(AUDIT.c.value) != func.char_length(AUDIT.c.value)


def _changes(database: Database, condition: ColumnElement[bool]) -> Iterator[Change]:
    ordered = select(AUDIT).where(condition).order_by(AUDIT.c.id).limit(PAGE_ROWS)
    rows = _rows(database, ordered)
    while rows:
        for row in rows:
            owner = Owner(row.application, row.subject)
            yield Change(row.at, row.action, row.namespace, row.value, owner, row.reason)
        rows = _rows(database, ordered.where(rows[-1].id < AUDIT.c.id))


def _holdings(database: Database, wanted: Select[Any]) -> tuple[Holding, ...]:
    return tuple(map(_holding, _rows(database, wanted)))


def _rows(database: Database, wanted: Select[Any]) -> Sequence[Row[Any]]:
    with database.reading(database.patience()) as connection:
        return connection.execute(wanted).all()


def _beyond(row: Row[Any]) -> ColumnElement[bool]:
    return tuple_(HOLDINGS.c.namespace, HOLDINGS.c.key) > (row.namespace, row.key)


def _holding(row: Row[Any]) -> Holding:
    return Holding(row.namespace, row.value, Owner(row.application, row.subject), row.source, row.since, row.seen)
