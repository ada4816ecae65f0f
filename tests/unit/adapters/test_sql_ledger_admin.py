"""What an administrator sees of the ledger, changes in it, takes out as a file and puts into it."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import select

from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.ledger_admin import (
    PAGE_ROWS,
    Holding,
    Sought,
    count,
    find,
    history_of_subject,
    history_of_value,
    namespaces_held,
    newest,
    pages,
    release,
)
from usher.adapters.sql.ledger_export import as_csv, as_spreadsheet, moment
from usher.adapters.sql.ledger_import import MAX_FAULTS, Imported, import_list
from usher.adapters.sql.ledger_lists import Fault, Kind, Listed, ListFile
from usher.adapters.sql.ledger_tables import AUDIT, SOURCES
from usher.adapters.sql.versions import migrate
from usher.domain.bounded import bounded
from usher.engine import Namespace, Owner, Patience
from usher.engine.stores import is_claimable

LOGIN = Namespace("login")
ALIAS = Namespace("alias", ignoring=(".ext",), compare="local")
DECLARED = {"login": LOGIN, "alias": ALIAS}
ANN, BOB = Owner("0oa1", "7"), Owner("0oa2", "8")
NUMBERS = itertools.count()
HEADER = "namespace,value,application,subject,source,since,seen\r\n"


@pytest.fixture
def database(store_url: str, tmp_path: Path) -> Iterator[Database]:
    """Return an empty ledger's database."""
    opened = Database(url_of(store_url, tmp_path, "ledger.url"), "ledger", DatabaseOptions())
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., ListFile]:
    """Return a maker of list files."""

    def make(content: str | bytes, kind: Kind = "reserved", **said: str) -> ListFile:
        path = tmp_path / "list.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        namespace = DECLARED[said.get("namespace", "login")]
        return ListFile(path, kind, DECLARED, namespace, said.get("application", ""), "from a list")

    return make


def claim(database: Database, owner: Owner, value: str, namespace: Namespace = LOGIN, *, at: int = 1) -> bool:
    """Claim a value at a moment."""
    with SqlLedger(database, clock=lambda: at).claims(owner, Patience(60)) as claims:
        return claims.take([(namespace, value)], "p/a")


def imported(database: Database, file: ListFile, *, skips_held: bool = False) -> Imported:
    """Import a file at the moment 9."""
    return import_list(database, file, skips_held=skips_held, clock=lambda: 9)


def held(database: Database, *, namespace: str = "login") -> dict[str, tuple[Owner, str]]:
    """Return who holds which value of a namespace, and how it came to be."""
    found = newest(database, Sought([namespace]))
    return {holding.value: (holding.owner, holding.source) for holding in found}


def changes(database: Database) -> list[tuple[object, ...]]:
    """Return the audit, without times and namespaces."""
    with database.reading(database.patience()) as connection:
        columns = (AUDIT.c.action, AUDIT.c.value, AUDIT.c.subject, AUDIT.c.reason)
        return [tuple(row) for row in connection.execute(select(*columns).order_by(AUDIT.c.id))]


def exported(database: Database, sought: Sought | None = None) -> bytes:
    """Return a whole export."""
    return b"".join(as_csv(pages(database, sought or Sought())))


# --- looking


def test_the_newest_come_first_and_filters_narrow_them(database: Database) -> None:
    """By namespace, source, owner, application, and by all of them at once."""
    claim(database, ANN, "a@example.com", at=1)
    claim(database, BOB, "b@example.com", at=3)
    claim(database, ANN, "ann", ALIAS, at=2)
    assert [holding.value for holding in newest(database, Sought())] == ["b@example.com", "ann", "a@example.com"]
    assert [holding.value for holding in newest(database, Sought(), 2)] == ["b@example.com", "ann"]
    for sought, values in (
        (Sought(["alias"]), ["ann"]),
        (Sought(["alias", "login"], subject="7"), ["ann", "a@example.com"]),
        (Sought(sources=["remembered", "leaver"]), []),
        (Sought(application="0oa2"), ["b@example.com"]),
        (Sought(["login"], ["claim"], "7", "0oa1"), ["a@example.com"]),
        (Sought(subject=""), []),
    ):
        assert [holding.value for holding in newest(database, sought)] == values
        assert count(database, sought) == len(values)
    assert newest(database, Sought(["alias"])) == (Holding("alias", "ann", ANN, "claim", 2, None),)
    assert namespaces_held(database) == {"login", "alias"}


