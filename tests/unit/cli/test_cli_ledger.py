"""`usher ledger`: what an administrator sees of it and changes in it, and how each command ends."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.ledger_keys import require_agreement
from usher.adapters.sql.versions import migrate
from usher.engine import Namespace, Owner, Patience

Run = Callable[..., Result]
Claim = Callable[..., None]
MOMENT = 1_772_442_000_123_456_789  # 2026-03-02T09:00:00.123456789Z
LOCAL = '[ledger.namespaces.login]\ncompare = "local"\n'
COMMANDS = [
    ["list"],
    ["show", "ann@example.com"],
    ["release", "ann@example.com", "--reason", "x"],
    ["export"],
    ["import", "list.txt", "--kind", "reserved"],
]


@pytest.fixture
def claim(folder: Path) -> Claim:
    """Return a claimer of values in the folder's ledger, which it makes; times are whole seconds after the moment."""

    def take(subject: str, *values: str, application: str = "0oa1", namespace: str = "login", after: int = 0) -> None:
        with opened(folder) as database:
            require_agreement(database, {namespace: Namespace(namespace)})
            ledger = SqlLedger(database, clock=lambda: MOMENT + after * 1_000_000_000)
            with ledger.claims(Owner(application, subject), Patience(60)) as claims:
                for value in values:
                    assert claims.take([(Namespace(namespace), value)], "p/a")

    return take


@contextmanager
def opened(folder: Path) -> Iterator[Database]:
    """Lend a folder's ledger, made if need be."""
    database = Database(url_of("sqlite:///usher.db", folder, "ledger.url"), "ledger", DatabaseOptions())
    migrate(database)
    yield database
    database.close()


def settings(folder: Path, text: str) -> None:
    """Write the settings file."""
    (folder / "usher.toml").write_text(text, encoding="utf-8")


# --- no ledger, a ledger


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
def test_where_there_is_no_ledger_none_is_made(run: Run, folder: Path, command: list[str]) -> None:
    """One line says where it was looked for and which setting says so: a wrong folder is what happens most."""
    (folder / "list.txt").write_text("admin@example.com\n", encoding="utf-8")
    result = run("ledger", *command, expected=2)
    assert str(result.exception) == (
        f"there is no ledger {folder / 'usher.db'} (ledger.url, from: default); a service creates it at its first "
        "start, `usher ledger migrate` at once"
    )
    assert result.stdout == ""
    assert not (folder / "usher.db").exists()


def test_migrate_makes_a_ledger_and_then_has_nothing_to_do(run: Run, folder: Path) -> None:
    """It says where, which schema, and what was there; from then on a start knows that there was one."""
    where = folder / "usher.db"
    assert run("ledger", "migrate").stdout == f"{where}: schema 0001; there was none\n"
    assert run("ledger", "migrate").stdout == f"{where}: schema 0001; it already was\n"
    assert (folder / "state" / "ledger.json").is_file()
    assert run("ledger", "list").stderr == "no value is held\n"


def test_a_file_without_a_schema_is_no_ledger(run: Run, folder: Path) -> None:
    """Somebody else's database is not taken for an empty one, and not changed."""
    with sqlite3.connect(folder / "usher.db") as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    result = run("ledger", "list", expected=2)
    assert str(result.exception).endswith("usher.db: there is no schema yet; run `usher ledger migrate`")


# --- list


def test_the_list_is_a_table_of_the_newest(run: Run, claim: Claim) -> None:
    """Times to the second in UTC; what is cut is told on stderr; nothing else is printed."""
    claim("7", "ann@example.com")
    claim("1042", "george.alexander.smith@example.com", application="0oa22", after=60)
    claim("9", "bob@example.com", after=30)
    result = run("ledger", "list", "--limit", 2)
    assert result.stdout.splitlines() == [
        "namespace  value                               application  subject  source  since                 seen",
        "login      george.alexander.smith@example.com  0oa22        1042     claim   2026-03-02T09:01:00Z  -",
        "login      bob@example.com                     0oa1         9        claim   2026-03-02T09:00:30Z  -",
    ]
    assert result.stderr == "3 values in all; these are the newest 2, --limit shows more\n"
    assert run("ledger", "list").stderr == ""


