"""The log as its readers see it: in the order of time, without what is torn, and every line once."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.adapters import decision_reading, decision_tail
from usher.adapters.csv_cells import csv_lines, harmless
from usher.adapters.decision_export import COLUMNS, as_csv, as_jsonl, as_spreadsheet
from usher.adapters.decision_files import files_of
from usher.adapters.decision_filter import Filter, Sought, person_of
from usher.adapters.decision_reading import Line, UnreadableLogError, merged, parsed
from usher.adapters.decision_tail import Follower, ends_of_lines, newest, sizes
from usher.adapters.redaction import Redactor

ALL = Filter(Sought())
FIRST = "decisions.20260301T090000Z-1.jsonl"
SECOND = "decisions.20260301T090100Z-1.jsonl"
OTHER = "decisions.20260301T090030Z-2.jsonl"


def at(second: float) -> str:
    """Return a moment so long after nine, as lines spell it."""
    moment = datetime.fromtimestamp(datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp() + second, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def line(number: int, second: float = 0, **more: object) -> bytes:
    """Return a decision's line."""
    data = {"decision_id": f"d{number}", "timestamp": at(second), "outcome": "default", "shadow": False, **more}
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def ids(lines: Sequence[Line]) -> list[str]:
    """Return which decisions these are."""
    return [str(line.data["decision_id"]) for line in lines]


@dataclass
class Heard:
    """Remembers what was said to be broken."""

    said: list[tuple[str, int, int]] = field(default_factory=list)

    def __call__(self, path: Path, number: int, count: int) -> None:
        """Remember."""
        self.said.append((path.name, number, count))


@pytest.fixture
def heard() -> Heard:
    """Return an ear."""
    return Heard()


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    """Return the log's path from the settings."""
    return tmp_path / "decisions.jsonl"


def read_all(stem: Path, heard: Heard, wanted: Filter = ALL) -> list[str]:
    """Return what the merged files hold."""
    return ids(list(merged(files_of(stem), wanted, heard)))


def read_newest(stem: Path, heard: Heard, count: int, wanted: Filter = ALL) -> list[str]:
    """Return the newest."""
    files = files_of(stem)
    return ids(newest(files, sizes(files), wanted, count, heard))


def test_files_are_read_in_the_order_of_time(stem: Path, heard: Heard) -> None:
    """Those of one process one after the other, those of several side by side."""
    stem.with_name(FIRST).write_bytes(line(1, 1) + line(2, 31) + line(4, 58))
    stem.with_name(SECOND).write_bytes(line(5, 59) + line(7, 90))
    stem.with_name(OTHER).write_bytes(line(3, 40) + line(6, 70) + line(8, 9999))
    assert read_all(stem, heard) == [f"d{number}" for number in range(1, 9)]
    assert [read_newest(stem, heard, count) for count in (0, 1, 3, 99)] == [
        [],
        ["d8"],
        ["d6", "d7", "d8"],
        [f"d{number}" for number in range(1, 9)],
    ]
    assert heard.said == []


def test_a_file_is_opened_when_its_time_has_come(stem: Path, heard: Heard) -> None:
    """A year of rotated files is read with two or three open; what is broken in a later one is not said yet."""
    for hour in range(20):
        name = f"decisions.20260301T{hour:02}0000Z-1.jsonl"
        stem.with_name(name).write_bytes(
            line(hour, (hour - 9) * 3600 + 1) + b"torn\n" + line(hour, (hour - 9) * 3600 + 2)
        )
    lines = merged(files_of(stem), ALL, heard)
    for _ in range(5):
        next(lines)
    assert len(heard.said) == 2


