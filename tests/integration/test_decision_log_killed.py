"""The service is killed under load, again and again: what was answered is on record."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.integration.claiming import USHER
from tests.integration.decision_load import Callers, OnRecord, logging_services, on_record
from tests.integration.installations import must_run
from tests.integration.usher_process import UsherProcess

ROUNDS: Final = 12 if os.environ.get("USHER_LONG_TESTS") else 2
SERVICES: Final = 3
"""Killed side by side on one log: six kills, or many. Most of the time is theirs to start."""
CONNECTIONS: Final = 4
CALLS: Final = 50
"""How many answers there are between two rounds at least."""


def kill_under_load(ushers: list[UsherProcess], callers: Callers) -> None:
    """Call until every service is dead, and kill each while calls are in work."""
    enough = len(callers.decision_ids) + CALLS
    with ThreadPoolExecutor(CONNECTIONS * len(ushers)) as pool:
        running = [pool.submit(callers.call_until_it_dies, usher) for usher in ushers for _ in range(CONNECTIONS)]
        callers.wait_for(enough)
        for usher in ushers:
            usher.process.kill()
    for done in running:
        done.result()


def last_files(record: OnRecord) -> set[Path]:
    """Return the newest file of each process."""
    return set({file.process: file.path for file in record.files}.values())


def test_every_answered_call_is_on_record_once(tmp_path: Path) -> None:
    """Across all kills and all files; a line may be torn where a process ended, and nowhere else; exports say so."""
    callers = Callers()
    for _ in range(ROUNDS):
        with logging_services(tmp_path, SERVICES) as ushers:
            kill_under_load(ushers, callers)
    stem = tmp_path / "decisions.jsonl"
    record = on_record(stem)
    assert len({file.process for file in record.files}) == ROUNDS * SERVICES
    assert len(record.files) > 2 * ROUNDS * SERVICES
    assert len(callers.decision_ids) == len(set(callers.decision_ids)) >= ROUNDS * CALLS
    assert [one for one in callers.decision_ids if record.answers[one] != 1] == []
    assert [one for one, times in (record.answers + record.shadows).items() if times > 2] == []
    assert [place for place in record.torn if not place[2] or place[0].path not in last_files(record)] == []
    check_export(tmp_path, record)


def check_export(folder: Path, record: OnRecord) -> None:
    """Make sure that an export holds all that is whole, in order, and says what it skipped: once for each file."""
    torn = record.files[-1].path
    if torn not in {file.path for file, _, _ in record.torn}:
        with torn.open("ab") as file:  # kills hardly ever tear a line; this is how it looks
            file.write(b'{"decision_id":"01","times')
    ran = must_run([USHER, "decisions", "export", "--output", "out.jsonl"], folder)
    said = [line for line in ran.err.splitlines() if line.endswith(": torn or damaged, skipped")]
    assert len(said) == len(ran.err.splitlines()) == max(1, len(record.torn))
    assert any(line.startswith(f"{torn}:") for line in said)
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == record.answers.total() + record.shadows.total()
