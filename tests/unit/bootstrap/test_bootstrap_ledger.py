"""The ledger at a start: created once, never silently anew, served only with the keys that the settings ask for."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from usher.adapters.sql.database import DatabaseOptions, StoreSetupError
from usher.bootstrap.ledger import created_or_migrated, ledger_database, opened_ledger
from usher.engine import Namespace, Owner
from usher.settings import load

ANN = Owner("0oa1", "7")
Opened = Callable[..., Owner | None]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Open the ledger of a folder as a start does; claim `claim`, and return who holds `ask`."""

    def start(settings: str = "", *, claim: str = "", ask: str = "ann@example.com") -> Owner | None:
        (tmp_path / "usher.toml").write_text(settings, encoding="utf-8")
        loaded = load(None, environ={}, overrides={}, folder=tmp_path)
        with ledger_database(loaded, DatabaseOptions()) as database:
            ledger = opened_ledger(loaded, database)
            namespace = Namespace("login", compare="local" if "local" in settings else "whole")
            if claim:
                with ledger.claims(ANN, database.patience()) as claims:
                    assert claims.take([(namespace, claim)], "p/a")
            return ledger.holder(namespace, ask, database.patience())

    return start


def migrated(folder: Path) -> str:
    """Run what `usher ledger migrate` begins with; return the schema that lay there."""
    loaded = load(None, environ={}, overrides={}, folder=folder)
    with ledger_database(loaded, DatabaseOptions()) as database:
        return created_or_migrated(loaded, database)


def test_the_first_start_creates_the_ledger_and_later_ones_find_it(opened: Opened, tmp_path: Path) -> None:
    """What one process claimed the next one knows, and the state folder says where it is."""
    assert opened(claim="ann@example.com") == ANN
    assert opened() == ANN
    assert json.loads((tmp_path / "state" / "ledger.json").read_bytes()) == {"ledger": str(tmp_path / "usher.db")}


@pytest.mark.parametrize("left", [None, b""])
def test_a_ledger_that_is_gone_is_not_made_anew(opened: Opened, tmp_path: Path, left: bytes | None) -> None:
    """Missing or emptied: an empty ledger would give every login out once more."""
    opened(claim="ann@example.com")
    for file in tmp_path.glob("usher.db*"):
        file.unlink()
    if left is not None:
        (tmp_path / "usher.db").write_bytes(left)
    with pytest.raises(StoreSetupError) as raised:
        opened()
    assert str(raised.value) == (
        f"the ledger {tmp_path / 'usher.db'} is missing, and there was one: without it every login would be given out "
        "once more. Restore it; or, to begin with an empty one, run `usher ledger migrate`"
    )
    assert (tmp_path / "usher.db").exists() == (left is not None)


def test_another_place_is_no_reason_to_begin_anew(opened: Opened, tmp_path: Path) -> None:
    """A slip in the URL must not look like a first start."""
    opened(claim="ann@example.com")
    with pytest.raises(StoreSetupError, match=r"other\.db is missing, and there was one"):
        opened('[ledger]\nurl = "sqlite:///other.db"\n')
    assert not (tmp_path / "other.db").exists()


def test_an_administrator_may_begin_anew(opened: Opened, tmp_path: Path) -> None:
    """`usher ledger migrate` creates what is missing."""
    opened(claim="ann@example.com")
    for file in tmp_path.glob("usher.db*"):
        file.unlink()
    assert migrated(tmp_path) == ""
    assert opened() is None


def test_other_keys_than_the_settings_ask_for_are_refused(opened: Opened, tmp_path: Path) -> None:
    """A namespace that compares otherwise than its keys were made would miss who holds a value."""
    opened(claim="ann@example.com")
    with pytest.raises(StoreSetupError) as raised:
        opened('[ledger.namespaces.login]\ncompare = "local"\n')
    assert str(raised.value) == (
        f"the ledger {tmp_path / 'usher.db'} compares login otherwise than this version and these settings do; "
        "stop every service that uses it and run `usher ledger migrate`"
    )


def test_keys_of_another_fold_version_are_refused(opened: Opened, tmp_path: Path) -> None:
    """As a new version's might be."""
    opened(claim="ann@example.com")
    with sqlite3.connect(tmp_path / "usher.db") as connection:
        connection.execute("UPDATE namespaces SET fold_version = 0")
    connection.close()
    with pytest.raises(StoreSetupError, match="compares login otherwise than this version"):
        opened()


def test_an_empty_namespace_takes_new_settings(opened: Opened) -> None:
    """Nothing is held, so nothing can be missed; from then on they are fixed."""
    opened()
    local = '[ledger.namespaces.login]\ncompare = "local"\n'
    assert opened(local, claim="ann@example.com", ask="ann@elsewhere.example") == ANN
    with pytest.raises(StoreSetupError, match="compares login otherwise"):
        opened()


def test_a_ledger_of_a_newer_version_is_refused(opened: Opened, tmp_path: Path) -> None:
    """It may hold what this version would not see."""
    opened(claim="ann@example.com")
    with sqlite3.connect(tmp_path / "usher.db") as connection:
        connection.execute("UPDATE ledger_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreSetupError, match="schema 9999, which this version of Usher does not know"):
        opened()


def test_a_file_that_is_no_database_is_one_clear_error(opened: Opened, tmp_path: Path) -> None:
    """It names the file, and leaves it as it is."""
    (tmp_path / "usher.db").write_bytes(b"no database at all, however long the text may be" * 40)
    with pytest.raises(StoreSetupError, match=r"the file is no SQLite database: .*usher\.db"):
        opened()
    assert (tmp_path / "usher.db").read_bytes().startswith(b"no database")