def test_the_list_as_json_has_everything(run: Run, claim: Claim) -> None:
    """One list, times to the last digit, null for what is not."""
    claim("7", "ännchen@example.com")
    assert json.loads(run("ledger", "list", "--format", "json").stdout) == [
        {
            "namespace": "login",
            "value": "ännchen@example.com",
            "application": "0oa1",
            "subject": "7",
            "source": "claim",
            "since": "2026-03-02T09:00:00.123456789Z",
            "seen": None,
        }
    ]
    assert json.loads(run("ledger", "list", "--format", "json", "--source", "leaver").stdout) == []


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (["--owner", "7"], ["ann", "ann@example.com"]),
        (["--owner", "7", "--namespace", "login"], ["ann@example.com"]),
        (["--application", "0oa2"], ["bob@example.com"]),
        (
            ["--namespace", "alias", "--namespace", "login", "--source", "claim"],
            ["bob@example.com", "ann", "ann@example.com"],
        ),
        (["--source", "reserved"], []),
    ],
)
def test_options_narrow_the_list(run: Run, claim: Claim, options: list[str], values: list[str]) -> None:
    """Each by itself and all together."""
    claim("7", "ann@example.com")
    claim("7", "ann", namespace="alias", after=1)
    claim("8", "bob@example.com", application="0oa2", after=2)
    listed = json.loads(run("ledger", "list", "--format", "json", *options).stdout)
    assert [entry["value"] for entry in listed] == values


@pytest.mark.parametrize("command", ["list", "export", "show", "release", "import"])
def test_a_namespace_that_does_not_exist_is_misuse(run: Run, folder: Path, claim: Claim, command: str) -> None:
    """It would find nothing, and look like an answer."""
    claim("7", "ann@example.com")
    (folder / "list.txt").write_text("admin@example.com\n", encoding="utf-8")
    more = {"show": ["x"], "release": ["x", "--reason", "y"], "import": ["list.txt", "--kind", "reserved"]}
    result = run("ledger", command, *more.get(command, []), "--namespace", "logn", expected=2)
    assert "there is no namespace 'logn'; did you mean login?: there are login" in result.stderr
    run("ledger", command, *more.get(command, []), "--namespace", "", expected=2)


# --- show


def test_show_tells_who_holds_a_value_and_how_it_came_to_be(run: Run, claim: Claim) -> None:
    """However it is spelled, with everything that became of it."""
    claim("7", "Jürgen@example.com")
    run("ledger", "release", "jurgen@example.com", "--reason", "left the company")
    claim("8", "jurgen@example.com", after=3600)
    lines = run("ledger", "show", "JÜRGEN@example.com").stdout.splitlines()
    assert lines[:5] == [
        "login: jurgen@example.com",
        "  owner    8 of 0oa1",
        "  since    2026-03-02T10:00:00Z, claimed by a rule",
        "  in Okta  no load of the directory has shown it",
        "history",
    ]
    assert [line.partition("Z  ")[2] for line in lines[5:]] == [
        "claim       login: Jürgen@example.com, 7 of 0oa1: p/a",
        "release     login: Jürgen@example.com, 7 of 0oa1: left the company",
        "claim       login: jurgen@example.com, 8 of 0oa1: p/a",
    ]


def test_show_tells_what_a_subject_holds(run: Run, claim: Claim) -> None:
    """In every application and namespace, or in one."""
    claim("7", "ann@example.com")
    claim("7", "ann", namespace="alias", application="0oa2")
    lines = run("ledger", "show", "7").stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["alias: ann", "login: ann@example.com", "history"]
    assert len(lines) == 11
    assert run("ledger", "show", "7", "--namespace", "alias").stdout.splitlines()[0] == "alias: ann"


def test_what_nobody_holds_is_a_finding(run: Run, claim: Claim) -> None:
    """What became of it is printed all the same; the value is not repeated on stderr."""
    claim("7", "ann@example.com")
    run("ledger", "release", "ann@example.com", "--reason", "x")
    result = run("ledger", "show", "ann@example.com", expected=1)
    assert result.stdout.splitlines()[0] == "history"
    assert result.stderr == "nobody holds it\n"
    assert run("ledger", "show", "bob@example.com", expected=1).stdout == ""


def test_a_terminal_obeys_nothing_that_a_row_contains(run: Run, claim: Claim) -> None:
    """Ids come from whoever writes the imported file; as data they are whole."""
    claim("7\x1b[2J", "a\nb\u202e@example.com", application="\x9b31m")
    for command in (["list"], ["show", "7\x1b[2J"], ["release", "a\nb\u202e@example.com", "--reason", "x"]):
        shown = run("ledger", *command).stdout
        assert shown.replace("\n", "").isprintable()
        assert r"a\nb\u202e@example.com" in shown
    claim("7", "a\nb@example.com")
    assert json.loads(run("ledger", "list", "--format", "json").stdout)[0]["value"] == "a\nb@example.com"


# --- release


