"""SQLite connections: one file with a write-ahead log, transactions that nobody else begins, and a bound on waiting.

Owns how a connection is opened and a piece of work begun. Any thread; one connection belongs to one thread at a time.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, ExceptionContext, event

_MAX_MILLISECONDS: Final = 2**31 - 1
_RETRY_SECONDS: Final = 0.005
PRIMARY: Final = 0xFF
"""Extended result codes keep the primary one in their lowest byte (SQLite's page on result codes)."""
_FILE_FAILED: Final = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
)
# NORMAL loses the last transactions with the machine's power, never the file (https://sqlite.org/wal.html).
_PRAGMAS: Final = ("journal_mode = WAL", "synchronous = NORMAL")


def connector(file: Path, left_seconds: Callable[[], float]) -> Callable[[], sqlite3.Connection]:
    """Return a function that opens connections; `left_seconds` says how long the calling thread may wait.

    A missing file is an error: an empty one in its place would look as if nobody held anything.
    """
    path = quote(file.absolute().as_posix(), safe="/:")
    uri = f"file://{'' if path.startswith('/') else '/'}{path}?mode=rw"

    def connect() -> sqlite3.Connection:
        # The module would begin transactions by itself; we say when, and of which kind.
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            _wait_at_most(connection, left_seconds())
            for pragma in _PRAGMAS:
                _set(connection, pragma, left_seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def _set(connection: sqlite3.Connection, pragma: str, left_seconds: Callable[[], float]) -> None:
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.OperationalError as error:
            # Two that begin the log of a new file at once: SQLite tells one of them at once, whatever it may wait.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or left_seconds() <= 0:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def watch(engine: Engine) -> None:
    """Let an engine open all connections anew when the file has failed one: what it was then, they would stay.

    A connection opened while the file was read-only, for example, never writes again.
    """

    @event.listens_for(engine, "handle_error")
    def tell(context: ExceptionContext) -> None:
        code = getattr(context.original_exception, "sqlite_errorcode", 0)
        if code & PRIMARY in _FILE_FAILED:
            context.is_disconnect = True


def begin(connection: Connection, left_seconds: float, *, writing: bool) -> None:
    """Begin a piece of work, one that writes by taking the file's lock; no statement waits longer for one than that."""
    driver = connection.connection.driver_connection
    if driver is not None:
        _wait_at_most(driver, left_seconds)
    if writing:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _wait_at_most(connection: sqlite3.Connection, seconds: float) -> None:
    milliseconds = int(min(max(0.0, seconds * 1000), _MAX_MILLISECONDS))
    connection.execute(f"PRAGMA busy_timeout = {milliseconds}").close()
