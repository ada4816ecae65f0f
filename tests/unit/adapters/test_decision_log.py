"""The decision log: every line whole, no fault ever reaching the caller."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from usher.adapters.decision_log import MAX_LINE_BYTES, DecisionLog, DecisionLogError
from usher.adapters.keys import key_id
from usher.adapters.redaction import Redactor
from usher.answer.record import DecisionRecord
from usher.domain.command import Command, CommandType
from usher.domain.decision import Hold, Outcome
from usher.shapes import Shape

ROOT = Path(__file__).parents[3]
STARTED = datetime(2026, 3, 1, 9, tzinfo=UTC)
SCHEMA = Shape(json.loads((ROOT / "schemas" / "decision.schema.json").read_text(encoding="utf-8")))


class Losses:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        """Count one loss."""
        self.count += 1


@pytest.fixture
def losses() -> Losses:
    """Return a fresh counter."""
    return Losses()


@pytest.fixture
def log(tmp_path: Path, redactor: Redactor, losses: Losses) -> Iterator[DecisionLog]:
    """Return a log in an empty folder."""
    log = DecisionLog(tmp_path / "logs" / "decisions.jsonl", redactor, losses, started=STARTED)
    yield log
    log.close()


def lines_of(log: DecisionLog) -> list[Any]:
    """Return the lines, each of which must be JSON and fit the schema."""
    content = log.path.read_bytes()
    assert content.endswith(b"\n")
    lines = [json.loads(line) for line in content.splitlines()]
    assert [fault for line in lines for fault in SCHEMA.faults(line)] == []
    return lines


def test_each_process_has_a_file_of_its_own(log: DecisionLog, tmp_path: Path) -> None:
    """The name is the stem with start and process id; nothing is created before it is needed."""
    assert log.path == tmp_path / "logs" / f"decisions.20260301T090000Z-{os.getpid()}.jsonl"
    assert not log.path.parent.exists()
    log.open()
    assert log.path.read_bytes() == b""


def test_a_record_is_on_file_when_append_returns(log: DecisionLog, record: DecisionRecord, losses: Losses) -> None:
    """Another reader finds the whole line at once, with every field of the design."""
    log.append(record)
    (line,) = lines_of(log)
    assert line["decision_id"] == record.decision_id
    assert line["outcome"] == "commands"
    assert line["trace"] == {
        "logins/infix": "fired",
        "logins/number": "false at 12:7",
        "locale/german": "no-such-key at 30:9",
        "links/rehire": "unfit",
        "logins/token": "exhausted",
    }
    assert line["conflicts"] == [{"target": "user.locale", "rules": ["locale/german", "locale/other"]}]
    assert line["errors"][1:] == [
        {"rule": "clean/phone", "code": "maxLength", "target": "user.mobilePhone", "closed": False},
        {"rule": "links/board", "code": "no-such-key", "target": "", "closed": True},
    ]
    assert (line["ending"], line["vetoed"]) == ("create", ["action.link", "user.title"])
    assert line["hold"] == ["links/ambiguous", "links/board"]
    assert line["debug"] == {"logins/free": {"department": "Sales"}}
    assert line["commands"][0]["type"] == "com.okta.user.profile.update"
    assert line["input"]["data"]["action"] == {"result": "CREATE_USER"}
    assert (log.losses, losses.count) == (0, 0)


def test_a_line_names_the_key_of_its_hashes(log: DecisionLog, record: DecisionRecord) -> None:
    """After a change of the key an admin sees which lines join; without redaction there is nothing to name."""
    log.append(record)
    log.redact_with(Redactor(bytes(32), public_user=frozenset(), public_app_user=frozenset()))
    log.append(record)
    log.redact_with(None)
    log.append(record)
    first, second, clear = lines_of(log)
    assert second["key"] == key_id(bytes(32)) != first["key"]
    assert second["subject"] != first["subject"]
    assert "key" not in clear


def test_records_to_come_are_redacted_by_the_new_set(log: DecisionLog, record: DecisionRecord) -> None:
    """What a profile schema now says is no secret stands readable from the next line on; the file goes on."""
    log.append(record)
    log.redact_with(Redactor(bytes(32), public_user=frozenset({"firstName"}), public_app_user=frozenset()))
    log.append(record)
    log.redact_with(None)
    log.append(record)
    names = [line["input"]["data"]["user"]["profile"]["firstName"] for line in lines_of(log)]
    assert names[0].startswith("h:")
    assert names[1:] == ["Sally2", "Sally2"]
    logins = [line["input"]["data"]["user"]["profile"]["login"] for line in lines_of(log)]
    assert [login.startswith("h:") for login in logins] == [True, True, False]


RECORDS: dict[str, Callable[[DecisionRecord], DecisionRecord]] = {
    "nothing fired": lambda record: replace(
        record, outcome=Outcome.DEFAULT, trace=(), commands=(), errors=(), conflicts=()
    ),
    "invalid": lambda record: replace(
        record,
        outcome=Outcome.INVALID,
        commands=(),
        trace=(),
        input=["x"],
        application={},
        subject="",
        faults=("$: type",),
    ),
    "undecided before it was read": lambda record: replace(
        record, outcome=Outcome.UNDECIDED, input=None, revision="", event_id="", trace=(), commands=()
    ),
    "undecided after a claim": lambda record: replace(record, outcome=Outcome.UNDECIDED, commands=()),
    "nobody asked": lambda record: replace(
        record, ending=None, holds=(), vetoed=(), claims=(), remembered=(), lookups=(), debug={}
    ),
    "debug that JSON cannot say": lambda record: replace(
        record, debug={"a/b": STARTED, "a/c": float("inf"), "a/d": {("x", 1): 2}, "a/e": "\udc00"}
    ),
    "debug without end": lambda record: replace(record, debug={f"a/{n}": "x" * 50_000 for n in range(9)}),
    "every script": lambda record: replace(record, subject="ß\u2028Ł\n日本\U0001f600", event_id="a\u2028b\nc"),
    "what shadow policies would have done": lambda record: replace(record, input=None, stages={}, shadow=True),
    "a link": lambda record: replace(
        record,
        commands=(Command(CommandType.ACTION, {"result": "LINK_USER"}), Command(CommandType.LINK, {"id": "00u1"})),
    ),
}


@pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("redaction", [True, False], ids=["redacted", "in clear"])
def test_every_kind_of_record_is_one_line_that_fits_the_schema(
    tmp_path: Path,
    redactor: Redactor,
    record: DecisionRecord,
    change: Callable[[DecisionRecord], DecisionRecord],
    *,
    redaction: bool,
) -> None:
    """Whatever the outcome, redacted or not, there is one line, in ASCII, and it fits."""
    log = DecisionLog(tmp_path / "d.jsonl", redactor if redaction else None, Losses())
    log.append(change(record))
    log.close()
    assert len(lines_of(log)) == 1
    assert log.path.read_bytes().isascii()


def test_the_schema_is_strict(log: DecisionLog, record: DecisionRecord) -> None:
    """A field too many, one too few and an unknown outcome are faults: the schema is no empty promise."""
    log.append(record)
    (line,) = lines_of(log)
    without_input = {name: value for name, value in line.items() if name != "input"}
    for broken in ({**line, "extra": 1}, without_input, {**line, "outcome": "maybe"}, {**line, "timestamp": "today"}):
        assert not SCHEMA.accepts(broken)
    assert SCHEMA.accepts({**without_input, "dropped": ["input"]})


def test_without_a_redactor_values_are_in_clear(tmp_path: Path, record: DecisionRecord) -> None:
    """The one switch writes the record as it is."""
    log = DecisionLog(tmp_path / "d.jsonl", None, Losses())
    log.append(record)
    log.close()
    (line,) = lines_of(log)
    assert line["input"] == record.input
    assert line["subject"] == "user221"
    assert line["claims"][0]["granted"] == {"login": "sally2.admin2@clouditude.net", "alias": "Admin2"}
    assert line["lookups"][1] == {"function": "directory", "name": "Sally2", "value": "Admin2", "found": []}
    assert line["remembered"][0]["value"] == "administrator2@clouditude.net"


@pytest.mark.parametrize("redaction", [True, False], ids=["redacted", "in clear"])
def test_a_hold_is_logged_by_its_rule(
    tmp_path: Path, redactor: Redactor, record: DecisionRecord, *, redaction: bool
) -> None:
    """APPSEC: its text is written for Okta's console and may quote a profile; `debug` alone publishes a value."""
    log = DecisionLog(tmp_path / "d.jsonl", redactor if redaction else None, Losses())
    log.append(replace(record, holds=(Hold("a/b", "Zyzzyva is known"),), debug={"a/b": "on purpose"}))
    log.close()
    (line,) = lines_of(log)
    assert (line["hold"], line["debug"]) == (["a/b"], {"a/b": "on purpose"})
    assert b"Zyzzyva" not in log.path.read_bytes()


