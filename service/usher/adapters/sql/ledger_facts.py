"""What can be told of a ledger without naming anybody: how many values, how old, how large.

Owns these questions. Any thread.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from usher.adapters.sql.database import Database
from usher.adapters.sql.database_facts import rfc3339, size_bytes, version_of
from usher.adapters.sql.ledger_tables import AUDIT, HOLDINGS, NAMESPACES
from usher.engine import Patience

_PROBE: Final = {"name": "?", "fold_version": 0, "compare": "", "ignoring": ""}
"""A row that is there for a moment only; no namespace can be named so."""


def count_holdings(database: Database, patience: Patience) -> int:
    """Return how many values are held; raises `StoreError`."""
    with database.reading(patience) as connection:
        return _count(connection)


def ledger_facts(database: Database, patience: Patience) -> Mapping[str, object]:
    """Return facts as JSON values; raises `StoreError`, also when the ledger can be read but not written."""
    with database.reading(patience) as connection:
        holdings = _count(connection)
        changed = connection.execute(select(AUDIT.c.at).order_by(AUDIT.c.id.desc()).limit(1)).scalar()
        version = version_of(database, connection)
        size = size_bytes(database, connection)
    with database.writing(patience) as connection:
        # What is read-only, full or locked by another process shows here. On a full disk an empty transaction succeeds,
        # and SQLite does not write what is as it was.
        connection.execute(insert(NAMESPACES), _PROBE)
        connection.execute(delete(NAMESPACES).where(NAMESPACES.c.name == _PROBE["name"]))
    return {
        "place": database.place,
        "schemaVersion": version,
        "holdings": holdings,
        "sizeBytes": size,
        "lastChange": rfc3339(changed) if isinstance(changed, int) else None,
    }


def _count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(HOLDINGS)).scalar() or 0