def test_torn_and_damaged_lines_are_passed_over_and_said_once_a_file(stem: Path, heard: Heard) -> None:
    """With the number of the first; forwards and backwards say the same, nothing of the line is told."""
    bad = [b'{"decision_id":"d9","times', b"\0\0\0", b"[1]", b'{"decision_id":1}', b'{"decision_id":"d9"}', b"\xff{}"]
    stem.with_name(FIRST).write_bytes(
        line(1, 1) + b"".join(one + b"\n" for one in bad) + line(2, 2) + b'{"decision_id"'
    )
    stem.with_name(SECOND).write_bytes(line(3, 61) + b"\n")
    assert read_all(stem, heard) == ["d1", "d2", "d3"]
    assert heard.said == [(FIRST, 2, 7), (SECOND, 2, 1)]
    heard.said.clear()
    assert read_newest(stem, heard, 9) == ["d1", "d2", "d3"]
    assert sorted(heard.said) == [(FIRST, 2, 7), (SECOND, 2, 1)]


def test_a_clock_that_was_put_back_hides_nothing(stem: Path, heard: Heard) -> None:
    """Names of files never go back; lines older than the name of their file are found all the same."""
    stem.with_name("decisions.20260301T110000Z-1.jsonl").write_bytes(line(1, 60) + line(2, 120))
    stem.with_name("decisions.20260301T110000Z-1_001.jsonl").write_bytes(line(3, 7500) + line(4, 180))
    assert read_all(stem, heard, Filter(Sought(until=at(600)))) == ["d1", "d2", "d4"]
    assert sorted(read_newest(stem, heard, 9, Filter(Sought(since=at(100), until=at(600))))) == ["d2", "d4"]
    stem.with_name("decisions.20260301T110000Z-1.jsonl").write_bytes(line(1, 60) + line(2, 10))
    assert sorted(read_newest(stem, heard, 9, Filter(Sought(since=at(30), until=at(600))))) == ["d1", "d4"]
    assert read_all(stem, heard, Filter(Sought(until=at(5)))) == []


def test_a_line_that_lacks_only_its_end_is_a_line(stem: Path, heard: Heard) -> None:
    """The service was killed between two bytes: what is there is whole."""
    stem.with_name(FIRST).write_bytes(line(1) + line(2).rstrip())
    assert read_all(stem, heard) == read_newest(stem, heard, 2) == ["d1", "d2"]
    assert heard.said == []


