"""Writing many rows at once, as fast as each kind of database takes them.

Owns that difference. One thread: that of the load, within its transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.exc import DBAPIError

from usher.adapters.sql.database import SQLITE


def write_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Add rows with all columns of a table. Raises `SQLAlchemyError`."""
    if not rows:
        return
    if connection.dialect.name == SQLITE:
        connection.execute(insert(table), rows)
        return
    # A statement a row costs PostgreSQL ten times as much as a row of COPY, which SQLAlchemy does not know.
    errors = connection.dialect.loaded_dbapi.Error
    driver: Any = connection.connection.driver_connection
    names = [column.name for column in table.columns]
    command = f"COPY {table.name} ({', '.join(names)}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(command) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
    except errors as error:
        raise DBAPIError.instance(command, None, error, errors, dialect=connection.dialect) from None
