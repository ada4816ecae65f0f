"""Where a database is: what may stand in the settings, and what is told of what may not."""

from pathlib import Path

import pytest

from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError, url_of

SETTING = "ledger.url"
NO_URL = "ledger.url: not a database URL, such as sqlite:///usher.db"
NO_PASSWORD = "ledger.url: a password has no place in the settings; set PGPASSWORD, or name a file by PGPASSFILE"
FILE_ONLY = "ledger.url: SQLite needs a file and nothing else: sqlite:///usher.db"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", NO_URL),
        ("usher.db", NO_URL),
        ("/var/lib/usher.db", NO_URL),
        ("postgresql:host", NO_URL),
        ("postgresql://host:port/name", NO_URL),
        ("postgresql://usher@host:54x2/secret", NO_URL),
        ("mysql://host/name", "ledger.url: mysql is not supported; use sqlite:///file or postgresql://host/name"),
        (
            "sqlite+aiosqlite:///usher.db",
            "ledger.url: sqlite+aiosqlite is not supported; use sqlite:///file or postgresql://host/name",
        ),
        ("postgresql://usher:secret@host/name", NO_PASSWORD),
        ("postgresql://usher:@host/name", NO_PASSWORD),
        ("postgresql://host/name?password=secret", NO_PASSWORD),
        ("postgresql://host/name?sslpassword=secret", NO_PASSWORD),
        ("postgresql://host/name?PassWord=secret", NO_PASSWORD),
        ("postgresql://host/name?oauth_client_secret=secret", NO_PASSWORD),
        ("postgresql://host/name?host=a&host=b", "ledger.url: host is given more than once"),
        ("sqlite://", FILE_ONLY),
        ("sqlite:///", FILE_ONLY),
        ("sqlite:///:memory:", FILE_ONLY),
        ("sqlite:///usher.db?mode=ro", FILE_ONLY),
        ("sqlite://usher.db", FILE_ONLY),
        ("sqlite://folder/usher.db", FILE_ONLY),
        ("sqlite://somebody@/usher.db", FILE_ONLY),
    ],
)
def test_a_wrong_url_is_one_clear_line(text: str, expected: str) -> None:
    """It names the setting and what to do, never the secret; nor does what it came from."""
    with pytest.raises(StoreSetupError) as raised:
        url_of(text, Path(), SETTING)
    assert str(raised.value) == expected
    assert raised.value.__context__ is None


def place(text: str, folder: Path) -> str:
    """Return where a database is, as people are told."""
    database = Database(url_of(text, folder, SETTING), "ledger", DatabaseOptions())
    database.close()
    return database.place


def test_a_relative_file_lies_below_the_folder(tmp_path: Path) -> None:
    """That of the settings file, wherever the service is started."""
    assert place("sqlite:///usher.db", tmp_path) == str(tmp_path / "usher.db")
    assert place("sqlite:///a b/usher.db", tmp_path) == str(tmp_path / "a b" / "usher.db")


def test_an_absolute_file_stays_where_it_is(tmp_path: Path) -> None:
    """The folder does not matter then."""
    file = (tmp_path / "usher.db").as_posix()
    assert place(f"sqlite:///{file}", Path("elsewhere")) == str(tmp_path / "usher.db")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_server_is_told_without_its_driver(scheme: str) -> None:
    """All three ways to name PostgreSQL are one."""
    assert place(f"{scheme}://usher@host:5433/name?sslmode=verify-full", Path()) == (
        "postgresql://usher@host:5433/name?sslmode=verify-full"
    )


def test_several_hosts_and_sockets_are_libpqs_matter() -> None:
    """They stand in the query, as libpq reads them."""
    text = "postgresql:///name?host=%2Fvar%2Frun%2Fpostgresql&port=5433"
    assert place(text, Path()) == text
    assert url_of("postgresql:///name?host=a,b&port=1,2", Path(), SETTING).query == {"host": "a,b", "port": "1,2"}


def test_only_a_file_database_has_a_file(tmp_path: Path) -> None:
    """The other is somewhere else."""
    file = Database(url_of("sqlite:///usher.db", tmp_path, SETTING), "ledger", DatabaseOptions())
    server = Database(url_of("postgresql://host/name", tmp_path, SETTING), "ledger", DatabaseOptions())
    assert (file.is_sqlite, file.file) == (True, tmp_path / "usher.db")
    assert (server.is_sqlite, server.file) == (False, None)
