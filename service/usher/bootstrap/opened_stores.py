"""Ledger and directory, opened for the service, with what watches over them.

Owns the order of opening and closing, and what is said of both at the start. Main thread; what is opened serves all
threads.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError
from usher.adapters.sql.directory import SqlDirectory
from usher.adapters.sql.directory_facts import directory_facts
from usher.adapters.sql.ledger_facts import count_holdings, ledger_facts
from usher.adapters.store_metrics import StoreMetrics
from usher.bootstrap.directory import directory_database, opened_directory, require_no_loss
from usher.bootstrap.ledger import ledger_database, opened_ledger
from usher.bootstrap.store_health import Facts, StoreWatch
from usher.bootstrap.stores import memory_stores
from usher.engine import StoreError, Stores
from usher.settings import LoadedSettings


@dataclass(frozen=True, slots=True)
class OpenedStores:
    """What decisions ask, who watches it, and what to say of it at the start."""

    stores: Stores
    watches: Mapping[str, StoreWatch]
    announced: tuple[str, ...]


@contextmanager
def opened_stores(loaded: LoadedSettings, metrics: StoreMetrics) -> Iterator[OpenedStores]:
    """Open both stores; they are closed at the end of the block. Raises `StoreSetupError`."""
    settings = loaded.settings
    options = DatabaseOptions(
        timeout_seconds=settings.ledger.timeout_seconds,
        # Workers, and the operations threads that look at how the stores are.
        connections=settings.server.threads + settings.server.operations_threads,
        meter=metrics,
    )
    with ledger_database(loaded, options) as ledger, directory_database(loaded, options) as users:
        kept = opened_ledger(loaded, ledger)
        require_no_loss(loaded, users)
        known = opened_directory(loaded, users)
        declared = replace(memory_stores(settings), timeout_seconds=settings.ledger.timeout_seconds)
        watches = {
            "ledger": StoreWatch(lambda: ledger_facts(ledger, ledger.patience()), lambda: ledger.is_healthy),
            "directory": StoreWatch(_directory_facts(known), lambda: users.is_healthy),
        }
        metrics.show(_gauges(watches["ledger"], watches["directory"]))
        try:
            announced = (_ledger_line(ledger), *_directory_lines(known))
        except StoreError as error:
            raise StoreSetupError(str(error)) from None
        yield OpenedStores(declared.over(kept, known), watches, announced)


def _directory_facts(directory: SqlDirectory) -> Callable[[], Facts]:
    def facts() -> Facts:
        told = directory_facts(directory, directory.database.patience())
        if told["settingsAgree"] is False:
            raise StoreError("directory", "it was loaded with other settings; load it again")
        return {**told, "ageSeconds": _age_seconds(told)}

    return facts


def _age_seconds(facts: Facts) -> float | None:
    loaded = facts["loaded"]
    return round(time.time() - datetime.fromisoformat(loaded).timestamp()) if isinstance(loaded, str) else None


def _ledger_line(ledger: Database) -> str:
    held = count_holdings(ledger, ledger.patience())
    return f"ledger      {ledger.place} ({_counted(held, 'value')} held)"


def _directory_lines(directory: SqlDirectory) -> Iterator[str]:
    facts = directory_facts(directory, directory.database.patience())
    users = facts["users"]
    if not isinstance(users, int) or facts["generation"] is None:
        yield f"directory   {facts['place']} (nobody is known; `usher directory load FILE` tells who is)"
    else:
        yield f"directory   {facts['place']} ({_counted(users, 'user')}, loaded {facts['loaded']})"
    if facts["settingsAgree"] is False:
        message = "was loaded with other settings: rules that need it fail until `usher directory load FILE`"
        yield f"WARNING: the directory {message}"


def _gauges(ledger: StoreWatch, directory: StoreWatch) -> dict[str, Callable[[], float]]:
    return {
        "usher_ledger_up": lambda: float(ledger.is_ready),
        "usher_ledger_holdings": lambda: ledger.number("holdings"),
        "usher_ledger_size_bytes": lambda: ledger.number("sizeBytes"),
        "usher_directory_up": lambda: float(directory.is_ready),
        "usher_directory_users": lambda: directory.number("users"),
        "usher_directory_age_seconds": lambda: directory.number("ageSeconds"),
    }


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