def test_release_tells_who_held_the_value(run: Run, claim: Claim) -> None:
    """Once; a second time nobody does, which is a finding."""
    claim("7", "Ann@example.com")
    assert run("ledger", "release", "ann@example.com", "--reason", "left").stdout == (
        "login: Ann@example.com is free; 7 of 0oa1 held it since 2026-03-02T09:00:00Z, claimed by a rule\n"
    )
    result = run("ledger", "release", "ann@example.com", "--reason", "left", expected=1)
    assert (result.stdout, result.stderr) == ("", "nobody holds it\n")


def test_release_may_be_bound_to_a_subject(run: Run, claim: Claim) -> None:
    """If somebody else holds it, it stays."""
    claim("7", "ann@example.com")
    result = run("ledger", "release", "ann@example.com", "--reason", "x", "--subject", "8", expected=1)
    assert (result.stdout, result.stderr) == ("", "this subject does not hold it\n")
    assert run("ledger", "release", "ann@example.com", "--reason", "x", "--subject", "7").stdout


@pytest.mark.parametrize("reason", [None, "", "  ", "a\nb", "\udcff"])
def test_release_wants_a_reason_that_can_be_read(run: Run, claim: Claim, reason: str | None) -> None:
    """It is what the audit is asked for later."""
    claim("7", "ann@example.com")
    given = [] if reason is None else ["--reason", reason]
    assert "--reason" in run("ledger", "release", "ann@example.com", *given, expected=2).stderr
    assert run("ledger", "list").stdout.count("\n") == 2


def test_bytes_of_another_encoding_are_nobodys(run: Run, claim: Claim) -> None:
    """A terminal of another code page hands over what no text is: that is no fault of ours."""
    claim("7", "ann@example.com")
    assert run("ledger", "show", "j\udcfcrgen@example.com", expected=1).stderr == "nobody holds it\n"
    run("ledger", "release", "j\udcfcrgen@example.com", "--reason", "x", expected=1)
    assert run("ledger", "list", "--owner", "\udcff").stderr == "no value is held\n"


# --- export


def test_export_prints_csv(run: Run, claim: Claim) -> None:
    """On stdout, with nothing beside it; sorted, filtered."""
    claim("7", "b@example.com", "a, b@example.com")
    claim("7", "ann", namespace="alias")
    result = run("ledger", "export", "--namespace", "login")
    assert result.stdout_bytes == (
        b"namespace,value,application,subject,source,since,seen\r\n"
        b'login,"a, b@example.com",0oa1,7,claim,2026-03-02T09:00:00.123456790Z,\r\n'
        b"login,b@example.com,0oa1,7,claim,2026-03-02T09:00:00.123456789Z,\r\n"
    )
    assert result.stderr == ""
    assert run("ledger", "export", "--output", "-").stdout_bytes.count(b"\n") == 4


def test_export_replaces_a_file_whole(run: Run, folder: Path, claim: Claim) -> None:
    """An HR system never reads half of one; nothing is left beside it."""
    claim("7", "ann@example.com")
    (folder / "out.csv").write_text("old", encoding="utf-8")
    assert run("ledger", "export", "--output", "out.csv").stdout == ""
    assert (folder / "out.csv").read_bytes() == run("ledger", "export").stdout_bytes
    assert sorted(path.name for path in folder.glob("*out*")) == ["out.csv"]


def test_export_for_a_spreadsheet_holds_no_formula(run: Run, claim: Claim) -> None:
    """It is marked as UTF-8, and is not taken for an export when it comes back."""
    claim("=cmd", "+49@example.com")
    content = run("ledger", "export", "--for-spreadsheet").stdout_bytes
    assert content.startswith(b"\xef\xbb\xbfnamespace,")
    assert b"login,'+49@example.com,0oa1,'=cmd,claim," in content
    Path("sheet.csv").write_bytes(content)
    result = run("ledger", "import", "sheet.csv", "--kind", "exported", expected=1)
    assert result.stdout.startswith("sheet.csv:1: not-as-exported: ")


@pytest.mark.parametrize(("output", "reason"), [("gone/out.csv", "cannot be written: "), (".", "no file, so it ")])
def test_what_cannot_be_written_is_one_line(run: Run, claim: Claim, output: str, reason: str) -> None:
    """A folder, a device, a place that is not there."""
    claim("7", "ann@example.com")
    result = run("ledger", "export", "--output", output, expected=2)
    assert str(result.exception).startswith(f"{output}: {reason}")


# --- import


