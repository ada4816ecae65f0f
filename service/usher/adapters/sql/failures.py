"""What went wrong in a database, told without its own words, which may quote values.

Owns the kinds of failure that an admin can do something about. Pure; any thread.
"""

import sqlite3
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from usher.adapters.sql.sqlite import PRIMARY

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: "another process locks the file",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
}
# By SQLSTATE, else by its class (PostgreSQL's appendix on error codes).
_POSTGRESQL: Final = {
    "08": "it cannot be reached",
    "25006": "it is read-only",
    "25P03": "the transaction was left open for too long",
    "28": "it refuses this user",
    "40": "it gave up on two transactions that waited for each other",
    "42": "it has no such table or grants no access to it",
    "53": "it is out of disk, memory or connections",
    "55": "another transaction holds what is needed",
    "57": "it was stopped, or the statement took too long",
    "58": "its disk cannot be read or written",
}
_PASSING: Final = ("40", "55")


def reason_of(error: SQLAlchemyError) -> str:
    """Return what failed, in one clause."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if cause is None:
        return f"it failed ({type(error).__name__})"
    if isinstance(error, DataError | IntegrityError):
        return "it refuses a value"
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        known = _SQLITE.get(code & PRIMARY) if isinstance(code, int) else None
        return known or f"SQLite failed ({getattr(cause, 'sqlite_errorname', type(cause).__name__)})"
    if is_late(error):
        return "it did not answer in time"
    state = _sqlstate(error)
    if state:
        known = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
        return known or f"PostgreSQL failed (SQLSTATE {state})"
    # What a server says to a new connection comes without SQLSTATE, and in the server's language.
    return "it cannot be reached, or refuses this user or database"


def leaves_the_store_well(error: SQLAlchemyError) -> bool:
    """Say whether a call failed by itself or by meeting another one: nothing speaks against the next call."""
    state = _sqlstate(error)
    if isinstance(error, DataError | IntegrityError) or not isinstance(error, DBAPIError):
        return True
    return state is not None and state.startswith(_PASSING)


def is_late(error: SQLAlchemyError) -> bool:
    """Say whether it only took longer than the call had time."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(cause, "sqlite_errorcode", 0)
    is_busy = isinstance(cause, sqlite3.Error) and isinstance(code, int) and code & PRIMARY == sqlite3.SQLITE_BUSY
    return is_busy or getattr(cause, "is_late", False) is True


def _sqlstate(error: SQLAlchemyError) -> str | None:
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return state if isinstance(state, str) else None
