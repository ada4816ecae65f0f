"""What a load of the directory tells about claims: whose value became a user's, and whose never did.

Owns the mark `seen` and the freeing of claims that nothing ever came of. One thread, after a load; in transactions of
some hundred rows, so that claims of a running service wait for milliseconds only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from usher.adapters.sql.database import Database
from usher.adapters.sql.ledger_tables import AUDIT, CLAIM, HOLDINGS, REMEMBERED
from usher.engine import Namespace
from usher.engine.stores import Generation

EXPIRED: Final = "expired"
_CHUNK: Final = 300


@dataclass(frozen=True, slots=True)
class Settlement:
    """How many values were found with a known user for the first time, and how many were freed."""

    seen: int
    expired: int


def settle_claims(
    ledger: Database,
    users: Generation,
    namespaces: Mapping[str, Namespace],
    *,
    now: int,
    expire_before: int | None,
) -> Settlement:
    """Mark what a known user has by now; free what was claimed before a moment and has never been any user's.

    Moments are nanoseconds since 1970; None frees nothing. Raises `StoreError`; what was done until then stays.
    """
    seen = expired = 0
    for rows in _unseen(ledger, namespaces):
        held = users.holding([(namespaces[row.namespace], row.value) for row in rows])
        met = [row for row, found in zip(rows, held, strict=True) if found]
        lost = [
            row
            for row, found in zip(rows, held, strict=True)
            if not found and expire_before is not None and row.since < expire_before
        ]
        if met or lost:
            with ledger.writing(ledger.patience()) as connection:
                for row in met:
                    connection.execute(update(HOLDINGS).where(_is(row)).values(seen=now))
                expired += sum(_free(connection, row, now) for row in lost)
        seen += len(met)
    return Settlement(seen, expired)


def _unseen(ledger: Database, namespaces: Mapping[str, Namespace]) -> Iterator[Sequence[Row[tuple[object, ...]]]]:
    """Yield what decisions reserved and no load has shown, some hundred at a time."""
    wanted = and_(
        HOLDINGS.c.seen.is_(None),
        HOLDINGS.c.source.in_((CLAIM, REMEMBERED)),
        HOLDINGS.c.namespace.in_(sorted(namespaces)),
    )
    name = key = ""
    while True:
        after = or_(HOLDINGS.c.namespace > name, and_(HOLDINGS.c.namespace == name, HOLDINGS.c.key > key))
        ordered = select(HOLDINGS).where(wanted, after).order_by(HOLDINGS.c.namespace, HOLDINGS.c.key).limit(_CHUNK)
        with ledger.reading(ledger.patience()) as connection:
            rows = connection.execute(ordered).all()
        if not rows:
            return
        yield rows
        name, key = rows[-1].namespace, rows[-1].key


def _free(connection: Connection, row: Row[tuple[object, ...]], now: int) -> int:
    """Free a claim as it was read: a value that was released and claimed anew meanwhile is another claim."""
    freed = connection.execute(delete(HOLDINGS).where(_is(row), HOLDINGS.c.since == row.since)).rowcount
    if freed:
        connection.execute(insert(AUDIT), _note(row, now))
    return freed


def _is(row: Row[tuple[object, ...]]) -> ColumnElement[bool]:
    return and_(HOLDINGS.c.namespace == row.namespace, HOLDINGS.c.key == row.key)


def _note(row: Row[tuple[object, ...]], now: int) -> dict[str, object]:
    return {
        "at": now,
        "action": EXPIRED,
        "namespace": row.namespace,
        "value": row.value,
        "application": row.application,
        "subject": row.subject,
        "reason": "no load of the directory has shown it",
    }
