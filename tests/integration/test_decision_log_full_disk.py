"""The decision log meets a full disk: everybody is answered, what is lost is counted, and it goes on by itself."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from tests.integration.decision_load import Callers, call_side_by_side, logging_services, on_record
from tests.integration.ledger_faults import filled, no_room_for, small_disk
from tests.integration.usher_process import UsherProcess
from usher.adapters.decision_file import DecisionFile, Rotation
from usher.adapters.decision_files import files_of

CONNECTIONS: Final = 4
CALLS: Final = 6
"""By each connection, before, during and after."""

Fault = Callable[[UsherProcess], AbstractContextManager[None]]


def losses(usher: UsherProcess) -> int:
    """Return how many records the service says it has lost."""
    text = usher.get("/metrics").body.decode()
    (line,) = [line for line in text.splitlines() if line.startswith("usher_decision_log_losses_total ")]
    return int(float(line.split()[1]))


def endure(usher: UsherProcess, fault: Fault, stem: Path) -> None:
    """Call before, during and after a fault: all are answered; what is not on record was counted, and only then."""
    callers = Callers()
    call = partial(call_side_by_side, callers, [usher], connections=CONNECTIONS, times=CALLS)
    call()
    before = list(callers.decision_ids)
    assert losses(usher) == 0
    with fault(usher):
        call()
        during = callers.decision_ids[len(before) :]
        lost = losses(usher)
    call()
    after = callers.decision_ids[len(before) + len(during) :]
    record = on_record(stem)
    assert [record.answers[one] for one in (*before, *after)] == [1] * (len(before) + len(after))
    assert lost == losses(usher) == len([one for one in during if record.answers[one] == 0]) > 0
    said = usher.err.until("decision_log_recovered")
    assert (said.count("decision_log_failed"), said.count("decision_log_recovered")) == (1, 1)
    assert len(record.torn) <= 1 + lost


def test_no_file_can_grow(tmp_path: Path) -> None:
    """Every write fails, on whatever disk."""
    with logging_services(tmp_path, 1, shadows=False) as (usher,):
        endure(usher, lambda one: no_room_for(one.process.pid), tmp_path / "decisions.jsonl")


def test_the_disk_is_full(tmp_path: Path) -> None:
    """A disk of the log's own, with files that end all the time."""
    disk = tmp_path / "disk"
    environ = {"USHER_DECISIONS_FILE": str(disk / "decisions.jsonl"), "USHER_DECISIONS_ROTATE_BYTES": "8192"}
    with small_disk(disk, megabytes=2), logging_services(tmp_path, 1, shadows=False, **environ) as (usher,):
        endure(usher, lambda _: filled(disk), disk / "decisions.jsonl")


def test_a_rotation_for_which_there_is_no_room_loses_nothing_that_there_is_room_for(tmp_path: Path) -> None:
    """The old file's last block has room where a new file has none; what does not fit there either is lost."""
    disk = tmp_path / "disk"
    lines = [b"x" * 99 + b"\n"] * 60
    with small_disk(disk, megabytes=1):
        file = DecisionFile(disk / "decisions.jsonl", Rotation(500), 1_000_000.0)
        file.write(lines[0])
        written = 1
        with filled(disk), suppress(OSError):
            for line in lines:
                file.write(line)
                written += 1
        assert file.trouble == os.strerror(28)
        assert written == 40  # of 100 bytes each; a page has 4096
        (only,) = files_of(disk / "decisions.jsonl")
        assert only.path.read_bytes()[: written * 100] == lines[0] * written
        file.close()


def test_a_disk_that_is_full_from_the_first_call_on_stops_no_answer(tmp_path: Path) -> None:
    """The file is there, as an empty one takes no room, and stays empty."""
    with logging_services(tmp_path, 1, shadows=False) as (usher,), no_room_for(usher.process.pid):
        callers = Callers()
        call_side_by_side(callers, [usher], connections=2, times=3)
        assert losses(usher) == len(callers.decision_ids) == 6
        assert on_record(tmp_path / "decisions.jsonl").answers.total() == 0
