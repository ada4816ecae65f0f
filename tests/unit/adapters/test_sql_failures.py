"""What is told of each kind of failure, and which of them speak against a store."""

import sqlite3

import pytest
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InvalidRequestError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)

from usher.adapters.sql.failures import is_late, leaves_the_store_well, reason_of
from usher.adapters.sql.postgresql import NoAnswerError

SECRET = "ann@example.com"


class ServerError(Exception):
    """What PostgreSQL's driver raises: a text that quotes, and a SQLSTATE or none."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(f"DETAIL: Key (value)=({SECRET}) already exists")
        self.sqlstate = sqlstate


def of_server(sqlstate: str | None, kind: type[DBAPIError] = OperationalError) -> DBAPIError:
    """Return what SQLAlchemy makes of it."""
    return kind("SELECT 1", {"value": SECRET}, ServerError(sqlstate))


def of_sqlite(code: int, kind: type[DBAPIError] = OperationalError) -> DBAPIError:
    """Return what SQLAlchemy makes of an error of SQLite's."""
    error = sqlite3.OperationalError(SECRET)
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_X"
    return kind("SELECT 1", {"value": SECRET}, error)


@pytest.mark.parametrize(
    ("error", "reason", "is_well"),
    [
        (of_server("08006"), "it cannot be reached", False),
        (of_server("22P05", DataError), "it refuses a value", True),
        (of_server("23505", IntegrityError), "it refuses a value", True),
        (of_server("25006"), "it is read-only", False),
        (of_server("25P03"), "the transaction was left open for too long", False),
        (of_server("25P02"), "PostgreSQL failed (SQLSTATE 25P02)", False),
        (of_server("28P01"), "it refuses this user", False),
        (of_server("40001"), "it gave up on two transactions that waited for each other", True),
        (of_server("40P01"), "it gave up on two transactions that waited for each other", True),
        (of_server("42P01", ProgrammingError), "it has no such table or grants no access to it", False),
        (of_server("42501", ProgrammingError), "it has no such table or grants no access to it", False),
        (of_server("53300"), "it is out of disk, memory or connections", False),
        (of_server("55P03"), "another transaction holds what is needed", True),
        (of_server("57014"), "it was stopped, or the statement took too long", False),
        (of_server("57P01"), "it was stopped, or the statement took too long", False),
        (of_server("58030"), "its disk cannot be read or written", False),
        (of_server("XX000"), "PostgreSQL failed (SQLSTATE XX000)", False),
        (of_server(None), "it cannot be reached, or refuses this user or database", False),
        (of_server(None, DataError), "it refuses a value", True),
        (of_sqlite(sqlite3.SQLITE_BUSY), "another process locks the file", False),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "another process locks the file", False),
        (of_sqlite(sqlite3.SQLITE_FULL), "the disk is full", False),
        (of_sqlite(sqlite3.SQLITE_READONLY_DIRECTORY), "the file is read-only", False),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN_ISDIR), "the file cannot be opened", False),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), "the disk cannot be read or written", False),
        (of_sqlite(sqlite3.SQLITE_CORRUPT_INDEX, DatabaseError), "the file is damaged", False),
        (of_sqlite(sqlite3.SQLITE_NOTADB, DatabaseError), "the file is no SQLite database", False),
        (of_sqlite(sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, IntegrityError), "it refuses a value", True),
        (of_sqlite(sqlite3.SQLITE_ERROR), "SQLite failed (SQLITE_X)", False),
        (ProgrammingError("", {}, sqlite3.ProgrammingError(SECRET)), "SQLite failed (ProgrammingError)", False),
        (InvalidRequestError(SECRET), "it failed (InvalidRequestError)", True),
        (StatementError(SECRET, "SELECT 1", {}, ValueError(SECRET)), "it failed (StatementError)", True),
    ],
)
def test_each_kind_has_one_clause(error: SQLAlchemyError, reason: str, *, is_well: bool) -> None:
    """It tells what an admin can do something about, quotes nothing, and blames the store for what is the store's."""
    assert reason_of(error) == reason
    assert leaves_the_store_well(error) is is_well


def test_only_what_ran_out_of_time_is_late() -> None:
    """Of that, the caller's patience may be the reason."""
    no_answer = OperationalError("SELECT 1", {}, NoAnswerError("no answer in time"))
    assert reason_of(no_answer) == "it did not answer in time"
    assert not leaves_the_store_well(no_answer)
    assert is_late(no_answer)
    assert is_late(of_sqlite(sqlite3.SQLITE_BUSY))
    assert is_late(of_sqlite(sqlite3.SQLITE_BUSY_RECOVERY))
    for error in (of_sqlite(sqlite3.SQLITE_FULL), of_server("57014"), of_server(None), InvalidRequestError("")):
        assert not is_late(error)
