"""The directory of known users as the settings describe it.

Owns the step from settings to a database and to what users are found by. Main thread; what is opened serves all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError, url_of
from usher.adapters.sql.directory import SqlDirectory
from usher.adapters.sql.directory_keys import Keying
from usher.adapters.sql.ledger_expiry import Settlement, settle_claims
from usher.adapters.sql.ledger_keys import require_agreement
from usher.adapters.sql.versions import require_current
from usher.bootstrap.ledger import ledger_database
from usher.bootstrap.marks import is_there, was_there
from usher.bootstrap.stores import namespaces_of
from usher.settings import LoadedSettings, Settings

_DAY: Final = 86_400 * 10**9
"""In nanoseconds."""


@contextmanager
def directory_database(loaded: LoadedSettings, options: DatabaseOptions) -> Iterator[Database]:
    """Lend the directory's database as it lies there, for as long as the block runs; raises `StoreSetupError`."""
    database = Database(url_of(loaded.settings.directory.url, loaded.folder, "directory.url"), "directory", options)
    try:
        yield database
    finally:
        database.close()


def keying_of(settings: Settings) -> Keying:
    """Return what known users are found by."""
    return Keying.of(namespaces_of(settings.ledger).values(), settings.directory.indexed)


def opened_directory(loaded: LoadedSettings, database: Database) -> SqlDirectory:
    """Return the directory, its schema that of this version; nobody is known before the first load.

    Raises `StoreSetupError`.
    """
    require_current(database)
    return SqlDirectory(database, keying_of(loaded.settings))


def require_no_loss(loaded: LoadedSettings, database: Database) -> None:
    """Make sure that users who were loaded are not lost: nobody would be known, and their logins be free.

    Raises `StoreSetupError`.
    """
    if not is_there(database) and was_there(loaded.settings.state.folder, database):
        raise StoreSetupError(
            f"the directory {database.place} is missing, and there was one: without it the logins of Okta's users "
            "would be given out. Run `usher directory load FILE`"
        )


def settled_claims(loaded: LoadedSettings, directory: SqlDirectory, *, now: int) -> Settlement | None:
    """Tell the ledger what a load showed, and free what has expired; None where there is no ledger yet.

    Raises `StoreError`, and `StoreSetupError` when the ledger is not one of these settings. `now` in nanoseconds since
    1970.
    """
    ledger = loaded.settings.ledger
    with ledger_database(loaded, DatabaseOptions()) as database:
        if database.file is not None and not database.file.exists():
            return None
        namespaces = namespaces_of(ledger)
        require_current(database)
        require_agreement(database, namespaces)
        users = directory.generation(directory.database.patience())
        before = now - ledger.expire_days * _DAY if ledger.expire_days else None
        return settle_claims(database, users, namespaces, now=now, expire_before=before)