def test_pages_hold_everything_once_and_in_order(database: Database, listed: Callable[..., ListFile]) -> None:
    """Also where a page is full to the last row, and where values go and come between two pages."""
    number = PAGE_ROWS + 7
    lines = "".join(f"x{index:05}@example.com\n" for index in range(number))
    assert imported(database, listed(lines)).added == number
    claim(database, ANN, "ann", ALIAS)
    found = pages(database, Sought())
    first = next(found)
    release(database, LOGIN, first[0].value, reason="x")
    claim(database, BOB, first[0].value)
    rest = [holding for page in found for holding in page]
    values = [(holding.namespace, holding.value) for holding in (*first, *rest)]
    assert len(first) == PAGE_ROWS
    assert values == [("alias", "ann"), *(("login", f"x{index:05}@example.com") for index in range(number))]


def test_a_value_is_found_as_its_namespace_compares(database: Database) -> None:
    """However it is spelled; what cannot be claimed is held by nobody and is no fault."""
    claim(database, ANN, "Jürgen@example.com")
    assert [holding.owner for holding in find(database, LOGIN, "JURGEN@EXAMPLE.COM")] == [ANN]
    assert find(database, LOGIN, "jurgen@example.org") == ()
    assert find(database, ALIAS, "jurgen@example.com") == ()
    for value in ("", "\ud800", "a\0b", "x" * 501):
        assert find(database, LOGIN, value) == ()


def test_a_value_is_found_as_written_where_keys_were_made_otherwise(database: Database) -> None:
    """Then the key that is asked for may be somebody else's, and what is meant stands under another."""
    whole = Namespace("alias", compare="whole")
    claim(database, ANN, "ann", whole)
    claim(database, BOB, "ann@example.com", whole)
    assert [holding.owner for holding in find(database, ALIAS, "ann@example.com")] == [BOB]
    assert [holding.owner for holding in find(database, ALIAS, "ann")] == [ANN]
    assert [holding.owner for holding in find(database, ALIAS, "ANN.ext@elsewhere.example")] == [ANN]


# --- history


def test_a_values_history_tells_of_every_owner(database: Database) -> None:
    """Claims and releases with their reasons, however it was spelled, the oldest first, of its namespace alone."""
    claim(database, ANN, "Jürgen@example.com", at=1)
    claim(database, ANN, "Jürgen@example.com", ALIAS, at=1)
    release(database, LOGIN, "jurgen@example.com", reason="left", clock=lambda: 2)
    claim(database, BOB, "JURGEN@example.com", at=3)
    found = [
        (one.at, one.action, one.value, one.owner, one.reason)
        for one in history_of_value(database, LOGIN, "jürgen@example.com")
    ]
    assert found == [
        (1, "claim", "Jürgen@example.com", ANN, "p/a"),
        (2, "release", "Jürgen@example.com", ANN, "left"),
        (3, "claim", "JURGEN@example.com", BOB, "p/a"),
    ]
    assert [one.namespace for one in history_of_subject(database, "7")] == ["login", "alias", "login"]
    assert list(history_of_subject(database, "9")) == []


VALUES = st.text(st.sampled_from("aAäÄßKi%_/*[]^.@ "), min_size=1, max_size=6) | st.text(min_size=1, max_size=12)
AFFIXES = st.sampled_from([(), (".ext",), ("Ä", "a")])


def test_no_spelling_is_missing_from_a_history(database: Database) -> None:
    """What the database leaves out beforehand is never one that compares as the same."""

    @given(st.lists(VALUES, min_size=1, max_size=6), VALUES, AFFIXES, st.sampled_from(["whole", "local"]))
    def law(values: list[str], asked: str, ignoring: tuple[str, ...], compare: str) -> None:
        assume(all(map(is_claimable, (*values, asked))))
        namespace = Namespace(f"n{next(NUMBERS)}", ignoring, "local" if compare == "local" else "whole")
        taken = [value for value in values if claim(database, ANN, value, namespace)]
        noted = [one.value for one in history_of_value(database, namespace, asked)]
        # Of what is the same only the first spelling was written.
        first = dict(reversed([(namespace.key(value), value) for value in taken]))
        assert noted == [value for key, value in first.items() if key == namespace.key(asked)]

    law()


