"""A database of either kind for tests: opened with a small table, by a clock that can be put forward, counted.

Owns no expectation. What is opened is closed at the end of its block.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from usher.adapters.sql.database import Database, DatabaseOptions, url_of

STORE: Final = "ledger"
ADD: Final = text("INSERT INTO notes (id, note) VALUES (:id, :note)")
COUNT: Final = text("SELECT count(*) FROM notes")


@dataclass
class SkippingClock:
    """The real clock, put forward when a test would else wait."""

    skipped_seconds: float = 0.0

    def __call__(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic() + self.skipped_seconds


@dataclass
class CountingMeter:
    """Which stores failed, in order."""

    failed: list[str] = field(default_factory=list)

    def store_failed(self, store: str) -> None:
        """Count one failure."""
        self.failed.append(store)


@dataclass(frozen=True)
class Opened:
    """A database with the table `notes (id, note)`, the clock it goes by and the meter it tells."""

    database: Database
    clock: SkippingClock
    meter: CountingMeter

    def write(self, work: Callable[[Connection], object]) -> None:
        """Do something in one transaction."""
        with self.database.writing(self.database.patience()) as connection:
            work(connection)

    def add(self, number: int, note: str = "") -> None:
        """Write one row."""
        self.write(lambda connection: connection.execute(ADD, {"id": number, "note": note}))

    def count(self) -> int:
        """Return how many rows there are."""
        with self.database.reading(self.database.patience()) as connection:
            return int(connection.execute(COUNT).scalar_one())


@contextmanager
def opened(url: str, *, timeout_seconds: float = 5.0, connections: int = 4) -> Iterator[Opened]:
    """Open a database, creating its file and its table if they are not there."""
    location = url_of(url, Path(), "ledger.url")
    clock, meter = SkippingClock(), CountingMeter()
    options = DatabaseOptions(timeout_seconds, connections, meter)
    database = Database(location, STORE, options, clock=clock)
    if database.file is not None:
        database.file.touch()
    try:
        with database.writing(database.patience()) as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, note TEXT NOT NULL)"))
        yield Opened(database, clock, meter)
    finally:
        database.close()
