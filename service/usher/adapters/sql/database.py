"""One SQL database: its connections, how long they may take, and what is remembered of the last failure.

Owns the promise that no call waits longer than its patience: after a failure calls of its kind, reading or writing,
fail at once for a second, then one of them tries. How each driver keeps to that is told in `sqlite` and `postgresql`.
Any thread. Errors carry the kind of failure and no data: what a database says may quote values.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from usher.adapters.sql import sqlite
from usher.adapters.sql.failures import is_late, leaves_the_store_well, reason_of
from usher.engine import Patience, StoreError
from usher.errors import UsherError

FAIL_FAST_SECONDS: Final = 1.0
UNHEALTHY_SECONDS: Final = 10.0
"""How long one failure speaks against a store when nothing has succeeded since."""

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
_SCHEMES: Final = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class StoreSetupError(UsherError):
    """A store cannot be used as it is set up or as it lies there; the text says what to do."""


class Meter(Protocol):
    """Counts failures of a store; any thread, never raises."""

    def store_failed(self, store: str) -> None:
        """Count one failed piece of work."""


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """How long a call may wait in seconds, how many connections are kept open, who counts failures.

    More threads than connections open more; they are never told to wait for one.
    """

    timeout_seconds: float = 60.0
    connections: int = 4
    meter: Meter | None = None


def url_of(text: str, folder: Path, setting: str) -> URL:
    """Return where a database is; an SQLite file's relative path starts at `folder`. Raises `StoreSetupError`."""
    url = _parsed(text)
    if url is None:
        raise StoreSetupError(f"{setting}: not a database URL, such as sqlite:///usher.db")
    if url.drivername not in _SCHEMES:
        message = f"{setting}: {url.drivername} is not supported; use sqlite:///file or postgresql://host/name"
        raise StoreSetupError(message)
    # APPSEC: settings are printed, kept in files and backed up: no place for a password.
    if url.password is not None or any("password" in name.lower() or "secret" in name.lower() for name in url.query):
        message = f"{setting}: a password has no place in the settings; set PGPASSWORD, or name a file by PGPASSFILE"
        raise StoreSetupError(message)
    url = url.set(drivername=_SCHEMES[url.drivername])
    if url.drivername != SQLITE:
        twice = [name for name, value in url.query.items() if not isinstance(value, str)]
        if twice:
            raise StoreSetupError(f"{setting}: {twice[0]} is given more than once")
        return url
    if not url.database or url.database == ":memory:" or url != URL.create(SQLITE, database=url.database):
        raise StoreSetupError(f"{setting}: SQLite needs a file and nothing else: sqlite:///usher.db")
    return url.set(database=str(folder / url.database))


def _parsed(text: str) -> URL | None:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class _Failure:
    """When work failed last, by the clock, and why."""

    at: float
    reason: str


class _Deadline(threading.local):
    """The moment until which this thread's work on one database may take."""

    until: float = math.inf