# --- release


def test_a_released_value_is_free_for_anybody_and_the_reason_on_record(database: Database) -> None:
    """It tells who held it; asked again it tells that nobody does."""
    claim(database, ANN, "Ann@example.com", at=1)
    freed = release(database, LOGIN, "ANN@example.com", reason="left", clock=lambda: 5)
    assert freed == (Holding("login", "Ann@example.com", ANN, "claim", 1, None),)
    assert release(database, LOGIN, "ann@example.com", reason="left") == ()
    assert changes(database) == [("claim", "Ann@example.com", "7", "p/a"), ("release", "Ann@example.com", "7", "left")]
    assert claim(database, BOB, "ann@example.com")


def test_a_release_may_name_whose_value_it_is_to_be(database: Database) -> None:
    """If somebody else's it stays, and nothing is noted."""
    claim(database, ANN, "ann@example.com")
    assert release(database, LOGIN, "ann@example.com", reason="x", subject="8") == ()
    assert len(changes(database)) == 1
    assert len(release(database, LOGIN, "ann@example.com", reason="x", subject="7")) == 1


def test_of_two_who_release_a_value_one_frees_it(database: Database) -> None:
    """At the same time, as often as not: one is told whose it was, and one row is on record."""
    claim(database, ANN, "ann@example.com")
    start = threading.Barrier(4)

    def run(_: int) -> int:
        start.wait(60)
        return len(release(database, LOGIN, "ann@example.com", reason="x"))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [0, 0, 0, 1]
    assert len(changes(database)) == 2


# --- export


def test_an_export_has_the_documented_columns(database: Database) -> None:
    """Times to the last digit in UTC, `seen` empty for never, lines as RFC 4180 ends them; filters narrow it."""
    claim(database, ANN, 'An"n, a@example.com', at=1_772_442_000_123_456_789)
    claim(database, BOB, "bob", ALIAS, at=0)
    assert exported(database).decode("utf-8") == (
        HEADER
        + "alias,bob,0oa2,8,claim,1970-01-01T00:00:00Z,\r\n"
        + 'login,"An""n, a@example.com",0oa1,7,claim,2026-03-02T09:00:00.123456789Z,\r\n'
    )
    assert exported(database, Sought(["alias"])).count(b"\n") == 2
    assert exported(database, Sought(sources=["leaver"])).decode("utf-8") == HEADER


@pytest.mark.parametrize("cell", ["=1+1", "+49", "-x", "@a", "\tx", "\rx", "\nx", "＝1"])  # noqa: RUF001 - runs, too
def test_a_spreadsheet_runs_no_cell(cell: str) -> None:
    """Where it would, the cell begins with an apostrophe; the file says that it is UTF-8. By itself nothing changes."""
    page = (Holding("login", cell, Owner("0oa1", "7"), "claim", 0, None),)
    marked = b"".join(as_spreadsheet([page])).decode("utf-8")
    assert marked.startswith("\ufeffnamespace,")
    assert f"'{cell}" in marked
    assert "'" not in b"".join(as_csv([page])).decode("utf-8")


TEXTS = st.text(st.sampled_from("ab\r\n\t\",;' =\x85\u2028ä\ufeff"), max_size=6) | st.text(max_size=20)
HOLDINGS = st.builds(
    Holding,
    st.sampled_from(sorted(DECLARED)),
    TEXTS.filter(is_claimable),
    st.builds(Owner, TEXTS.map(bounded), TEXTS.filter(str.strip).map(bounded)),
    st.sampled_from(SOURCES),
    st.integers(0, 2**63 - 1),
    st.none() | st.integers(0, 2**63 - 1),
)


