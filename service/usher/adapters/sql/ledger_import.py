"""Taking a list into the ledger: all of it or nothing, each value with its row of the audit.

Owns the transaction. It is one, so that no file is ever half imported; what is wrong with the file itself shows before
it begins. Whoever claims meanwhile waits for its end, on both databases, and what waits longer than
`ledger.timeout_seconds` fails as if the ledger were away. One thread, beside a service that runs.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Column, Connection, MetaData, Table, select

from usher.adapters.sql.database import Database
from usher.adapters.sql.directory_writing import write_rows
from usher.adapters.sql.ledger_keys import keep_from_writing, long_patience
from usher.adapters.sql.ledger_lists import Fault, Listed, ListFile
from usher.adapters.sql.ledger_tables import AUDIT, HOLDINGS
from usher.domain.bounded import bounded
from usher.engine import Owner

IMPORTED: Final = "import"
MAX_FAULTS: Final = 100
"""Faults that are told: a file of another kind has one in every line."""
_CHUNK_ROWS: Final = 1_000
_CHANGES: Final = Table(
    AUDIT.name, MetaData(), *(Column(column.name, column.type) for column in AUDIT.columns if column.name != "id")
)
"""The audit without its id, which the database gives."""

_Key = tuple[str, str]
"""A namespace's name and a value's key in it."""


@dataclass(slots=True)
class Imported:
    """What an import came to, or would have, had it not been refused.

    `held` are the lines whose value somebody else holds, in the ledger or further up in the file; `already` counts
    values that are their owner's as it is. Of `fault_count` faults the first ones are in `faults`. Of the values added,
    some may have no `@`, or an owner without an application.
    """

    added: int = 0
    already: int = 0
    held: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    is_refused: bool = False
    without_domain: int = 0
    without_application: int = 0

    def sound(self, rows: Iterator[Listed | Fault]) -> Iterator[Listed]:
        """Yield rows that have no fault, and keep count of the others."""
        for row in rows:
            if isinstance(row, Listed):
                yield row
                continue
            self.fault_count += 1
            if len(self.faults) < MAX_FAULTS:
                self.faults.append(row)


def import_list(
    database: Database, file: ListFile, *, skips_held: bool, clock: Callable[[], int] = time.time_ns
) -> Imported:
    """Take a file into the ledger. Raises `OSError` when it cannot be read, and `StoreError`.

    One faulty row refuses the whole file, and so does one value that somebody else holds, unless those are skipped. The
    ledger's keys must be those of the settings: see `require_agreement`.
    """
    looked = Imported()
    for _ in looked.sound(file.rows()):
        pass
    looked.is_refused = looked.fault_count > 0
    if looked.is_refused:
        return looked
    imported, now = Imported(), clock()
    with database.writing(long_patience(database)) as connection:
        keep_from_writing(connection, HOLDINGS)
        rows = imported.sound(file.rows())
        while chunk := list(itertools.islice(rows, _CHUNK_ROWS)):
            _take(connection, chunk, now, imported)
        # This was the second look at the file, and somebody may have changed it meanwhile.
        imported.is_refused = imported.fault_count > 0 or (not skips_held and bool(imported.held))
        if imported.is_refused:
            connection.rollback()
    return imported


def _take(connection: Connection, chunk: Sequence[Listed], now: int, imported: Imported) -> None:
    """Give out what is free of a chunk of rows."""
    keyed = [((row.namespace.name, bounded(row.namespace.key(row.value))), row) for row in chunk]
    holders = _holders(connection, [key for key, _ in keyed])
    free: list[tuple[_Key, Listed]] = []
    for key, row in keyed:
        holder = holders.get(key)
        if holder is None:
            holders[key] = row.owner
            free.append((key, row))
        elif holder == row.owner:
            imported.already += 1
        else:
            imported.held.append(row.line)
    if free:
        write_rows(connection, HOLDINGS, [_holding(key, row, now) for key, row in free])
        write_rows(connection, _CHANGES, [_change(row, now) for _, row in free])
    imported.added += len(free)
    imported.without_domain += sum("@" not in row.value for _, row in free)
    imported.without_application += sum(not row.owner.application for _, row in free)


def _holders(connection: Connection, keys: Sequence[_Key]) -> dict[_Key, Owner]:
    found: dict[_Key, Owner] = {}
    for name in {name for name, _ in keys}:
        wanted = [key for other, key in keys if other == name]
        held = select(HOLDINGS.c.key, HOLDINGS.c.application, HOLDINGS.c.subject)
        for key, application, subject in connection.execute(
            held.where(HOLDINGS.c.namespace == name, HOLDINGS.c.key.in_(wanted))
        ):
            found[name, key] = Owner(application, subject)
    return found


def _holding(key: _Key, row: Listed, now: int) -> dict[str, object]:
    namespace, compared = key
    owned = {"application": row.owner.application, "subject": row.owner.subject, "source": row.source}
    times = {"since": now if row.since is None else row.since, "seen": row.seen}
    return {"namespace": namespace, "key": compared, "value": row.value, **owned, **times}


def _change(row: Listed, now: int) -> dict[str, object]:
    owned = {"application": row.owner.application, "subject": row.owner.subject}
    return {
        "at": now,
        "action": IMPORTED,
        "namespace": row.namespace.name,
        "value": row.value,
        "reason": row.reason,
        **owned,
    }
