"""`usher directory`: what is loaded, what is told, and on which stream."""

import io
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr
from pathlib import Path

import pytest
from click.testing import Result

from usher.adapters.okta_users import UnreadableUsersError, UserFile
from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError, url_of
from usher.adapters.sql.directory import SqlDirectory
from usher.adapters.sql.directory_facts import directory_facts
from usher.adapters.sql.directory_generations import LoadUnderWayError, NewGeneration
from usher.adapters.sql.directory_keys import Keying
from usher.adapters.sql.directory_loading import TOLD_ROWS
from usher.bootstrap.directory import directory_database, require_no_loss
from usher.cli.directory import _age, _progress
from usher.engine import Patience, StoreError
from usher.settings import load as load_settings

Run = Callable[..., Result]
Usher = Callable[..., Result]

ANN = {"id": "00u1", "status": "ACTIVE", "profile": {"login": "ann@example.com", "firstName": "Ann", "title": None}}
BJORN = {"id": "00u2", "status": "STAGED", "login": "bjørn@example.com"}
SHOWN_ANN = {"login": "ann@example.com", "firstName": "Ann", "id": "00u1", "status": "ACTIVE"}


@pytest.fixture
def people(folder: Path) -> Callable[..., Path]:
    """Return a writer of files with users, one a line."""

    def write(*users: object, name: str = "users.ndjson") -> Path:
        path = folder / name
        path.write_text("".join(json.dumps(user) + "\n" for user in users), encoding="utf-8")
        return path

    return write


@pytest.fixture
def directory(run: Run, store_url: str) -> Usher:
    """Return a caller of `usher directory …` on a database that is ready, of each kind."""

    def call(*arguments: object, expected: int = 0) -> Result:
        return run("directory", *arguments, "--set", f"directory.url={store_url}", expected=expected)

    call("migrate")
    return call


def test_users_are_loaded_and_shown(directory: Usher, people: Callable[..., Path]) -> None:
    """By login, compared as Okta does, and by id; what is null is left out."""
    loaded = directory("load", people(ANN, BJORN))
    assert loaded.stdout.startswith("2 users in 0.")
    assert loaded.stdout.endswith(" s: generation 1\n")
    assert loaded.stderr == ""
    for who in ("ANN@example.com", "00u1"):
        assert json.loads(directory("show", who).stdout) == [SHOWN_ANN]
    shown = directory("show", "bjorn@example.com").stdout
    assert json.loads(shown) == [BJORN]
    assert "bjørn" in shown


def test_nobody_is_a_finding(directory: Usher, people: Callable[..., Path]) -> None:
    """With one line, on standard error, that does not repeat who was asked for."""
    directory("load", people(ANN))
    result = directory("show", "bo@example.com", expected=1)
    assert (result.stdout, result.stderr) == ("", "nobody with this id or login is known\n")


def test_csv_is_loaded(directory: Usher, folder: Path) -> None:
    """As a spreadsheet on Windows writes it."""
    file = folder / "users.csv"
    file.write_bytes("\ufeffid;login;firstName\r\n00u1;ann@example.com;Ann\r\n".encode())
    directory("load", file)
    assert json.loads(directory("show", "00u1").stdout) == [{**SHOWN_ANN, "status": ""}]


def test_bad_rows_are_told_and_nothing_is_loaded(directory: Usher, people: Callable[..., Path]) -> None:
    """Each with file and line, without a value; the users before are still those who are known; exit 1."""
    directory("load", people(ANN))
    bad = people({"id": "00u7"}, BJORN, {**BJORN, "firstName": "S3CRET"}, "S3CRET", name="bad.ndjson")
    result = directory("load", bad, expected=1)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{bad}:1: no-login: the user has no login",
        f"{bad}:3: duplicate-id: line 2 has the same id",
        f"{bad}:4: no-id: a user is an object with an id",
        f"{bad}: 3 bad rows; nothing is loaded",
    ]
    assert json.loads(directory("show", "00u1").stdout) == [SHOWN_ANN]
    directory("show", "00u2", expected=1)


def test_a_file_of_another_kind_does_not_fill_the_screen(directory: Usher, people: Callable[..., Path]) -> None:
    """The first hundred bad rows, then a count."""
    result = directory("load", people(*range(5_000)), expected=1)
    lines = result.stderr.splitlines()
    assert len(lines) == TOLD_ROWS + 1
    assert lines[-1].endswith("users.ndjson: 5,000 bad rows; nothing is loaded")


@pytest.mark.parametrize(
    ("count", "option", "reason"),
    [
        (0, "--allow-empty", "there are no users in it; --allow-empty loads it nevertheless"),
        (1, "--allow-shrink", "1 users after 3 before; --allow-shrink loads them nevertheless"),
    ],
)
def test_too_few_users_must_be_meant(
    directory: Usher, people: Callable[..., Path], count: int, option: str, reason: str
) -> None:
    """A file that broke off would free the logins of everybody who is missing."""
    directory("load", people(ANN, BJORN, {"id": "3", "login": "x"}))
    file = people(*[ANN][:count], name="few.ndjson")
    refused = directory("load", file, expected=1)
    assert (refused.stdout, refused.stderr) == ("", f"{file}: {reason}; nothing is loaded\n")
    assert directory("load", file, option).stdout.startswith(f"{count} users in ")