def test_a_field_that_cannot_be_redacted_is_named_and_counted(
    log: DecisionLog, record: DecisionRecord, losses: Losses
) -> None:
    """The line is kept without the field; the loss is counted like a line's."""
    log.append(replace(record, subject="\udc00", commands=(Command(CommandType.LINK, {"id": object()}),)))
    (line,) = lines_of(log)
    assert line["dropped"] == ["subject", "commands"]
    assert (log.losses, losses.count) == (2, 2)


def test_a_line_that_would_be_too_long_loses_its_longest_fields(
    log: DecisionLog, record: DecisionRecord, losses: Losses
) -> None:
    """APPSEC: hashes are longer than what they stand for; no sender fills the disk. What is missing is named."""
    long = replace(record, input={"data": list(range(20_000))})
    log.append(long)
    log.append(replace(long, input=None, faults=("$.data: required",) * 20_000))
    first, second = log.path.read_text(encoding="ascii").splitlines()
    assert max(len(first), len(second)) < MAX_LINE_BYTES
    assert [json.loads(line)["dropped"] for line in (first, second)] == [["input"], ["faults"]]
    log.append(replace(record, subject="s", application={"label": "l" * 300_000}, claims=record.claims))
    third = json.loads(log.path.read_text(encoding="ascii").splitlines()[2])
    assert "dropped" not in third or third["dropped"] == ["application"]
    assert losses.count == 0  # what is named in its line is not lost unseen
    assert SCHEMA.accepts(json.loads(first))
    assert SCHEMA.accepts(json.loads(second))


