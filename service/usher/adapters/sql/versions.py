"""The schema of a database: which version lies there, and how it becomes this one's.

Owns the use of Alembic, without its files and folders: revisions are modules of the package, found beside this one.
The only place where an SQLite file comes to be: whoever else opens one that is missing gets an error, not an empty one.
One thread at a time; a start or a command, never a call.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from usher.adapters.sql.database import Database, StoreSetupError
from usher.engine import Patience, StoreError

_PATIENCE_SECONDS: Final = 30.0
"""Nobody waits for an answer yet: a start may wait for another one's migration, and for a far server."""
_MIGRATING: Final = 0x75736865
"""An advisory lock of our own."""


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The revision that lies in a database, '' for none, and the one this version of Usher needs."""

    found: str
    needed: str

    @property
    def is_current(self) -> bool:
        """Whether nothing needs to be done."""
        return self.found == self.needed


def version_table(store: str) -> str:
    """Return the name of the table that holds the revision: one database may hold both stores, and other things."""
    return f"{store}_version"


def schema_version(database: Database) -> SchemaVersion:
    """Look at a database. Raises `StoreError`, and `StoreSetupError` when a newer Usher has changed it."""
    if database.file is not None and not database.file.exists():
        return _compared(database, (), _scripts(database.store))
    with database.reading(Patience(_PATIENCE_SECONDS)) as connection:
        options = {"version_table": version_table(database.store)}
        found = MigrationContext.configure(connection, opts=options).get_current_heads()
    return _compared(database, found, _scripts(database.store))


def migrate(database: Database) -> SchemaVersion:
    """Bring a database to this version's schema, in one transaction; return what lay there before.

    Raises `StoreError`, and `StoreSetupError` when there is none of this version's to be had.
    """
    before = schema_version(database)
    if not before.is_current:
        if database.file is not None:
            _create(database, database.file)
        with database.writing(Patience(_PATIENCE_SECONDS)) as connection:
            _upgrade(database, connection, _scripts(database.store))
    return before


def require_current(database: Database) -> SchemaVersion:
    """Make sure that a database has this version's schema.

    An SQLite file belongs to this service alone and is brought up to date; a PostgreSQL database may serve others that
    are not, so an admin says when. Raises `StoreSetupError`.
    """
    try:
        if database.is_sqlite:
            migrate(database)
        version = schema_version(database)
    except StoreError as error:
        raise StoreSetupError(f"{error}: {database.place}") from None
    if not version.is_current:
        what = f"schema {version.found} is too old" if version.found else "there is no schema yet"
        raise StoreSetupError(f"the {database.store} {database.place}: {what}; run `usher {database.store} migrate`")
    return version


def _compared(database: Database, found: Sequence[str], scripts: ScriptDirectory) -> SchemaVersion:
    version = SchemaVersion(", ".join(found), scripts.get_current_head() or "")
    if version.found and version.found not in {script.revision for script in scripts.walk_revisions()}:
        raise StoreSetupError(
            f"the {database.store} {database.place} has schema {version.found}, which this version of Usher does not "
            f"know (it needs {version.needed}): a newer version has changed it; use that one, or restore a backup"
        )
    return version


def _create(database: Database, file: Path) -> None:
    try:
        # APPSEC: it holds people's logins; SQLite gives the files of its log the same rights. Windows inherits the
        # folder's.
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreSetupError(f"the {database.store} {file} cannot be created: {error.strerror}") from None


def _scripts(store: str) -> ScriptDirectory:
    folder = Path(__file__).parent / f"{store}_versions"
    return ScriptDirectory(folder, version_locations=[folder])


def _upgrade(database: Database, connection: Connection, scripts: ScriptDirectory) -> None:
    if not database.is_sqlite:
        # Two instances that are told at once: the second finds the work done.
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))

    def steps(found: Sequence[str], _: object) -> list[RevisionStep]:
        # Again, now that nobody else can change it.
        _compared(database, found, scripts)
        return scripts._upgrade_revs("head", found)  # type: ignore[arg-type]  # noqa: SLF001 - as Alembic's commands do

    environment = EnvironmentContext(Config(), scripts, fn=steps)
    with environment:
        environment.configure(connection=connection, version_table=version_table(database.store))
        environment.run_migrations()