def test_the_status_tells_the_load(directory: Usher, people: Callable[..., Path], store_url: str) -> None:
    """For people, and as JSON for programs."""
    assert "generation  none yet; `usher directory load FILE` makes one" in directory("status").stdout
    directory("load", people(ANN, BJORN))
    facts = json.loads(directory("status", "--format", "json").stdout)
    assert {name: facts[name] for name in ("generation", "users", "source", "settingsAgree", "loading")} == {
        "generation": 1,
        "users": 2,
        "source": "users.ndjson",
        "settingsAgree": True,
        "loading": None,
    }
    place, generation, agreement = directory("status").stdout.splitlines()
    pattern = rf"directory   {re.escape(store_url.removeprefix('sqlite:///'))} \([0-9]\.[0-9] MB, schema 0001\)"
    assert re.fullmatch(pattern, place)
    assert generation.startswith(f"generation  1: 2 users from users.ndjson, loaded {facts['loaded']} (")
    assert agreement == "settings    those it was loaded with"


def test_a_load_under_other_settings_is_a_finding(directory: Usher, people: Callable[..., Path]) -> None:
    """No decision can use it, so a monitor may ask for the exit code; `show` says the same."""
    directory("load", people(ANN))
    other = ("--set", "directory.indexed=title")
    told = directory("status", *other, expected=1).stdout
    assert "settings    others than it was loaded with, so that no decision can use it; load it again" in told
    result = directory("show", "00u1", *other, expected=2)
    assert str(result.exception) == "the directory cannot be used: it was loaded with other settings; load it again"
    directory("load", people(ANN), *other)
    directory("status", *other)


def test_two_loads_do_not_meet(directory: Usher, people: Callable[..., Path], store_url: str, folder: Path) -> None:
    """The second says since when the first is under way; the status shows it, too."""
    database = Database(url_of(store_url, folder, ""), "directory", DatabaseOptions())
    try:
        first = NewGeneration.begin(database, "other.csv", Keying.of([], []))
        result = directory("load", people(ANN), expected=2)
        assert isinstance(result.exception, LoadUnderWayError)
        assert "loading     other.csv since " in directory("status").stdout
        first.discard()
        directory("load", people(ANN))
    finally:
        database.close()


def test_looking_does_not_make_a_directory(run: Run, folder: Path) -> None:
    """Where there is none, that is what is told; exit 1."""
    for command in (["status"], ["show", "ann@example.com"]):
        result = run("directory", *command, expected=1)
        where = folder / "directory.db"
        assert result.stderr == f"{where}: there is no directory yet; `usher directory load FILE` makes it\n"
    assert list(folder.iterdir()) == []


def test_a_first_load_makes_the_directory(run: Run, people: Callable[..., Path], folder: Path) -> None:
    """An SQLite file needs no preparation; nothing stays but it, and the mark that there is one."""
    run("directory", "load", people(ANN))
    assert sorted(path.name for path in folder.iterdir()) == ["directory.db", "state", "users.ndjson"]
    assert json.loads((folder / "state" / "directory.json").read_bytes()) == {"directory": str(folder / "directory.db")}


def test_a_load_tells_the_ledger_what_it_shows(run: Run, people: Callable[..., Path], folder: Path) -> None:
    """Claims that became users are marked; with an expiry, those that are old and never were one are freed."""
    run("ledger", "migrate")
    rows = ("ann@example.com,0oa1,1,claim", "old@example.com,0oa1,2,claim", "left@example.com,0oa1,3,leaver")
    head = "namespace,value,application,subject,source,since,seen\n"
    lines = "".join(f"login,{row},2020-01-01T00:00:00Z,\n" for row in rows)
    (folder / "held.csv").write_text(head + lines, encoding="utf-8", newline="\n")
    run("ledger", "import", folder / "held.csv", "--kind", "exported")
    loaded = run("directory", "load", people(ANN))
    assert loaded.stdout.splitlines()[1:] == ["ledger: 1 value shown for the first time"]
    again = run("directory", "load", people(ANN), "--set", "ledger.expire_days=365")
    assert again.stdout.splitlines()[1:] == ["ledger: 0 values shown for the first time, 1 expired"]
    listed = json.loads(run("ledger", "list", "--format", "json").stdout)
    assert sorted(row["value"] for row in listed) == ["ann@example.com", "left@example.com"]


def test_a_load_stands_without_a_ledger_that_can_be_told(run: Run, people: Callable[..., Path], folder: Path) -> None:
    """One warning; the users are known all the same."""
    (folder / "usher.db").write_bytes(b"no database at all, however long it may be" * 40)
    loaded = run("directory", "load", people(ANN))
    assert len(loaded.stdout.splitlines()) == 1
    assert loaded.stderr.startswith("warning: the ledger does not know of this load, and nothing has expired: ")
    assert json.loads(run("directory", "show", "00u1").stdout) == [SHOWN_ANN]