def test_a_list_is_imported_and_told(run: Run, folder: Path) -> None:
    """How many values, and how many were there already; as often as the list comes."""
    run("ledger", "migrate")
    (folder / "reserved.txt").write_text("admin@example.com\nroot@example.com\n", encoding="utf-8")
    command = ["ledger", "import", "reserved.txt", "--kind", "reserved"]
    assert run(*command).stdout == "2 values imported\n"
    assert run(*command).stdout == "0 values imported; 2 values there already\n"
    assert "reserved by a list" in run("ledger", "show", "ROOT@example.com").stdout
    assert (
        "import      login: root@example.com, reserved of usher: imported from reserved.txt"
        in run("ledger", "show", "ROOT@example.com").stdout
    )


def test_faulty_rows_are_told_by_line_and_nothing_is_imported(run: Run, folder: Path) -> None:
    """On stdout as `usher check` has it; no value of the file is repeated."""
    run("ledger", "migrate")
    (folder / "left.csv").write_text("value,subject\na@x,7\n,8\nb@x,\nc@x,1,2\n", encoding="utf-8")
    result = run("ledger", "import", "left.csv", "--kind", "leavers", expected=1)
    assert result.stdout.splitlines() == [
        "left.csv:3: no-value: the row has no value",
        "left.csv:4: no-subject: the row has no subject",
        "left.csv:5: columns: 3 cells where the header has 2",
    ]
    assert result.stderr == "left.csv: 3 faulty rows; nothing is imported\n"
    assert run("ledger", "list").stdout == ""


def test_of_many_faulty_rows_the_first_are_told(run: Run, folder: Path) -> None:
    """And how many there are."""
    run("ledger", "migrate")
    (folder / "left.csv").write_text("value,subject\n" + "a@x,\n" * 101, encoding="utf-8")
    result = run("ledger", "import", "left.csv", "--kind", "leavers", expected=1)
    assert result.stdout.count("\n") == 100
    assert result.stderr == "left.csv: 101 faulty rows, of which these are the first 100; nothing is imported\n"


def test_values_of_somebody_else_are_told_by_line(run: Run, folder: Path, claim: Claim) -> None:
    """Nothing is imported, unless they are to be skipped."""
    claim("7", "a@x")
    (folder / "left.csv").write_text("value,subject,application\nA@x,8,0oa1\nb@x,8,0oa1\n", encoding="utf-8")
    command = ["ledger", "import", "left.csv", "--kind", "leavers"]
    result = run(*command, expected=1)
    told = "left.csv:2: held: somebody else holds this value\n"
    assert result.stdout == told
    assert result.stderr == (
        "left.csv: 1 value held by somebody else; nothing is imported (--skip-held would import the others)\n"
    )
    assert run(*command, "--skip-held").stdout == f"{told}1 value imported; 1 value skipped\n"


def test_what_may_not_be_meant_is_noted(run: Run, folder: Path) -> None:
    """A reserved name without a domain keeps nobody from it with one; a leaver without an application stays away."""
    run("ledger", "migrate")
    (folder / "list.txt").write_text("admin\n", encoding="utf-8")
    (folder / "left.csv").write_text("value,subject\na@x,8\n", encoding="utf-8")
    noted = run("ledger", "import", "list.txt", "--kind", "reserved").stderr
    assert noted.startswith("note: 1 value without a domain: login compares whole values")
    noted = run("ledger", "import", "left.csv", "--kind", "leavers").stderr
    assert noted.startswith("note: 1 value without an application")
    (folder / "left.csv").write_text("value,subject\nb@x,8\n", encoding="utf-8")
    assert run("ledger", "import", "left.csv", "--kind", "leavers", "--application", "0oa1").stderr == ""
    settings(folder, "[ledger.namespaces.alias]\ncompare = 'local'\n")
    assert run("ledger", "import", "list.txt", "--kind", "reserved", "--namespace", "alias").stderr == ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "Missing option '--kind'"),
        (["--kind", "exported", "--namespace", "login"], "--namespace has no meaning"),
        (["--kind", "reserved", "--application", "0oa1"], "--application has a meaning"),
    ],
)
def test_options_that_do_not_go_together_are_misuse(run: Run, folder: Path, options: list[str], told: str) -> None:
    """What a file is has to be said: an export read as reserved values would take everybody's login away."""
    run("ledger", "migrate")
    (folder / "list.txt").write_text("admin\n", encoding="utf-8")
    assert told in run("ledger", "import", "list.txt", *options, expected=2).stderr


def test_a_list_that_is_not_there_is_one_line(run: Run) -> None:
    """It is named."""
    run("ledger", "migrate")
    result = run("ledger", "import", "gone.txt", "--kind", "reserved", expected=2)
    assert str(result.exception) == "gone.txt: cannot be read: No such file or directory"


# --- keys


