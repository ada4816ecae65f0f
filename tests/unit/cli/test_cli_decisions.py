"""`usher decisions`: what is on record, shown, searched and taken elsewhere."""

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from usher.adapters.decision_log import DecisionLog
from usher.adapters.keys import redaction_key
from usher.adapters.redaction import Redactor
from usher.answer.record import DecisionRecord
from usher.domain.decision import Hold, Outcome, RuleTrace, Verdict

Run = Callable[..., Result]
Put = Callable[..., DecisionRecord]
ESCAPE = "\x1b[31m"


def record(number: int, **more: Any) -> DecisionRecord:
    """Return a decision of the minute with this number."""
    facts: dict[str, Any] = {
        "decision_id": f"d{number}",
        "timestamp": f"2026-03-02T09:{number:02}:00.000Z",
        "event_id": f"event-{number}",
        "application": {"name": "workday", "id": "0oa1", "label": "Workday"},
        "subject": f"row-{number}",
        "revision": "3f2a",
        "input": {"data": {"user": {"profile": {"login": f"ann{number}@example.com", "number": 40 + number}}}},
        "trace": (RuleTrace("a/fires", Verdict.FIRED), RuleTrace("a/waits", Verdict.FALSE, 3, 7)),
        "commands": (),
        "conflicts": (),
        "errors": (),
        "faults": (),
        "outcome": Outcome.DEFAULT,
        "milliseconds": 1.26,
    }
    return DecisionRecord(**{**facts, **more})


@pytest.fixture
def put(folder: Path) -> Put:
    """Return what puts a decision on record, as the service does with the key of the state folder."""
    redactor = Redactor(redaction_key(folder / "state"), public_user=frozenset(), public_app_user=frozenset())

    def decide(number: int, *, in_clear: bool = False, **more: Any) -> DecisionRecord:
        log = DecisionLog(
            folder / "decisions.jsonl",
            None if in_clear else redactor,
            lambda: None,
            started=datetime(2026, 3, 2, 9, tzinfo=UTC),
        )
        made = record(number, **more)
        log.append(made)
        log.close()
        return made

    return decide


def told(result: Result) -> list[str]:
    """Return the ids of the decisions that were printed."""
    return [line.split("  ")[1] for line in result.stdout.splitlines()]


def test_tail_prints_one_line_for_each_of_the_newest(run: Run, put: Put) -> None:
    """When, which, what came of it, from where, by which rules, and how long it took."""
    for number in range(12):
        put(number)
    assert told(run("decisions", "tail")) == [f"d{number}" for number in range(2, 12)]
    assert run("decisions", "tail", "-n", 1).stdout == (
        "2026-03-02T09:11:00.000Z  d11  default  Workday  fired a/fires  1.3 ms\n"
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"holds": (Hold("a/board", "x"),), "outcome": Outcome.HOLD}, "hold  Workday  held by a/board  fired a/fires"),
        ({"trace": (), "application": {"name": "workday"}}, "default  workday  no rule fired"),
        ({"application": {}}, "default  -  fired a/fires"),
        ({"shadow": True}, "shadow default  Workday  fired a/fires"),
        ({"application": {"label": f"W{ESCAPE}\n"}}, r"default  W\x1b[31m\n  fired a/fires"),
    ],
)
def test_a_line_tells_what_matters(run: Run, put: Put, more: dict[str, Any], expected: str) -> None:
    """Holds before what fired; shadows are marked; APPSEC: a label moves no cursor."""
    put(1, **more)
    assert run("decisions", "tail").stdout == f"2026-03-02T09:01:00.000Z  d1  {expected}  1.3 ms\n"


def test_raw_lines_are_those_of_the_log(run: Run, put: Put, folder: Path) -> None:
    """For other programs, from either command."""
    for number in range(3):
        put(number)
    content = next(folder.glob("decisions.*.jsonl")).read_text(encoding="utf-8")
    assert run("decisions", "tail", "--json").stdout == content
    assert run("decisions", "export").stdout == content


FILTERS = [
    (["--since", "2026-03-02T09:02:00Z"], ["d2", "d3", "d4"]),
    (["--since", "2026-03-02T11:02:00+02:00", "--until", "2026-03-02T09:03:00.001z"], ["d2", "d3"]),
    (["--until", "2026-03-02"], []),
    (["--since", "2026-03-02", "--until", "2026-03-03"], ["d1", "d2", "d3", "d4"]),
    (["--outcome", "hold", "--outcome", "commands"], ["d2", "d3"]),
    (["--rule", "a/board"], ["d2"]),
    (["--rule", "a/fires", "--no-shadow"], ["d1", "d2", "d3"]),
    (["--rule", "a/waits"], []),
    (["--event", "event-3"], ["d3"]),
    (["--application", "0oa2"], ["d3"]),
    (["--shadow"], ["d4"]),
    (["--person", "row-2"], ["d2"]),
    (["--person", "ann3@example.com"], ["d3"]),
    (["--person", "43"], ["d3"]),
    (["--person", "nobody"], []),
]


@pytest.mark.parametrize(("options", "expected"), FILTERS)
@pytest.mark.parametrize("in_clear", [False, True], ids=["redacted", "in clear"])
def test_filters_choose(run: Run, put: Put, options: list[str], expected: list[str], *, in_clear: bool) -> None:
    """The same with both commands, whether the log hides values or not."""
    put(1, in_clear=in_clear)
    put(2, in_clear=in_clear, holds=(Hold("a/board", "x"),), outcome=Outcome.HOLD)
    put(3, in_clear=in_clear, outcome=Outcome.COMMANDS, application={"id": "0oa2"})
    put(4, in_clear=in_clear, shadow=True)
    assert told(run("decisions", "tail", *options)) == expected
    exported = run("decisions", "export", *options).stdout.splitlines()
    assert [json.loads(line)["decision_id"] for line in exported] == expected


