"""What can be told of any of our databases: its schema's version and its size; and how moments are told.

Owns these questions. Any thread.
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Text, column, func, select, table

from usher.adapters.sql.database import Database
from usher.adapters.sql.versions import version_table

_SIZE: Final = select(func.pg_database_size(func.current_database()))


def version_of(database: Database, connection: Connection) -> str:
    """Return the revision of the schema that lies there, '' for none."""
    version = table(version_table(database.store), column("version_num", Text)).c.version_num
    return str(connection.execute(select(version)).scalar() or "")


def size_bytes(database: Database, connection: Connection) -> int:
    """Return what a database takes on disk, SQLite's write-ahead log included."""
    if database.file is None:
        return int(connection.execute(_SIZE).scalar() or 0)
    parts = (database.file, database.file.with_name(f"{database.file.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def rfc3339(nanoseconds: int) -> str:
    """Return a moment to the second, in UTC."""
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
