"""Schemas: from nothing to this version's, once, whoever begins; nothing older is served and nothing newer touched."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from tests.postgresql import Cluster
from usher.adapters.sql import versions
from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError, url_of
from usher.adapters.sql.ledger_tables import metadata
from usher.adapters.sql.versions import SchemaVersion, migrate, require_current, schema_version, version_table
from usher.engine import StoreError

# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 60.0
NEEDED = "0001"
FIRST = """
from alembic import op
import sqlalchemy as sa
revision = "0001"
down_revision = None
def upgrade():
    op.create_table("first", sa.Column("id", sa.Integer, primary_key=True))
"""
SECOND = """
from alembic import op
import sqlalchemy as sa
revision = "0002"
down_revision = "0001"
def upgrade():
    op.create_table("second", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO first (id) VALUES (1)")
    op.execute("INSERT INTO {table} (id) VALUES (1)")
"""


@contextmanager
def opened(url: str, store: str = "ledger") -> Iterator[Database]:
    """Open a database as it lies there."""
    database = Database(url_of(url, Path(), f"{store}.url"), store, DatabaseOptions())
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """Return a database of either kind without any schema, the file not even there."""
    with opened(store_url) as database:
        yield database


def tables(database: Database) -> set[str]:
    """Return the names of the tables that lie there."""
    with database.reading(database.patience()) as connection:
        return set(inspect(connection).get_table_names())


def execute(database: Database, statement: str) -> None:
    """Change what lies there."""
    with database.writing(database.patience()) as connection:
        connection.execute(text(statement))


def test_from_nothing_to_this_version(database: Database) -> None:
    """A migration makes everything, is told what it found, and finds nothing to do the next time."""
    assert schema_version(database) == SchemaVersion("", NEEDED)
    assert migrate(database) == SchemaVersion("", NEEDED)
    assert schema_version(database) == SchemaVersion(NEEDED, NEEDED)
    assert migrate(database) == SchemaVersion(NEEDED, NEEDED)
    assert require_current(database).is_current
    assert tables(database) == {*metadata.tables, version_table("ledger")}


def test_looking_changes_nothing(database: Database) -> None:
    """A file that is not there is not made."""
    assert not schema_version(database).is_current
    if database.file is not None:
        assert not database.file.exists()
    else:
        assert tables(database) == set()


def test_the_tables_are_those_the_code_uses(database: Database) -> None:
    """Columns, their order and whether they may be empty; a revision that forgets one would fail calls only."""
    migrate(database)
    with database.reading(database.patience()) as connection:
        for name, used in metadata.tables.items():
            made = inspect(connection).get_columns(name)
            assert [(column["name"], column["nullable"]) for column in made] == [
                (column.name, column.nullable) for column in used.columns
            ]


@pytest.mark.parametrize("found", [["9999"], ["0001", "9999"]])
def test_a_newer_schema_is_refused_and_not_touched(database: Database, found: list[str]) -> None:
    """It may mean what this version does not know; the error says what to do."""
    migrate(database)
    execute(database, "DELETE FROM ledger_version")
    with database.writing(database.patience()) as connection:
        for revision in found:
            connection.execute(text("INSERT INTO ledger_version (version_num) VALUES (:found)"), {"found": revision})
    expected = (
        f"the ledger {database.place} has schema {', '.join(found)}, which this version of Usher does not know "
        f"(it needs {NEEDED}): a newer version has changed it; use that one, or restore a backup"
    )
    for step in (schema_version, migrate, require_current):
        with pytest.raises(StoreSetupError) as raised:
            step(database)
        assert str(raised.value) == expected
    with database.reading(database.patience()) as connection:
        rows = connection.execute(text("SELECT version_num FROM ledger_version ORDER BY 1"))
        assert [*rows.scalars()] == found


def test_a_schema_that_becomes_newer_meanwhile_is_refused(database: Database, tmp_path: Path) -> None:
    """What was looked at before the lock is looked at again under it."""
    migrate(database)
    execute(database, "UPDATE ledger_version SET version_num = '9999'")
    with (
        pytest.raises(StoreSetupError, match="schema 9999, which this version of Usher does not know"),
        database.writing(database.patience()) as connection,
    ):
        versions._upgrade(database, connection, revisions(tmp_path, "first"))


def revisions(tmp_path: Path, table: str) -> ScriptDirectory:
    """Return two revisions, of which the second fails in the end if it writes into a table that is not there."""
    folder = tmp_path / f"versions_{table}"
    folder.mkdir()
    (folder / "v0001.py").write_text(FIRST, encoding="utf-8")
    (folder / "v0002.py").write_text(SECOND.replace("{table}", table), encoding="utf-8")
    return ScriptDirectory(folder, version_locations=[folder])


def test_a_migration_that_fails_changes_nothing(database: Database, tmp_path: Path) -> None:
    """Not even its first half, nor the table that holds the version; put right, it works."""
    if database.file is not None:
        database.file.touch()
    with pytest.raises(StoreError), database.writing(database.patience()) as connection:
        versions._upgrade(database, connection, revisions(tmp_path, "missing"))
    with opened(str(database.url.set(drivername=database.url.get_backend_name()))) as again:
        assert tables(again) == set()
        with again.writing(again.patience()) as connection:
            versions._upgrade(again, connection, revisions(tmp_path, "second"))
        assert tables(again) == {"first", "second", version_table("ledger")}


def test_an_older_schema_is_brought_up_step_by_step(database: Database, tmp_path: Path) -> None:
    """What lies there stays."""
    if database.file is not None:
        database.file.touch()
    both = revisions(tmp_path, "second")
    (tmp_path / "versions_second" / "v0002.py").rename(tmp_path / "v0002.py")
    one = ScriptDirectory(both.dir, version_locations=[both.dir])
    with database.writing(database.patience()) as connection:
        versions._upgrade(database, connection, one)
        connection.execute(text("INSERT INTO first (id) VALUES (7)"))
    (tmp_path / "v0002.py").rename(tmp_path / "versions_second" / "v0002.py")
    with database.writing(database.patience()) as connection:
        versions._upgrade(database, connection, ScriptDirectory(both.dir, version_locations=[both.dir]))
    with database.reading(database.patience()) as connection:
        assert [*connection.execute(text("SELECT id FROM first ORDER BY id")).scalars()] == [1, 7]
        assert connection.execute(text("SELECT version_num FROM ledger_version")).scalar() == "0002"


def test_a_file_is_brought_up_to_date_by_the_service(tmp_path: Path) -> None:
    """It belongs to this service alone."""
    with opened(f"sqlite:///{(tmp_path / 'usher.db').as_posix()}") as database:
        assert require_current(database) == SchemaVersion(NEEDED, NEEDED)


def test_an_administrator_says_when_a_server_is_changed(postgresql_url: str) -> None:
    """Other instances may use it: the service names the command and changes nothing."""
    with opened(postgresql_url) as database:
        with pytest.raises(StoreSetupError) as raised:
            require_current(database)
        assert str(raised.value) == (f"the ledger {postgresql_url}: there is no schema yet; run `usher ledger migrate`")
        assert tables(database) == set()
        migrate(database)
        assert require_current(database).is_current


def test_both_stores_may_share_a_database(store_url: str) -> None:
    """Each has its version to itself: the one's is not taken for the other's."""
    with opened(store_url) as ledger, opened(store_url, "directory") as directory:
        migrate(ledger)
        assert not schema_version(directory).found
        migrate(directory)
        assert schema_version(ledger).is_current
        assert schema_version(directory).is_current
        assert {version_table("ledger"), version_table("directory")} <= tables(ledger)


def test_threads_that_migrate_at_once_do_it_once(store_url: str) -> None:
    """Each finds the schema in place afterwards; none fails."""
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def run() -> None:
        try:
            with opened(store_url) as database:
                start.wait(PATIENCE_SECONDS)
                migrate(database)
                assert schema_version(database).is_current
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert failures == []


def test_processes_that_migrate_at_once_do_it_once(store_url: str) -> None:
    """As when several instances are told at the same moment."""
    script = """
import sys
from pathlib import Path
from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.versions import migrate, schema_version
url = url_of(sys.argv[1], Path(), "ledger.url")
# A service migrates its file with the patience of its calls; a server is migrated by a command, which has more.
options = DatabaseOptions(timeout_seconds=0.01) if url.drivername == "sqlite" else DatabaseOptions()
database = Database(url, "ledger", options)
print("ready", flush=True)
sys.stdin.readline()
migrate(database)
print(schema_version(database).found)
database.close()
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, store_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=PATIENCE_SECONDS) == (f"{NEEDED}\n", "")


