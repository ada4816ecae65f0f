"""Making the keys of a namespace anew, when the fold or the settings compare otherwise than they did.

Owns what becomes of values that are the same now: of one owner, the newest stays; of different owners, they collide,
and nothing is done. The rows stay in the database, in tables of the connection's own, however many there are. One
thread, for a command; no service may run meanwhile, as it would go on with the old keys.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
)

from usher.adapters.sql.database import Database
from usher.adapters.sql.directory_writing import write_rows
from usher.adapters.sql.ledger_keys import (
    differing_namespaces,
    keep_from_writing,
    long_patience,
    note_keys,
    told_making,
)
from usher.adapters.sql.ledger_tables import AUDIT, HOLDINGS, NAMESPACES
from usher.domain.bounded import bounded
from usher.engine import Namespace, Owner

REKEYED: Final = "rekey"
MERGED: Final = "merge"
_MERGED_INTO: Final = "the same as a newer value of its owner, as the namespace compares now"
_PAGE_ROWS: Final = 5_000

_AUDITED: Final = ("at", "action", "namespace", "value", "application", "subject", "reason")
_temporary = MetaData()
_CHANGED: Final = Table(
    "usher_changed_keys",
    _temporary,
    Column("namespace", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("new_key", Text, nullable=False),
    prefixes=["TEMPORARY"],
)
_MOVED: Final = Table(
    "usher_moved_holdings",
    _temporary,
    *(Column(column.name, column.type) for column in HOLDINGS.columns),
    Column("old_key", Text),
    Column("rank", Integer),
    prefixes=["TEMPORARY"],
)
_OWN: Final = (_CHANGED, _MOVED)
_AFTER: Final = (
    select(HOLDINGS, func.coalesce(_CHANGED.c.new_key, HOLDINGS.c.key).label("new_key"))
    .select_from(
        HOLDINGS.outerjoin(
            _CHANGED, and_(_CHANGED.c.namespace == HOLDINGS.c.namespace, _CHANGED.c.key == HOLDINGS.c.key)
        )
    )
    .subquery("after")
)
"""All holdings, with the keys they should have."""


@dataclass(frozen=True, slots=True)
class Collision:
    """Values that different owners hold, and that are the same to a namespace as the settings have it now."""

    namespace: str
    holders: tuple[tuple[str, Owner], ...]


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What came of one namespace: how many keys were made anew, and how many values fell together with another."""

    namespace: str
    changed: int
    merged: int


def rekey(
    database: Database, namespaces: Mapping[str, Namespace], *, clock: Callable[[], int] = time.time_ns
) -> tuple[Rekeyed, ...] | tuple[Collision, ...]:
    """Make keys anew where they differ from what the settings ask for, all in one transaction; raises `StoreError`.

    Returns what was done, nothing when all agreed; or what collides, and then nothing has changed.
    """
    with database.writing(long_patience(database)) as connection:
        keep_from_writing(connection, NAMESPACES, HOLDINGS)
        differing = [namespaces[name] for name in differing_namespaces(connection, namespaces)]
        for table in _OWN:
            table.create(connection, checkfirst=False)
        for namespace in differing:
            _find_changed(connection, namespace)
        collisions = tuple(found for namespace in differing for found in _collisions(connection, namespace.name))
        done: list[Rekeyed] = []
        if not collisions:
            done.extend(_remade(connection, namespace, clock()) for namespace in differing)
            note_keys(connection, differing)
        for table in _OWN:
            table.drop(connection, checkfirst=False)
    return collisions or tuple(done)


def _find_changed(connection: Connection, namespace: Namespace) -> None:
    """Fill the table of keys that are to be others."""
    wanted = select(HOLDINGS.c.key, HOLDINGS.c.value).where(HOLDINGS.c.namespace == namespace.name)
    ordered = wanted.order_by(HOLDINGS.c.key).limit(_PAGE_ROWS)
    rows = connection.execute(ordered).all()
    while rows:
        made = [(row.key, bounded(namespace.key(row.value))) for row in rows]
        changed = [{"namespace": namespace.name, "key": key, "new_key": new} for key, new in made if key != new]
        write_rows(connection, _CHANGED, changed)
        rows = connection.execute(ordered.where(HOLDINGS.c.key > rows[-1].key)).all()