def test_what_is_exported_is_read_as_it_was(tmp_path: Path) -> None:
    """Line ends, quotes, blanks at either end, nanoseconds: nothing is lost on the way to another ledger."""

    @given(st.lists(HOLDINGS, max_size=5))
    def law(holdings: list[Holding]) -> None:
        path = tmp_path / "ledger.csv"
        path.write_bytes(b"".join(as_csv([holdings])))
        rows = list(ListFile(path, "exported", DECLARED, LOGIN, "", "moved").rows())
        assert [row for row in rows if isinstance(row, Fault)] == []
        read = [row for row in rows if isinstance(row, Listed)]
        assert [
            Holding(row.namespace.name, row.value, row.owner, row.source, row.since or 0, row.seen) for row in read
        ] == holdings

    law()


def test_a_ledger_moves_into_an_empty_one(database: Database, tmp_path: Path, listed: Callable[..., ListFile]) -> None:
    """What the second exports is what the first did, byte by byte; a second import changes nothing."""
    first = Database(url_of("sqlite:///first.db", tmp_path, "ledger.url"), "ledger", DatabaseOptions())
    migrate(first)
    claim(first, ANN, "Jürgen\r\n@example.com", at=1_772_442_000_123_456_789)
    claim(first, Owner("", "x" * 300), " =a@example.com", at=2)
    claim(first, BOB, "bob", ALIAS, at=3)
    imported(first, listed("admin@example.com\n"))
    content = exported(first)
    first.close()
    assert imported(database, listed(content, "exported")).added == 4
    assert exported(database) == content
    again = imported(database, listed(content, "exported"))
    assert (again.added, again.already) == (0, 4)
    assert [row[0] for row in changes(database)] == ["import"] * 4
    assert not claim(database, BOB, "JURGEN\r\n@example.com")
    assert claim(database, ANN, "JURGEN\r\n@example.com")


# --- lists


@pytest.mark.parametrize(
    "content",
    [
        "admin@x\nroot@x\n",
        "\ufeffadmin@x\r\n\r\n  root@x  \r\n",
        "value\nadmin@x\nroot@x",
        "Value;Note\nadmin@x;a\nroot@x;b\n;\n",
        'name\treason\tvalue\n1\t"a\nb"\tadmin@x\n2\t\troot@x\n',
        '"reason","value"\n"it, is","admin@x"\n"","root@x"\n',
    ],
    ids=["plain", "marked", "header", "semicolon", "tab", "quoted"],
)
def test_reserved_values_are_nobodys(database: Database, listed: Callable[..., ListFile], content: str) -> None:
    """One a line, or a column of any CSV that a spreadsheet writes: no owner gets them, each is on record."""
    done = imported(database, listed(content))
    assert (done.added, done.is_refused) == (2, False)
    assert {value: source for value, (_, source) in held(database).items()} == {
        "admin@x": "reserved",
        "root@x": "reserved",
    }
    assert not claim(database, Owner("", "reserved"), "ADMIN@x")
    assert [row[:2] for row in changes(database)] == [("import", "admin@x"), ("import", "root@x")]


def test_reasons_of_a_list_go_on_record(database: Database, listed: Callable[..., ListFile]) -> None:
    """A row's own, else the one for the whole list."""
    imported(database, listed("value,reason\na@x,for the board\nb@x,\n"))
    assert [row[-1] for row in changes(database)] == ["for the board", "from a list"]


def test_a_leavers_values_stay_with_them(database: Database, listed: Callable[..., ListFile]) -> None:
    """Nobody else gets them; who comes back through the same application does."""
    done = imported(
        database, listed("value,subject,application\na@x,007,0oa9\nb@x,8,\n", "leavers", application="0oa2")
    )
    assert (done.added, done.without_application) == (2, 0)
    assert held(database) == {"a@x": (Owner("0oa9", "007"), "leaver"), "b@x": (BOB, "leaver")}
    assert not claim(database, ANN, "b@x")
    assert claim(database, BOB, "B@x")


def test_a_list_without_applications_or_domains_is_told_of(database: Database, listed: Callable[..., ListFile]) -> None:
    """The administrator may have meant something else; it is no fault."""
    assert imported(database, listed("value,subject\na@x,7\n", "leavers")).without_application == 1
    assert imported(database, listed("admin\nroot@x\n")).without_domain == 1