def test_what_is_longer_than_any_line_costs_no_memory(
    stem: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage without a line end is one broken line, and what stands behind it is read."""
    for module in (decision_reading, decision_tail):
        monkeypatch.setattr(module, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(decision_reading, "BLOCK_BYTES", 100)
    stem.with_name(FIRST).write_bytes(line(1) + b"x" * 5000 + b"\n" + line(2, 1))
    assert read_all(stem, heard) == read_newest(stem, heard, 2) == ["d1", "d2"]
    assert heard.said == [(FIRST, 2, 1)] * 2


def test_a_file_that_is_deleted_meanwhile_has_nothing(stem: Path, heard: Heard) -> None:
    """Its time had come; who reads the others must not stop."""
    stem.with_name(FIRST).write_bytes(line(1, 1))
    stem.with_name(SECOND).write_bytes(line(2, 61))
    files = files_of(stem)
    stem.with_name(FIRST).unlink()
    assert ids(list(merged(files, ALL, heard))) == ["d2"]
    assert ids(newest(files, sizes(files), ALL, 9, heard)) == ["d2"]


def test_a_file_that_cannot_be_read_is_a_fault(stem: Path, heard: Heard) -> None:
    """Half an answer would pass for a whole one."""
    stem.with_name(FIRST).mkdir()
    for wanted in (ALL, Filter(Sought(since=at(86_400)))):
        with pytest.raises(UnreadableLogError, match="cannot be read"):
            read_all(stem, heard, wanted)
    with pytest.raises(UnreadableLogError, match="cannot be read"):
        read_newest(stem, heard, 1)


def test_files_outside_of_the_time_are_not_read(stem: Path, heard: Heard) -> None:
    """By their names and their last write: a question about today does not read a year."""
    for name, second in ((FIRST, 1), (OTHER, 31), (SECOND, 61)):
        stem.with_name(name).write_bytes(line(int(second), second) + b"torn\n")
        os.utime(stem.with_name(name), (datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp() + second,) * 2)
    assert read_all(stem, heard, Filter(Sought(since=at(50)))) == ["d61"]
    assert read_all(stem, heard, Filter(Sought(until=at(1)))) == []
    assert [name for name, _, _ in heard.said] == [SECOND, FIRST]


def test_a_file_whose_last_write_was_not_noted_is_read(stem: Path, heard: Heard) -> None:
    """Windows notes it when the file is closed: what a service writes today may look as if it were of yesterday."""
    for name, second in ((FIRST, 5), (OTHER, 90_000)):
        stem.with_name(name).write_bytes(line(int(second), second) + b'{"torn')
        os.utime(stem.with_name(name), (datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp() - second,) * 2)
    assert read_all(stem, heard, Filter(Sought(since=at(86_400)))) == ["d90000"]
    assert read_newest(stem, heard, 1, Filter(Sought(since=at(86_400)))) == ["d90000"]


def test_the_newest_need_the_ends_of_files_alone(stem: Path, heard: Heard) -> None:
    """A torn line an hour before is not even seen."""
    stem.with_name(FIRST).write_bytes(b"torn\n" + b"".join(line(number, 10 * number) for number in range(1000)))
    assert read_newest(stem, heard, 2) == ["d998", "d999"]
    assert read_newest(stem, heard, 2, Filter(Sought(since=at(9980)))) == ["d998", "d999"]
    assert heard.said == []


@given(
    places=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), max_size=25),
    block=st.integers(1, 300),
    count=st.integers(0, 30),
)
def test_forwards_and_backwards_find_the_same(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]], block: int, count: int
) -> None:
    """However lines are spread over files and blocks, the newest are the last that are read; each comes once."""
    stem = tmp_path_factory.mktemp("log") / "decisions.jsonl"
    second = 0.0
    for number, (file, step) in enumerate(places):
        second += step + 0.001
        with stem.with_name((FIRST, OTHER, SECOND)[file]).open("ab") as out:
            out.write(line(number, second))
    heard = Heard()
    before = decision_reading.BLOCK_BYTES
    decision_reading.BLOCK_BYTES = block  # type: ignore[misc]  # real blocks are larger than what a law can write
    try:
        found = read_newest(stem, heard, count)
    finally:
        decision_reading.BLOCK_BYTES = before  # type: ignore[misc]
    assert found == [f"d{number}" for number in range(len(places))][max(0, len(places) - count) :]
    assert sorted(read_all(stem, heard)) == sorted(f"d{number}" for number in range(len(places)))
    assert heard.said == []


@pytest.fixture
def follower(stem: Path, heard: Heard) -> Follower:
    """Return somebody who follows a log that is there already."""
    stem.with_name(FIRST).write_bytes(line(1, 1) + b'{"decision_id":"d2",')
    return Follower(stem, ends_of_lines(files_of(stem)), ALL, heard)


def news(follower: Follower) -> list[str]:
    """Return which decisions have come."""
    return ids(follower.news()[0])


def add(path: Path, content: bytes) -> None:
    """Write at the end of a file."""
    with path.open("ab") as file:
        file.write(content)


def test_a_line_is_told_once_it_is_whole(follower: Follower, stem: Path, heard: Heard) -> None:
    """The half line that was there is the beginning of one, not damage."""
    assert follower.news() == ([], False)
    add(stem.with_name(FIRST), line(2, 2)[len('{"decision_id":"d2",') : -1])
    assert news(follower) == []
    add(stem.with_name(FIRST), b"\n" + line(3, 3) + b"{")
    assert news(follower) == ["d2", "d3"]
    assert follower.news() == ([], False)
    assert heard.said == []


def test_new_files_are_followed_from_their_beginning(follower: Follower, stem: Path) -> None:
    """Those of the same process, and those of others; what comes at once is told by time."""
    add(stem.with_name(SECOND), line(3, 61))
    add(stem.with_name(OTHER), line(2, 40))
    assert news(follower) == ["d2", "d3"]
    stem.with_name(OTHER).unlink()
    add(stem.with_name(SECOND), line(4, 62))
    assert news(follower) == ["d4"]


def test_a_line_that_was_torn_is_said_once_it_has_an_end(follower: Follower, stem: Path, heard: Heard) -> None:
    """The next writer ends it; once a file is enough."""
    add(stem.with_name(FIRST), b"\n" + line(3, 3) + b"torn\n")
    assert news(follower) == ["d3"]
    add(stem.with_name(FIRST), b"torn\n")
    assert news(follower) == []
    assert heard.said == [(FIRST, 2, 1)]


def test_what_grows_fast_is_told_in_pieces(follower: Follower, stem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more than so much of a file at a time; what is longer than a line may be is passed over."""
    monkeypatch.setattr(decision_tail, "MAX_LINE_BYTES", 200)
    add(
        stem.with_name(SECOND),
        b"".join(line(number, 60 + number) for number in range(20)) + b"x" * 500 + b"\n" + line(99),
    )
    found: list[str] = []
    while True:
        lines, has_grown = follower.news()
        if not has_grown:
            break
        assert len(lines) < 4
        found += ids(lines)
    assert found == [*(f"d{number}" for number in range(20)), "d99"]


REDACTOR = Redactor(bytes(32), public_user=frozenset(), public_app_user=frozenset())
KNOWN = {
    "event_id": "e1",
    "outcome": "hold",
    "application": {"id": "0oa1", "name": "workday", "label": "Workday (Prod)"},
    "trace": {"a/one": "fired", "a/two": "false at 1:1"},
    "hold": ["a/board"],
    "subject": REDACTOR.hashed("row-7"),
    "input": {"data": {"user": {"profile": {"department": "Sales", "nickName": "Zoë", "number": 7.0}}}},
    "claims": [{"granted": {"login": REDACTOR.hashed("ann.lee@example.com")}}],
    "faults": [f"{REDACTOR.hashed('$.x y')}: type"],
    "lookups": [{"value": REDACTOR.hashed(12), "found": True}],
}


@pytest.mark.parametrize(
    ("sought", "is_found"),
    [
        (Sought(), True),
        (Sought(since=at(5)), True),
        (Sought(since=at(5.001)), False),
        (Sought(until=at(5)), False),
        (Sought(until=at(5.001)), True),
        (Sought(outcomes=["hold", "commands"]), True),
        (Sought(outcomes=["default"]), False),
        (Sought(rules=["a/one"]), True),
        (Sought(rules=["x/y", "a/board"]), True),
        (Sought(rules=["a/two"]), False),
        (Sought(rules=["e1"]), False),
        (Sought(event="e1"), True),
        (Sought(event="0oa1"), False),
        *((Sought(application=name), True) for name in ("0oa1", "workday", "Workday (Prod)")),
        (Sought(application="e1"), False),
        (Sought(shadow=False), True),
        (Sought(shadow=True), False),
        *(
            (Sought(person=person_of(value, REDACTOR)), True)
            for value in ("row-7", "ann.lee@example.com", "Sales", "Zoë", "7", "12", "12.0", "$.x y")
        ),
        *(
            (Sought(person=person_of(value, REDACTOR)), False)
            for value in ("row-8", "department", "sales", "ann.lee", "1", "true", "NaN")
        ),
        (Sought(person=person_of("Zoë", None)), True),
        (Sought(person=person_of("row-7", None)), False),
        (Sought(person=person_of("Sales", REDACTOR), rules=["a/one"], event="e1", shadow=False), True),
        (Sought(person=person_of("Sales", REDACTOR), rules=["a/two"]), False),
    ],
)
def test_a_line_is_what_was_asked_for(sought: Sought, *, is_found: bool) -> None:
    """All of what was asked must hold; and what is accepted is never passed over by its bytes."""
    known = parsed(line(1, 5, **KNOWN).rstrip())
    assert known is not None
    wanted = Filter(sought)
    assert wanted.accepts(known) == is_found
    assert wanted.may_be(known.content) or not is_found


@pytest.mark.parametrize("field_name", ["trace", "hold", "application", "conflicts", "errors", "vetoed", "outcome"])
@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [1], [[]], {"a": []}])
def test_a_line_of_another_version_is_no_fault(field_name: str, value: object) -> None:
    """What has another shape is not found and leaves a cell empty; reading goes on."""
    odd = parsed(line(1, 5, **{**KNOWN, field_name: value}).rstrip())
    assert odd is not None
    Filter(Sought(rules=["a/one"], application="0oa1", outcomes=["hold"])).accepts(odd)
    assert b"".join(as_csv([odd])).count(b"\r\n") == 2