def test_a_service_does_not_start_where_users_were_loaded_and_are_gone(
    run: Run, people: Callable[..., Path], folder: Path
) -> None:
    """Nobody would be known, and the logins of all would be given out; a load mends it."""
    loaded = load_settings(None, environ={}, overrides={}, folder=folder)
    run("directory", "load", people(ANN))
    with directory_database(loaded, DatabaseOptions()) as database:
        require_no_loss(loaded, database)
        (folder / "directory.db").unlink()
        with pytest.raises(
            StoreSetupError, match=r"directory\.db is missing, and there was one: .*`usher directory load"
        ):
            require_no_loss(loaded, database)
        run("directory", "load", people(ANN))
        require_no_loss(loaded, database)


def test_postgresql_is_migrated_when_an_administrator_says_so(
    run: Run, people: Callable[..., Path], postgresql_url: str
) -> None:
    """Other instances may use it; until then every command says what to do."""
    url = ("--set", f"directory.url={postgresql_url}")
    for command in (["load", people(ANN)], ["status"], ["show", "x"]):
        result = run("directory", *command, *url, expected=2)
        assert isinstance(result.exception, StoreSetupError)
        assert str(result.exception).endswith("there is no schema yet; run `usher directory migrate`")
    assert run("directory", "migrate", *url).stdout == f"{postgresql_url}: schema 0001; there was none\n"
    assert run("directory", "migrate", *url).stdout == f"{postgresql_url}: schema 0001; it already was\n"
    run("directory", "load", people(ANN), *url)


@pytest.mark.parametrize(("name", "reason"), [("nowhere.csv", "No such file"), (".", "")])
def test_a_file_that_cannot_be_opened_is_told(run: Run, folder: Path, name: str, reason: str) -> None:
    """Missing, or a folder; no directory is made for it."""
    result = run("directory", "load", folder / name, expected=2)
    assert isinstance(result.exception, UnreadableUsersError)
    assert str(result.exception).startswith(f"{folder / name}: cannot be read: {reason}")
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_read_as_it_comes(directory: Usher, folder: Path) -> None:
    """`zcat export.gz > pipe`, without a copy on disk."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    content = json.dumps(ANN).encode()
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert directory("load", pipe).stdout.startswith("1 users")
    writer.join()


def test_a_file_that_is_no_database_is_told(run: Run, people: Callable[..., Path], folder: Path) -> None:
    """It is left as it is."""
    (folder / "directory.db").write_bytes(b"no database" * 1000)
    result = run("directory", "load", people(ANN), expected=2)
    assert isinstance(result.exception, StoreSetupError | StoreError)
    assert "the file is no SQLite database" in str(result.exception)
    assert (folder / "directory.db").read_bytes() == b"no database" * 1000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_sigterm_ends_a_load_as_ctrl_c_does(directory: Usher, folder: Path, store_url: str) -> None:
    """By a service manager: what was written is removed, and the next load need not wait."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    main = threading.get_ident()
    reader = SqlDirectory(Database(url_of(store_url, folder, ""), "directory", DatabaseOptions()), Keying.of([], []))

    def write() -> None:
        with closing(reader.database), pipe.open("wb"):
            while directory_facts(reader, Patience())["loading"] is None:
                time.sleep(0.01)
            signal.pthread_kill(main, signal.SIGTERM)

    writer = threading.Thread(target=write)
    writer.start()
    directory("load", pipe, expected=1)
    writer.join()
    assert json.loads(directory("status", "--format", "json").stdout)["loading"] is None


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def lines_of(count: int) -> UserFile:
    """Return a file with users."""
    return UserFile(io.BytesIO(b'{"id": "1", "login": "a"}\n' * count), "users.ndjson")


def test_on_a_terminal_there_is_a_bar() -> None:
    """It says what is being done and how many rows have been read."""
    with redirect_stderr(Terminal()) as shown, _progress(lines_of(2_500), 2_500 * 26) as (rows, on_indexing):
        assert len(list(rows)) == 2_500
        on_indexing()
    told = shown.getvalue()
    assert "indexing" in told
    assert "2,000" in told


def test_elsewhere_there_is_none() -> None:
    """A log of a scheduler gets no control characters."""
    with redirect_stderr(io.StringIO()) as shown, _progress(lines_of(2_500), None) as (rows, on_indexing):
        assert len(list(rows)) == 2_500
        on_indexing()
    assert shown.getvalue() == ""


def moments() -> Iterator[tuple[float, str]]:
    """Yield ages in seconds and how they are told."""
    yield from [(0, "0 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7_199, "119 minutes")]
    yield from [(7_200, "2 hours"), (172_799, "47 hours"), (172_800, "2 days"), (-5, "0 seconds")]


@pytest.mark.parametrize(("seconds", "told"), [*moments()])
def test_an_age_is_told_in_the_largest_unit_of_which_there_are_two(seconds: float, told: str) -> None:
    """A clock that is behind makes nothing negative."""
    assert _age("2026-03-02T09:00:00Z", 1_772_442_000 + seconds) == f"{told} ago"