def test_a_person_is_found_under_an_older_key(run: Run, put: Put, folder: Path) -> None:
    """With the folder in which the old key lies; without any key what is in clear is found, and that is said."""
    put(1)
    (folder / "state").rename(folder / "old")
    redaction_key(folder / "state")
    assert told(run("decisions", "tail", "--person", "row-1")) == []
    assert told(run("decisions", "tail", "--person", "row-1", "--set", "state.folder=old")) == ["d1"]
    put(2, in_clear=True)
    result = run("decisions", "tail", "--person", "row-2", "--set", "state.folder=none")
    assert told(result) == ["d2"]
    assert result.stderr == f"there is no redaction key in {folder / 'none'}: only lines in clear are found\n"
    assert not (folder / "none").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--since", "yesterday"],
        ["--since", ""],
        ["--until", ""],
        ["--person", "half a pair \ud800"],
        ["--since", "2026-03-02T09:00:00"],
        ["--until", "2026-02-30"],
        ["--until", "0001-01-01T00:00:00+14:00"],
        ["--outcome", "nice"],
        ["--person", ""],
    ],
)
@pytest.mark.parametrize("command", ["tail", "export"])
def test_what_cannot_be_meant_is_misuse(run: Run, put: Put, command: str, options: list[str]) -> None:
    """Exit 2, with what to write."""
    put(1)
    result = run("decisions", command, *options, expected=2)
    assert result.stdout == ""
    assert "Error: " in result.stderr


def test_show_prints_both_lines(run: Run, put: Put) -> None:
    """All that is on record, for a person to read and a program to parse."""
    put(1)
    put(1, shadow=True, input=None, trace=())
    shown = run("decisions", "show", "d1").stdout
    assert shown.startswith('{\n "answer": {\n  "decision_id": "d1",\n')
    data = json.loads(shown)
    assert (data["answer"]["shadow"], data["shadow"]["shadow"]) == (False, True)
    put(2)
    assert json.loads(run("decisions", "show", "d2").stdout)["shadow"] is None
    assert "none of 1 files of the decision log holds the decision d9" in str(
        run("decisions", "show", "d9", expected=2).exception
    )


@pytest.mark.parametrize("command", [["tail"], ["export"], ["show", "d1"]])
def test_a_log_that_is_not_there_is_said(run: Run, command: list[str]) -> None:
    """Exit 2: most likely the settings are not those of the service."""
    assert "there is no decision log yet" in str(run("decisions", *command, expected=2).exception)


@pytest.mark.parametrize("command", ["tail", "export"])
def test_a_torn_line_is_said_and_not_shown(run: Run, put: Put, folder: Path, command: str) -> None:
    """On stderr with its place, exit 0."""
    put(1)
    path = next(folder.glob("decisions.*.jsonl"))
    with path.open("ab") as file:
        file.write(b'{"decision_id":"d2","subject":"planted\n{"decision_id":"d3","subject":"planted')
    result = run("decisions", command)
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == f"{path}:2: torn or damaged, skipped, and 1 more line of this file\n"


def test_a_table_goes_to_a_file_whole(run: Run, put: Put, folder: Path) -> None:
    """With a header line; one that cannot be written leaves what was there."""
    put(1, event_id="=1+1")
    run("decisions", "export", "--format", "csv", "--output", "out.csv")
    first, second = (folder / "out.csv").read_text(encoding="utf-8").splitlines()
    assert first.startswith("timestamp,decision_id,event_id,shadow,outcome,")
    assert second.startswith("2026-03-02T09:01:00.000Z,d1,=1+1,false,default,")
    run("decisions", "export", "--format", "csv", "--for-spreadsheet", "--output", "out.csv")
    assert ",d1,'=1+1," in (folder / "out.csv").read_text(encoding="utf-8-sig")
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".jsonl") == ["out.csv", "state"]
    assert os.name == "nt" or (folder / "out.csv").stat().st_mode & 0o077 == 0  # as private as the log itself
    assert "cannot be written" in str(run("decisions", "export", "--output", "no/such.csv", expected=2).exception)
    assert "no file, so it cannot be replaced" in str(run("decisions", "export", "--output", ".", expected=2).exception)
    assert run("decisions", "export", "--for-spreadsheet", expected=2).stdout == ""


def test_a_log_that_cannot_be_read_leaves_no_half_export(run: Run, put: Put, folder: Path) -> None:
    """Exit 2, one line, and the file from before."""
    put(1)
    (folder / "out.jsonl").write_text("before", encoding="utf-8")
    (folder / "decisions.20300101T000000Z-1.jsonl").mkdir()
    result = run("decisions", "export", "--output", "out.jsonl", expected=2)
    assert re.search(r"decisions\.20300101T000000Z-1\.jsonl: the decision log cannot be read: ", str(result.exception))
    assert (folder / "out.jsonl").read_text(encoding="utf-8") == "before"


def test_reading_changes_nothing(run: Run, put: Put, folder: Path) -> None:
    """No key is made, no file touched: the service's folder may be read-only to who looks."""
    put(1)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    for command in (["tail"], ["export"], ["show", "d1"]):
        run("decisions", *command)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