def test_a_record_that_is_no_json_is_a_loss_and_no_exception(
    log: DecisionLog, record: DecisionRecord, losses: Losses
) -> None:
    """A bug elsewhere costs its record, never an answer; the service log tells the type of the fault and no value."""
    with capture_logs() as events:
        log.append(replace(record, milliseconds=float("nan")))
        log.append(replace(record, event_id={1, 2}))  # type: ignore[arg-type]  # the wrong type is the point
        log.append(record)
    assert [line["decision_id"] for line in lines_of(log)] == [record.decision_id]
    assert losses.count == 2
    assert [(event["event"], event.get("reason")) for event in events] == [
        ("decision_log_failed", "ValueError"),
        ("decision_log_recovered", None),
    ]


def test_threads_never_mix_their_lines(log: DecisionLog, record: DecisionRecord) -> None:
    """Eight threads, 400 lines: all there, each whole, each once."""

    def work(number: int) -> None:
        for index in range(50):
            log.append(replace(record, decision_id=f"{number}-{index}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    found = [line["decision_id"] for line in lines_of(log)]
    assert sorted(found) == sorted(f"{number}-{index}" for number in range(8) for index in range(50))


def test_a_torn_last_line_does_not_spoil_the_next(log: DecisionLog, record: DecisionRecord) -> None:
    """What an earlier crash left without an end gets one; nothing of it is lost or taken for ours."""
    log.path.parent.mkdir()
    log.path.write_bytes(b'{"decision_id":"whole"}\n{"decision_id":"to')
    log.append(record)
    whole, torn, ours = log.path.read_bytes().splitlines()
    assert (whole, torn) == (b'{"decision_id":"whole"}', b'{"decision_id":"to')
    assert json.loads(ours)["decision_id"] == record.decision_id


def test_a_place_that_cannot_be_written_is_survived_and_recovered_from(
    tmp_path: Path, redactor: Redactor, record: DecisionRecord, losses: Losses
) -> None:
    """With a file in the folder's place each record is counted as lost, said once; when it is gone, writing goes on."""
    (tmp_path / "logs").write_text("in the way", encoding="ascii")
    log = DecisionLog(tmp_path / "logs" / "d.jsonl", redactor, losses)
    with pytest.raises(DecisionLogError, match="the decision log cannot be written"):
        log.open()
    with capture_logs() as events:
        log.append(record)
        log.append(record)
        (tmp_path / "logs").unlink()
        log.append(record)
    log.close()
    assert len(lines_of(log)) == 1
    assert (log.losses, losses.count) == (2, 2)
    assert [event["event"] for event in events] == ["decision_log_failed", "decision_log_recovered"]


FULL_DISK = """
import pathlib, resource, sys
from usher.adapters.decision_log import DecisionLog
from usher.answer.record import DecisionRecord
from usher.domain.decision import Outcome

def record(number):
    now = "2026-03-01T09:00:00.000Z"
    return DecisionRecord(str(number), now, "", {}, "", "", "x" * 400, (), (), (), (), (), Outcome.DEFAULT, 1.0)

log = DecisionLog(pathlib.Path(sys.argv[1]), None, lambda: print("lost"))
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
for number in range(5):
    log.append(record(number))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append(record(5))
log.append(record(6))
log.close()
"""


def test_a_full_disk_costs_records_and_never_a_later_line(tmp_path: Path) -> None:
    """The system takes half a line and then none: both are counted, and once there is room the next lines are whole."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "service")}
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "d.jsonl")]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    (path,) = tmp_path.glob("d.*.jsonl")
    lines = path.read_bytes().splitlines()
    readable = [json.loads(line)["decision_id"] for line in lines if line.endswith(b"}")]
    assert readable == ["0", "1", "5", "6"]
    assert len(lines) == 5
    assert result.stdout.splitlines().count("lost") == 3


def test_a_counter_that_fails_does_not_stop_an_answer(
    tmp_path: Path, redactor: Redactor, record: DecisionRecord
) -> None:
    """`append` keeps its promise even if whoever counts losses breaks."""

    def broken() -> None:
        raise RuntimeError("the counter is broken")

    (tmp_path / "logs").write_text("in the way", encoding="ascii")
    log = DecisionLog(tmp_path / "logs" / "d.jsonl", redactor, broken)
    log.append(record)
    assert log.losses == 1


def test_a_log_that_tells_but_cannot_does_not_stop_an_answer(tmp_path: Path, record: DecisionRecord) -> None:
    """A service log that fails, on a closed standard error for example, is no reason to fail either."""

    def broken(*_: object) -> Any:
        raise ValueError("I/O operation on closed file")

    (tmp_path / "logs").write_text("in the way", encoding="ascii")
    log = DecisionLog(tmp_path / "logs" / "d.jsonl", None, Losses())
    before = structlog.get_config()
    structlog.configure(processors=[broken])
    try:
        log.append(record)
    finally:
        structlog.configure(**before)
    assert log.losses == 1


def test_after_close_records_are_counted_as_lost(log: DecisionLog, record: DecisionRecord, losses: Losses) -> None:
    """A worker that outlives the stop leaves a number, not a file that opens again."""
    log.append(record)
    log.close()
    log.append(record)
    log.close()
    assert len(lines_of(log)) == 1
    assert losses.count == 1


def test_only_the_service_may_read_the_log(log: DecisionLog, record: DecisionRecord) -> None:
    """Where the platform has permissions, nobody else has any."""
    log.append(record)
    assert os.name == "nt" or log.path.stat().st_mode & 0o077 == 0


def test_the_documentation_lists_every_field() -> None:
    """The table under "Decision log" names the schema's fields, all of them and no other."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.split("\n## Decision log\n")[1].split("\n### ")[0]
    documented = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    properties = SCHEMA.schema["properties"]
    assert isinstance(properties, dict)
    assert sorted(documented) == sorted(properties)