def _collisions(connection: Connection, name: str) -> Iterator[Collision]:
    alike = (
        select(_AFTER.c.new_key)
        .where(_AFTER.c.namespace == name)
        .group_by(_AFTER.c.new_key)
        .having(or_(*(func.min(part) != func.max(part) for part in (_AFTER.c.application, _AFTER.c.subject))))
    )
    wanted = select(_AFTER.c.new_key, _AFTER.c.value, _AFTER.c.application, _AFTER.c.subject)
    ordered = wanted.where(_AFTER.c.namespace == name, _AFTER.c.new_key.in_(alike)).order_by(
        _AFTER.c.new_key, _AFTER.c.since, _AFTER.c.key
    )
    for _, rows in itertools.groupby(connection.execute(ordered), key=lambda row: row.new_key):
        yield Collision(name, tuple((row.value, Owner(row.application, row.subject)) for row in rows))


def _remade(connection: Connection, namespace: Namespace, now: int) -> Rekeyed:
    """Move what has another key, or company under the one it has, and put it down."""
    name = namespace.name
    connection.execute(insert(_MOVED).from_select([*HOLDINGS.c.keys(), "old_key", "rank"], _to_move(name)))
    here = _MOVED.c.namespace == name
    gone = select(_MOVED.c.old_key).where(here)
    connection.execute(delete(HOLDINGS).where(HOLDINGS.c.namespace == name, HOLDINGS.c.key.in_(gone)))
    stays, falls = and_(here, _MOVED.c.rank == 1), and_(here, _MOVED.c.rank > 1)
    kept = select(*(_MOVED.c[column] for column in HOLDINGS.c.keys())).where(stays)  # noqa: SIM118 - no dictionary
    connection.execute(insert(HOLDINGS).from_select(HOLDINGS.c.keys(), kept))
    owned = (_MOVED.c.namespace, _MOVED.c.value, _MOVED.c.application, _MOVED.c.subject)
    fallen = select(literal(now), literal(MERGED), *owned, literal(_MERGED_INTO)).where(falls)
    connection.execute(insert(AUDIT).from_select(_AUDITED, fallen))
    anew = and_(stays, _MOVED.c.old_key != _MOVED.c.key)
    counted = select(func.count().filter(anew), func.count().filter(falls)).where(here)
    changed, merged = connection.execute(counted).one()
    if changed or merged:
        reason = f"{changed} keys made anew, {merged} values merged: {told_making(namespace)}"
        texts = {"value": "", "application": "", "subject": "", "reason": reason}
        connection.execute(insert(AUDIT), {"at": now, "action": REKEYED, "namespace": name, **texts})
    return Rekeyed(name, changed, merged)


def _to_move(name: str) -> Select[Any]:
    """Select the holdings that do not stay as they are; of those that are the same now, the newest comes first."""
    key = _AFTER.c.new_key
    # What was answered last is the owner's value; that a load has shown any of them counts for it.
    rank = func.row_number().over(partition_by=key, order_by=(_AFTER.c.since.desc(), _AFTER.c.key.desc())).label("rank")
    seen = func.min(_AFTER.c.seen).over(partition_by=key).label("first_seen")
    company = func.count().over(partition_by=key).label("company")
    ranked = select(_AFTER, rank, seen, company).where(_AFTER.c.namespace == name).subquery()
    moved = {"key": ranked.c.new_key, "seen": ranked.c.first_seen}
    columns = [moved.get(column, ranked.c[column]) for column in HOLDINGS.c.keys()]  # noqa: SIM118 - no dictionary
    changes = or_(ranked.c.key != ranked.c.new_key, ranked.c.company > 1)
    return select(*columns, ranked.c.key.label("old_key"), ranked.c.rank).where(changes)
