"""SQLite files: how they are opened, and what is told of files that cannot be used."""

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from tests.databases import ADD, COUNT, Opened, opened
from usher.adapters.sql.database import FAIL_FAST_SECONDS, Database, DatabaseOptions, url_of
from usher.engine import Patience, StoreError

NOBODY = 65_534


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Opened]:
    """Return an open database."""
    with opened(f"sqlite:///{(tmp_path / 'usher.db').as_posix()}") as store:
        yield store


def database_at(file: Path) -> Database:
    """Return a database whose file may not be there."""
    return Database(url_of(f"sqlite:///{file.as_posix()}", Path(), "ledger.url"), "ledger", DatabaseOptions())


def reason_at(file: Path) -> str:
    """Return why a file cannot be used."""
    database = database_at(file)
    try:
        with pytest.raises(StoreError) as raised, database.reading(database.patience()) as connection:
            connection.execute(COUNT)
    finally:
        database.close()
    return raised.value.reason


def test_every_connection_writes_ahead_and_waits_by_itself(store: Opened) -> None:
    """Journal and syncing are set on each one, also those opened while others are in use."""
    with (
        store.database.reading(Patience(5)) as one,
        store.database.reading(Patience(5)) as two,
        store.database.writing(Patience(7)) as three,
    ):
        connections = (one, two, three)
        found = [[pragma(connection, name) for connection in connections] for name in ("journal_mode", "synchronous")]
        waits = [pragma(connection, "busy_timeout") for connection in connections]
    assert found == [["wal"] * 3, [1] * 3]
    assert [isinstance(wait, int) and wait // 1000 for wait in waits] == [4, 4, 6]


def pragma(connection: Connection, name: str) -> object:
    """Return what a connection goes by."""
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_reading_goes_on_while_another_process_writes(store: Opened) -> None:
    """What is not committed is not seen, and nobody waits for it."""
    store.add(1)
    assert store.database.file is not None
    other = sqlite3.connect(store.database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO notes (id, note) VALUES (2, '')")
    try:
        with store.database.reading(Patience(0.05)) as connection:
            assert connection.execute(COUNT).scalar() == 1
    finally:
        other.close()


def test_a_file_whose_journal_must_change_waits_for_who_writes_it(tmp_path: Path) -> None:
    """A copy made by other programs, or two processes at the first start: SQLite itself would not wait there."""
    file = tmp_path / "usher.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE notes (id INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process locks the file"), database_at(file).reading(Patience(0.1)):
        pytest.fail("lent")
    ending = threading.Timer(0.2, other.close)
    ending.start()
    database = database_at(file)
    with database.reading(Patience(10)) as connection:
        assert connection.execute(COUNT).scalar() == 0
        assert pragma(connection, "journal_mode") == "wal"
    database.close()
    ending.join()


def test_opening_a_locked_file_costs_no_more_than_the_patience(store: Opened) -> None:
    """Not even the first look at a file waits longer, when its log must be put right by who has it for himself."""
    assert store.database.file is not None
    store.database.close()
    other = sqlite3.connect(store.database.file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE").close()
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreError, match="another process locks the file"), store.database.reading(Patience(0.1)):
        pytest.fail("lent")
    other.close()
    assert time.monotonic() - began < 2.0
    assert store.count() == 0


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "a?mode=memory.db", "a#b.db", "%41.db", "\u00e9\u4e2d.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    """What means something in a URL means nothing in a file's name."""
    file = tmp_path / name
    file.touch()
    database = Database(
        url_of("sqlite:///x.db", tmp_path, "ledger.url").set(database=str(file)), "ledger", DatabaseOptions()
    )
    with database.writing(database.patience()) as connection:
        connection.execute(text("CREATE TABLE notes (id INTEGER)"))
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert file.stat().st_size > 0


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    """An empty ledger in place of a lost one would give everything out once more."""
    assert reason_at(tmp_path / "usher.db") == "the file cannot be opened"
    assert reason_at(tmp_path / "nowhere" / "usher.db") == "the file cannot be opened"
    assert [*tmp_path.iterdir()] == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """It cannot be opened either."""
    assert reason_at(tmp_path) == "the file cannot be opened"


def test_garbage_is_no_database(tmp_path: Path) -> None:
    """It is told what it is, and left as it is."""
    file = tmp_path / "usher.db"
    file.write_bytes(b"no database at all " * 100)
    assert reason_at(file) == "the file is no SQLite database"
    assert file.read_bytes() == b"no database at all " * 100
    assert [*tmp_path.iterdir()] == [file]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Its pages do not fit each other any more."""
    file = tmp_path / "usher.db"
    with opened(f"sqlite:///{file.as_posix()}") as store:
        for number in range(50):
            store.add(number, "x" * 500)
    content = bytearray(file.read_bytes())
    content[4096:] = b"\x99" * (len(content) - 4096)
    file.write_bytes(content)
    assert reason_at(file) == "the file is damaged"


def test_a_full_disk_takes_writing_away_only(store: Opened) -> None:
    """The transaction is undone; what is there can be read."""
    store.add(1)

    def work(connection: Connection) -> None:
        # As SQLite meets a full disk, for this connection alone.
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").close()
        for number in range(2, 200):
            connection.execute(text("INSERT INTO notes VALUES (:id, :note)"), {"id": number, "note": "x" * 1000})

    with pytest.raises(StoreError, match="the disk is full"):
        store.write(work)
    assert not store.database.is_healthy
    assert store.count() == 1


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Be somebody whom permissions bind; root is not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder into which every user can look."""
    folder = Path(tempfile.mkdtemp(prefix="usher-sqlite-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_file_can_be_read_and_is_written_once_it_can_be(open_folder: Path) -> None:
    """Writing fails, is told why, and says nothing about reading; connections of that time are not kept."""
    url = f"sqlite:///{(open_folder / 'usher.db').as_posix()}"
    # Kept open by root, so that the log's files are there, as another process would.
    with opened(url) as root, root.database.reading(Patience()) as kept:
        root.add(1)
        kept.execute(COUNT)
        permit(open_folder, 0o444)
        with ordinary_user():
            database = database_at(open_folder / "usher.db")
            with database.reading(Patience(5)) as one, database.reading(Patience(5)) as two:
                assert [connection.execute(COUNT).scalar() for connection in (one, two)] == [1, 1]
            with pytest.raises(StoreError, match="the file is read-only"):
                add_second(database)
            with database.reading(Patience(5)) as connection:
                assert connection.execute(COUNT).scalar() == 1
        permit(open_folder, 0o666)
        with ordinary_user():
            time.sleep(FAIL_FAST_SECONDS)
            with database.writing(Patience(5)) as one, database.reading(Patience(5)) as two:
                one.execute(ADD, {"id": 2, "note": ""})
                assert two.execute(COUNT).scalar() == 1
            database.close()
        assert root.count() == 2


def permit(folder: Path, mode: int) -> None:
    """Change the permissions of all files in a folder."""
    for path in folder.iterdir():
        path.chmod(mode)


def add_second(database: Database) -> None:
    """Write one row."""
    with database.writing(Patience(5)) as connection:
        connection.execute(ADD, {"id": 2, "note": ""})


def test_a_file_nobody_may_read_is_told(open_folder: Path) -> None:
    """It cannot be opened."""
    file = open_folder / "usher.db"
    with opened(f"sqlite:///{file.as_posix()}") as store:
        store.add(1)
    file.chmod(0)
    with ordinary_user():
        assert reason_at(file) == "the file cannot be opened"


def test_a_file_that_is_put_right_is_used_without_a_restart(tmp_path: Path) -> None:
    """The service need not be told."""
    file = tmp_path / "usher.db"
    with opened(f"sqlite:///{file.as_posix()}") as store:
        store.database.close()
        aside = file.rename(tmp_path / "aside.db")
        with pytest.raises(StoreError, match="cannot be opened"):
            store.add(1)
        aside.rename(file)
        store.clock.skipped_seconds += FAIL_FAST_SECONDS
        store.add(1)
        assert store.count() == 1


def test_a_result_that_was_not_read_to_its_end_does_not_keep_the_past(store: Opened) -> None:
    """The next reader on that connection sees what was written meanwhile."""
    for number in range(300):
        store.add(number, "x" * 100)
    with store.database.reading(store.database.patience()) as connection:
        rows = connection.execute(text("SELECT id FROM notes"))
        rows.fetchone()
    store.add(1000)
    assert store.count() == 301
    rows.close()