def test_the_table_has_a_row_for_each_line() -> None:
    """Several names in one cell stand with blanks between; true, false and what is missing are texts."""
    more = {
        "vetoed": ["user.title", "action.link"],
        "conflicts": [{"target": "user.city", "rules": ["a/x"]}],
        "errors": [{"rule": "a/y", "code": "no-such-key", "target": "", "closed": False}],
        "milliseconds": 1.25,
        "revision": "3f2a",
        "ending": "create",
        "key": "01234567",
    }
    known = parsed(line(1, 5, **KNOWN, **more).rstrip())
    assert known is not None
    (row,) = csv.DictReader(io.StringIO(b"".join(as_csv([known])).decode(), newline=""))
    assert tuple(row) == COLUMNS
    assert row == {
        "timestamp": at(5),
        "decision_id": "d1",
        "event_id": "e1",
        "shadow": "false",
        "outcome": "hold",
        "ending": "create",
        "application_id": "0oa1",
        "application_label": "Workday (Prod)",
        "subject": KNOWN["subject"],
        "fired": "a/one",
        "hold": "a/board",
        "vetoed": "user.title action.link",
        "conflicts": "user.city",
        "errors": "a/y:no-such-key",
        "milliseconds": "1.25",
        "revision": "3f2a",
        "key": "01234567",
    }