LEAVERS = "value,subject\n"
ROW = "login,a@x,0oa1,7,claim,2026-03-01T09:00:00Z,\n"
ODD = {
    "namespace": ROW.replace("login", "logn"),
    "source": ROW.replace("claim", "clam"),
    "month": ROW.replace("03", "13"),
    "seen": ROW.replace("Z,", "Z,yes"),
    "early": ROW.replace("2026", "1969"),
    "late": ROW.replace("2026", "2300"),
    "subject": ROW.replace(",7,", ",,"),
}
FAULTS = [
    ("reserved", "a@x\n\nb@x,c\nd@x\te\n", [(3, "columns"), (4, "columns")]),
    ("reserved", "value,reason\na@x\n,r\nb@x,r,s\n", [(2, "columns"), (3, "no-value"), (4, "columns")]),
    ("reserved", "x" * 501 + "\na\0b\nok@x\n", [(1, "bad-value"), (2, "bad-value")]),
    ("reserved", b"a@x\nJ\xfcrgen@x\nb@x\n", [(2, "not-utf8")]),
    ("reserved", "a@x\n".encode("utf-16"), [(1, "not-utf8")]),
    ("reserved", 'value,reason\na@x,"never closed\n\n', [(2, "not-csv")]),
    ("reserved", "value\na@x\n" + "b" * 2**20 + "\n", [(3, "too-long")]),
    ("reserved", "value\n" + "b" * 2**18 + "\n", [(2, "not-csv")]),
    ("leavers", "", [(1, "bad-header")]),
    ("leavers", "a@x,7\n", [(1, "bad-header")]),
    ("leavers", "value,subject,value\na@x,7,b@x\n", [(1, "bad-header")]),
    ("leavers", LEAVERS + 'a@x,"7\n"\n,9\nb@x,  \n', [(4, "no-value"), (5, "no-subject")]),
    ("exported", "value,subject\na@x,7\n", [(1, "bad-header")]),
    ("exported", "\ufeff" + HEADER + ROW, [(1, "not-as-exported")]),
    ("exported", HEADER + ODD["namespace"] + ODD["source"], [(2, "unknown-namespace"), (3, "bad-source")]),
    (
        "exported",
        HEADER + ODD["month"] + ODD["seen"] + ODD["early"],
        [(2, "bad-time"), (3, "bad-time"), (4, "bad-time")],
    ),
    ("exported", HEADER + ODD["late"], [(2, "bad-time")]),
    ("exported", HEADER + ROW + ODD["subject"], [(3, "no-subject")]),
]


@pytest.mark.parametrize(("kind", "content", "expected"), FAULTS)
def test_a_faulty_row_refuses_the_whole_file(
    tmp_path: Path, listed: Callable[..., ListFile], kind: Kind, content: str | bytes, expected: list[tuple[int, str]]
) -> None:
    """All faults at once by line and kind, none of them quoting the file; nothing is imported."""
    database = Database(url_of("sqlite:///faults.db", tmp_path, "ledger.url"), "ledger", DatabaseOptions())
    migrate(database)
    done = imported(database, listed(content, kind))
    assert (done.is_refused, done.fault_count) == (True, len(expected))
    assert [(fault.line, fault.code) for fault in done.faults] == expected
    assert not [fault for fault in done.faults if "a@x" in fault.message or "logn" in fault.message]
    assert held(database) == {}
    database.close()


def test_of_many_faults_the_first_are_told(tmp_path: Path, listed: Callable[..., ListFile]) -> None:
    """A file of another kind has one in every line; all are counted."""
    database = Database(url_of("sqlite:///faults.db", tmp_path, "ledger.url"), "ledger", DatabaseOptions())
    migrate(database)
    done = imported(database, listed("value,subject\n" + "a@x,\n" * 250, "leavers"))
    assert (done.fault_count, len(done.faults)) == (250, MAX_FAULTS)
    database.close()


def test_values_of_somebody_else_refuse_the_whole_file(database: Database, listed: Callable[..., ListFile]) -> None:
    """Told by their lines, those that contradict an earlier line among them; nothing is imported, nothing noted."""
    claim(database, BOB, "B@x")
    content = "value,subject,application\na@x,7,0oa1\nb@x,7,0oa1\nc@x,7,0oa1\nÁ@x,8,0oa1\nA@X,7,0oa1\n"
    done = imported(database, listed(content, "leavers"))
    assert (done.is_refused, done.held) == (True, [3, 5])
    assert held(database) == {"B@x": (BOB, "claim")}
    assert len(changes(database)) == 1