class Database:
    """Opens, lends and repairs connections. `store` is `ledger` or `directory`, and stands in every error.

    `clock` gives seconds that never go back.
    """

    def __init__(
        self, url: URL, store: str, options: DatabaseOptions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.url = url
        self.store = store
        self.is_sqlite = url.drivername == SQLITE
        self._options = options
        self._clock = clock
        self._deadline = _Deadline()
        # By kind of work: what cannot be written may well be read.
        self._failed: dict[bool, _Failure] = {}
        self._trying = {False: threading.Lock(), True: threading.Lock()}
        # SQLite's own waiting sleeps and starves some threads of one process for seconds; a lock hands over at once.
        self._turn = threading.Lock()
        self._engine = self._opened()
        # One statement needs no transaction, which on PostgreSQL would take two more round trips.
        self._reads = self._engine if self.is_sqlite else self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @property
    def place(self) -> str:
        """Where the database is, for people."""
        return str(self.file) if self.file else self.url.set(drivername=POSTGRESQL).render_as_string()

    @property
    def is_healthy(self) -> bool:
        """Whether neither reading nor writing has failed lately without succeeding since."""
        # A copy: other threads write meanwhile.
        return all(self._clock() - failed.at > UNHEALTHY_SECONDS for failed in list(self._failed.values()))

    def patience(self) -> Patience:
        """Return the full patience of one piece of work."""
        return Patience(self._options.timeout_seconds)

    @contextmanager
    def reading(self, patience: Patience) -> Iterator[Connection]:
        """Lend a connection for single statements. Raises `StoreError`."""
        with self._work(patience, writing=False) as connection:
            yield connection

    @contextmanager
    def writing(self, patience: Patience) -> Iterator[Connection]:
        """Lend a connection for one transaction: committed at the end, rolled back by an exception.

        Raises `StoreError`; an exception of the block itself goes through, whatever becomes of the roll-back.
        """
        with self._work(patience, writing=True) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection; later calls would open new ones."""
        self._engine.dispose()

    @contextmanager
    def _work(self, patience: Patience, *, writing: bool) -> Iterator[Connection]:
        until = self._clock() + patience.seconds
        turn = self._own_turn(until) if writing and self.is_sqlite else nullcontext()
        try:
            with self._admitted(writing=writing), turn, self._judged(until, writing=writing) as connection:
                yield connection
        finally:
            patience.seconds = until - self._clock()

    @contextmanager
    def _admitted(self, *, writing: bool) -> Iterator[None]:
        """Fail at once for a second after a failure; then let one call try while the others go on failing."""
        failed = self._failed.get(writing)
        if failed is None:
            yield
            return
        trying = self._trying[writing]
        if self._clock() < failed.at + FAIL_FAST_SECONDS or not trying.acquire(blocking=False):
            raise StoreError(self.store, f"{failed.reason}; that was a moment ago, and it is not asked again yet")
        try:
            yield
        finally:
            trying.release()

    @contextmanager
    def _own_turn(self, until: float) -> Iterator[None]:
        if not self._turn.acquire(timeout=min(max(0.0, until - self._clock()), threading.TIMEOUT_MAX)):
            raise self._counted("too many calls write at once")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _judged(self, until: float, *, writing: bool) -> Iterator[Connection]:
        """Remember how the work went, and tell a failure without what the database said."""
        given_seconds = until - self._clock()
        if given_seconds <= 0:
            raise self._counted("there was no time left to ask it")
        try:
            with self._lent(until, writing=writing) as connection:
                yield connection
        except SQLAlchemyError as error:
            failure = self._failure(error, given_seconds, writing=writing)
        else:
            self._failed.pop(writing, None)
            return
        _raise_alone(failure)

    @contextmanager
    def _lent(self, until: float, *, writing: bool) -> Iterator[Connection]:
        before, self._deadline.until = self._deadline.until, until
        try:
            connection = (self._engine if writing else self._reads).connect()
            try:
                if self.is_sqlite:
                    sqlite.begin(connection, self._left_seconds(), writing=writing)
                yield connection
                if writing:
                    connection.commit()
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                connection.close()
        finally:
            self._deadline.until = before

    def _left_seconds(self) -> float:
        return self._deadline.until - self._clock()

    def _failure(self, error: SQLAlchemyError, given_seconds: float, *, writing: bool) -> StoreError:
        reason = reason_of(error)
        # Who comes with his patience all but spent learns nothing about the database.
        had_time = not is_late(error) or given_seconds >= self._options.timeout_seconds / 2
        if had_time and not leaves_the_store_well(error):
            self._failed[writing] = _Failure(self._clock(), reason)
        return self._counted(reason)

    def _counted(self, reason: str) -> StoreError:
        if self._options.meter is not None:
            self._options.meter.store_failed(self.store)
        return StoreError(self.store, reason)

    def _opened(self) -> Engine:
        if self.file is not None:
            engine = self._pooled(sqlite.connector(self.file, self._left_seconds))
            sqlite.watch(engine)
            return engine
        try:
            from usher.adapters.sql import postgresql  # noqa: PLC0415 - the driver is an extra
        except ImportError:
            message = "PostgreSQL needs the extra of that name: pip install 'okta-usher[postgres]'"
            raise StoreSetupError(message) from None
        try:
            connector = postgresql.Connector(self.url, self._options.timeout_seconds, self._left_seconds)
        except ValueError as error:
            raise StoreSetupError(f"{self.place}: {error}") from None
        engine = self._pooled(connector.connect, use_native_hstore=False)
        connector.watch(engine)
        return engine

    def _pooled(self, connect: Callable[[], object], **options: bool) -> Engine:
        # APPSEC: no parameters in texts, in case one gets out in spite of all.
        pool = {"poolclass": QueuePool, "pool_size": self._options.connections, "max_overflow": -1}
        return create_engine(self.url, creator=connect, hide_parameters=True, **pool, **options)


def _roll_back(connection: Connection) -> None:
    """Undo what is open, or give the connection up: what went wrong before is what counts."""
    try:
        connection.rollback()
    except SQLAlchemyError:
        connection.invalidate()


def _raise_alone(failure: StoreError) -> NoReturn:
    """Raise without the exception that is being handled.

    APPSEC: `from None` only keeps that one from being shown; it quotes statements and values.
    """
    try:
        raise failure
    finally:
        failure.__context__ = None