def test_a_spreadsheet_runs_no_cell() -> None:
    """APPSEC: an application's label and an event's id are somebody else's texts."""
    told = {"event_id": "=cmd|' /C calc'!A1", "application": {"label": "@SUM(1)", "id": "+1"}}
    known = parsed(line(1, 5, **told).rstrip())
    assert known is not None
    content = b"".join(as_spreadsheet([known]))
    assert content.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert [row[name] for name in ("event_id", "application_label", "application_id")] == [
        "'=cmd|' /C calc'!A1",
        "'@SUM(1)",
        "'+1",
    ]
    assert b"'=" not in b"".join(as_csv([known]))


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a\t=1", "a\t'=1"),
        ("a\n @SUM(1)", "a\n' @SUM(1)"),
        ("  =1", "'  =1"),
        ("a=1; b-2", "a=1; b-2"),
        ("jo@example.com", "jo@example.com"),
        ("half a pair \ud800", "half a pair \ud800"),
    ],
)
def test_a_cell_within_a_cell_is_none(cell: str, shown: str) -> None:
    """APPSEC: many spreadsheets split at `;`, whatever the file says; text without a formula stays as it is."""
    assert harmless(cell) == shown
    assert csv_lines([[cell]])


@pytest.mark.parametrize(("form", "ends"), [(as_jsonl, 1000), (as_csv, 1001), (as_spreadsheet, 1001)])
def test_pieces_are_many_and_all_there(form: Callable[[object], object], ends: int) -> None:
    """A log larger than memory goes through piece by piece."""
    known = parsed(line(1, 5, **KNOWN).rstrip())
    assert known is not None
    pieces = list(form(known for _ in range(1000)))  # type: ignore[call-overload]  # three functions of one shape
    assert len(pieces) > 3
    assert b"".join(pieces).count(b"\n") == ends
