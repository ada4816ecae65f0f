"""The ledger as the settings describe it, opened and checked before anything is served.

Owns that an empty ledger never takes the place of one that was there: it would give out every login once more. Main
thread; what is opened serves all threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.ledger_keys import require_agreement
from usher.adapters.sql.versions import migrate, require_current, schema_version
from usher.bootstrap.marks import is_there, mark, was_there
from usher.bootstrap.stores import namespaces_of
from usher.engine import StoreError
from usher.settings import LoadedSettings


@contextmanager
def ledger_database(loaded: LoadedSettings, options: DatabaseOptions) -> Iterator[Database]:
    """Lend the ledger's database as it lies there, for as long as the block runs; raises `StoreSetupError`."""
    database = Database(url_of(loaded.settings.ledger.url, loaded.folder, "ledger.url"), "ledger", options)
    try:
        yield database
    finally:
        database.close()


def opened_ledger(loaded: LoadedSettings, database: Database) -> SqlLedger:
    """Return the ledger, ready to serve: of this version, compared as the settings say, and not lost.

    Creates an SQLite file at the first start only. Raises `StoreSetupError`.
    """
    state = loaded.settings.state.folder
    if not is_there(database) and was_there(state, database):
        raise StoreSetupError(
            f"the ledger {database.place} is missing, and there was one: without it every login would be given out "
            "once more. Restore it; or, to begin with an empty one, run `usher ledger migrate`"
        )
    require_current(database)
    try:
        require_agreement(database, namespaces_of(loaded.settings.ledger))
    except StoreError as error:
        raise StoreSetupError(f"{error}: {database.place}") from None
    mark(state, database)
    return SqlLedger(database)


@contextmanager
def existing_ledger(loaded: LoadedSettings) -> Iterator[Database]:
    """Lend the ledger to a command, beside a service that may run. Raises `StoreSetupError`.

    Neither makes a ledger nor brings one up to date: a slip in the URL must not look like a ledger that holds nothing.
    """
    with ledger_database(loaded, DatabaseOptions()) as database:
        if not is_there(database):
            raise StoreSetupError(
                f"there is no ledger {database.place} (ledger.url, from: {loaded.origins['ledger.url']}); a service "
                "creates it at its first start, `usher ledger migrate` at once"
            )
        try:
            version = schema_version(database)
        except StoreError as error:
            raise StoreSetupError(f"{error}: {database.place}") from None
        if not version.is_current:
            what = f"schema {version.found} is too old" if version.found else "there is no schema yet"
            raise StoreSetupError(f"the ledger {database.place}: {what}; run `usher ledger migrate`")
        yield database


def created_or_migrated(loaded: LoadedSettings, database: Database) -> str:
    """Bring the schema up to date, creating what is missing because an admin says so; return what lay there before."""
    found = migrate(database).found
    mark(loaded.settings.state.folder, database)
    return found