def test_other_keys_are_made_by_migrate(run: Run, folder: Path, claim: Claim) -> None:
    """Until then lists are refused, while looking and releasing work; then it says what it did."""
    run("ledger", "migrate")
    claim("7", "ann@a.example")
    claim("7", "ann@b.example", after=1)
    settings(folder, LOCAL)
    (folder / "list.txt").write_text("admin@example.com\n", encoding="utf-8")
    refused = run("ledger", "import", "list.txt", "--kind", "reserved", expected=2)
    assert "run `usher ledger migrate`" in str(refused.exception)
    assert run("ledger", "list").stdout.count("\n") == 3
    assert run("ledger", "migrate").stdout.splitlines()[1:] == [
        "login: 1 key made anew, 1 value merged into another of the same owner"
    ]
    assert run("ledger", "import", "list.txt", "--kind", "reserved").stdout == "1 value imported\n"


def test_collisions_are_listed_and_released_one_by_one(run: Run, folder: Path, claim: Claim) -> None:
    """Nothing changes meanwhile; each is freed by the value as it is written."""
    run("ledger", "migrate")
    claim("7", "ann@a.example")
    claim("8", "Ann@b.example", application="0oa2", after=1)
    claim("9", "bob@a.example")
    settings(folder, LOCAL)
    result = run("ledger", "migrate", expected=1)
    assert result.stdout.splitlines()[1:] == ["login: ann@a.example (7 of 0oa1) = Ann@b.example (8 of 0oa2)"]
    assert result.stderr == (
        "1 collision: no key has changed. Of each line free all values but one with\n"
        "`usher ledger release VALUE --namespace NAME --reason TEXT`, then run this again\n"
    )
    released = run("ledger", "release", "Ann@b.example", "--reason", "two people").stdout
    assert released.startswith("login: Ann@b.example is free; 8 of 0oa2 held it")
    assert run("ledger", "migrate").stdout.splitlines()[1:] == ["login: 2 keys made anew"]


def test_a_namespace_of_the_past_can_be_seen_and_freed(run: Run, claim: Claim) -> None:
    """What is held in it stays in the ledger when the settings no longer declare it."""
    claim("7", "ann", namespace="alias")
    assert run("ledger", "list", "--namespace", "alias").stdout
    assert run("ledger", "show", "ann").stdout.startswith("alias: ann")
    assert run("ledger", "release", "ann", "--namespace", "alias", "--reason", "x").stdout


# --- beside a service, and from one database to another


def test_looking_does_not_wait_for_who_writes(run: Run, folder: Path, claim: Claim) -> None:
    """A transaction of the service is under way: everything that reads answers at once."""
    claim("7", "ann@example.com")
    writer = sqlite3.connect(folder / "usher.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM holdings")
    for command in COMMANDS[0], COMMANDS[1], COMMANDS[3]:
        assert "ann@example.com" in run("ledger", *command).stdout
    writer.close()


def test_a_ledger_moves_from_one_database_to_another(run: Run, folder: Path, claim: Claim, store_url: str) -> None:
    """Export, migrate, import: what the other exports is the same, and it answers the same."""
    claim("7", "Jürgen@example.com", "b@example.com")
    claim("8", "ann@example.com", application="", after=60)
    assert run("ledger", "export", "--output", "moving.csv").stderr == ""
    there = ["--set", f"ledger.url={store_url}"]
    assert "there was none" in run("ledger", "migrate", *there).stdout
    assert run("ledger", "import", "moving.csv", "--kind", "exported", *there).stdout == "3 values imported\n"
    assert run("ledger", "export", *there).stdout_bytes == (folder / "moving.csv").read_bytes()
    assert run("ledger", "list", *there).stdout == run("ledger", "list").stdout
    released = run("ledger", "release", "JURGEN@example.com", "--reason", "x", *there).stdout
    assert released.startswith("login: Jürgen@example.com is free")
    assert run("ledger", "show", "jurgen@example.com", *there, expected=1).stdout.startswith("history\n")


def test_a_database_without_a_ledger_is_told(run: Run, store_url: str) -> None:
    """On PostgreSQL there is always a place to look at; that it is empty is one line."""
    result = run("ledger", "list", "--set", f"ledger.url={store_url}", expected=2)
    assert "`usher ledger migrate`" in str(result.exception)


@pytest.mark.parametrize("command", ["list", "show", "export", "import", "release", "migrate"])
def test_every_command_says_what_it_is_for(run: Run, command: str) -> None:
    """And takes the settings as every other command does."""
    text = run("ledger", command, "--help").stdout
    assert "--config" in text
    assert "--set" in text
    assert len(text.splitlines()) > 8
