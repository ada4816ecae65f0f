"""How the keys of each namespace are made: what the ledger knows of that, and what the settings ask for.

Owns the agreement between the two: a key made in another way would not meet its like, and a value would be given out
twice. `ledger_rekey` makes keys anew. One thread, at a start or for a command.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Table, delete, insert, select

from usher.adapters.sql.database import POSTGRESQL, Database, StoreSetupError
from usher.adapters.sql.ledger_tables import HOLDINGS, NAMESPACES
from usher.domain.fold import FOLD_VERSION
from usher.engine import Namespace, Patience

_LONG_SECONDS: Final = 3_600.0
_BLOCK: Final = "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE"


def require_agreement(database: Database, namespaces: Mapping[str, Namespace]) -> None:
    """Make sure that the ledger's keys are those the settings ask for; note namespaces that are new.

    Raises `StoreError`, and `StoreSetupError` when keys must be made anew first.
    """
    with database.reading(database.patience()) as connection:
        differing = differing_namespaces(connection, namespaces)
    if not differing:
        return
    with database.writing(database.patience()) as connection:
        # Several instances may start at once, and all but one find it done.
        keep_from_writing(connection, NAMESPACES)
        differing = differing_namespaces(connection, namespaces)
        held = [name for name in differing if _is_used(connection, name)]
        if held:
            named = ", ".join(held)
            message = f"the ledger {database.place} compares {named} otherwise than this version and these settings do"
            raise StoreSetupError(f"{message}; stop every service that uses it and run `usher ledger migrate`")
        note_keys(connection, [namespaces[name] for name in differing])


def differing_namespaces(connection: Connection, namespaces: Mapping[str, Namespace]) -> list[str]:
    """Return the namespaces whose keys were not made as they would be now, those without keys included."""
    made = {row.name: (row.fold_version, row.compare, row.ignoring) for row in connection.execute(select(NAMESPACES))}
    return [name for name, namespace in namespaces.items() if made.get(name) != _making(namespace)]


def note_keys(connection: Connection, namespaces: Sequence[Namespace]) -> None:
    """Put down that the keys of namespaces are made as they would be now."""
    for namespace in namespaces:
        version, compare, ignoring = _making(namespace)
        connection.execute(delete(NAMESPACES).where(NAMESPACES.c.name == namespace.name))
        row = {"name": namespace.name, "fold_version": version, "compare": compare, "ignoring": ignoring}
        connection.execute(insert(NAMESPACES), row)


def keep_from_writing(connection: Connection, *tables: Table) -> None:
    """Let nobody else write tables before the transaction ends. On SQLite that is so anyway; reading goes on."""
    if connection.dialect.name == POSTGRESQL:
        for table in tables:
            connection.exec_driver_sql(_BLOCK.format(table.name))


def long_patience(database: Database) -> Patience:
    """Return the patience for a transaction over some million rows; to begin one, nobody waits longer than for others.

    On SQLite patience is for the waiting alone, on PostgreSQL for all there is to do; there each statement has a bound
    of its own.
    """
    return database.patience() if database.is_sqlite else Patience(_LONG_SECONDS)


def told_making(namespace: Namespace) -> str:
    """Return how a namespace's keys are made, in words for the audit."""
    version, compare, ignoring = _making(namespace)
    return f"fold version {version}, compare {compare}, ignoring {ignoring}"


def _making(namespace: Namespace) -> tuple[int, str, str]:
    return FOLD_VERSION, namespace.compare, json.dumps(namespace.ignoring)


def _is_used(connection: Connection, name: str) -> bool:
    return connection.execute(select(HOLDINGS.c.key).where(HOLDINGS.c.namespace == name).limit(1)).first() is not None