def test_a_file_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """It names the file and what is wrong with it."""
    file = tmp_path / "nowhere" / "usher.db"
    with opened(f"sqlite:///{file.as_posix()}") as database, pytest.raises(StoreSetupError) as raised:
        require_current(database)
    assert str(raised.value) == f"the ledger {file} cannot be created: No such file or directory"


def test_a_file_that_is_something_else_is_a_clear_error(tmp_path: Path) -> None:
    """It names the file, and leaves it as it is."""
    file = tmp_path / "usher.db"
    file.write_bytes(b"no database at all " * 100)
    with opened(f"sqlite:///{file.as_posix()}") as database, pytest.raises(StoreSetupError) as raised:
        require_current(database)
    assert str(raised.value) == f"the ledger cannot be used: the file is no SQLite database: {file}"
    assert file.read_bytes() == b"no database at all " * 100


def test_a_server_that_is_down_is_a_clear_error(postgresql: Cluster, postgresql_url: str) -> None:
    """It names the place."""
    postgresql.stop()
    with opened(postgresql_url) as database, pytest.raises(StoreSetupError) as raised:
        require_current(database)
    assert str(raised.value) == (
        f"the ledger cannot be used: it cannot be reached, or refuses this user or database: {postgresql_url}"
    )


def test_only_the_service_may_read_a_new_file(tmp_path: Path) -> None:
    """Logins are nobody else's, in the write-ahead log neither, whatever the umask; Windows has the folder's rights."""
    with opened(f"sqlite:///{(tmp_path / 'usher.db').as_posix()}") as database:
        migrate(database)
        with database.reading(database.patience()):
            files = sorted(tmp_path.iterdir())
            assert [file.name for file in files] == ["usher.db", "usher.db-shm", "usher.db-wal"]
            assert os.name == "nt" or all(file.stat().st_mode & 0o077 == 0 for file in files)