def test_values_of_somebody_else_may_be_left_out(database: Database, listed: Callable[..., ListFile]) -> None:
    """The rest is imported; of contradicting lines the first counts."""
    claim(database, BOB, "b@x")
    content = "value,subject,application\na@x,7,0oa1\nb@x,7,0oa1\nÁ@x,8,0oa1\nA@X,7,0oa1\n"
    done = imported(database, listed(content, "leavers"), skips_held=True)
    assert (done.is_refused, done.added, done.already, done.held) == (False, 1, 1, [3, 4])
    assert held(database) == {"b@x": (BOB, "claim"), "a@x": (ANN, "leaver")}


def test_what_its_owner_holds_stays_as_it_is(database: Database, listed: Callable[..., ListFile]) -> None:
    """A list is imported as often as it is sent."""
    claim(database, BOB, "b@x")
    leavers = listed("value,subject,application\nB@x,8,0oa2\na@x,7,0oa1\n", "leavers")
    for added, already in ((1, 1), (0, 2)):
        done = imported(database, leavers)
        assert (done.added, done.already, done.is_refused) == (added, already, False)
    assert held(database) == {"b@x": (BOB, "claim"), "a@x": (ANN, "leaver")}
    assert len(changes(database)) == 2


def test_a_list_goes_into_the_namespace_that_is_named(database: Database, listed: Callable[..., ListFile]) -> None:
    """And is compared as that one compares."""
    imported(database, listed("admin.ext@x\n", namespace="alias"))
    assert (held(database), sorted(held(database, namespace="alias"))) == ({}, ["admin.ext@x"])
    assert not claim(database, ANN, "ADMIN@elsewhere.example", ALIAS)


class ChangingFile(ListFile):
    """A file that somebody saves while it is imported: its second reading ends in a fault."""

    readings = itertools.count()

    def rows(self) -> Iterator[Listed | Fault]:
        """Yield the rows, and once more with a fault at the end."""
        yield from super().rows()
        if next(self.readings):
            yield Fault(2, "no-value", "the row has no value")


def test_a_file_that_changes_meanwhile_is_refused(database: Database, listed: Callable[..., ListFile]) -> None:
    """It is read twice; what was sound the first time leaves nothing if it is faulty the second."""
    file = listed("a@x\n")
    done = imported(database, ChangingFile(file.path, file.kind, file.declared, file.namespace, "", ""))
    assert (done.is_refused, done.fault_count) == (True, 1)
    assert (held(database), changes(database)) == ({}, [])


def test_claims_wait_for_an_import_and_miss_nothing(database: Database, listed: Callable[..., ListFile]) -> None:
    """Each value has one holder afterwards: who claims meanwhile is refused what the list gave away, or was first."""
    values = [f"x{number}@x" for number in range(3_000)]
    file = listed("".join(f"{value}\n" for value in values))
    done = threading.Event()

    def claim_on(owners: Sequence[str]) -> set[str]:
        got = set()
        for owner, value in zip(itertools.cycle(owners), itertools.cycle(values[::7])):
            if claim(database, Owner("0oa1", owner), value):
                got.add(value)
            if done.is_set():
                return got
        raise AssertionError

    with ThreadPoolExecutor(1) as pool:
        claiming = pool.submit(claim_on, ["7"])
        came = imported(database, file, skips_held=True)
        done.set()
        mine = claiming.result(60)
    owned = held(database)
    assert sorted(owned) == sorted(values)
    assert {value for value, (owner, _) in owned.items() if owner == Owner("0oa1", "7")} == mine
    assert (came.added + len(came.held), len(came.held)) == (3_000, len(mine))
    assert len(changes(database)) == 3_000


def test_times_are_told_to_the_last_digit() -> None:
    """Whatever digits a moment has."""
    assert [moment(nanoseconds) for nanoseconds in (0, 1, 10**9, 1_772_442_000_100_000_000)] == [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000000001Z",
        "1970-01-01T00:00:01Z",
        "2026-03-02T09:00:00.100Z",
    ]
