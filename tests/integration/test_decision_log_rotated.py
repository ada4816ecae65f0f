"""Two services on one log, under load from many connections, with files that hardly begin before they end."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.integration.claiming import USHER
from tests.integration.decision_load import (
    SMALL_BYTES,
    Callers,
    call_side_by_side,
    logging_services,
    on_record,
)
from tests.integration.installations import must_run
from tests.integration.usher_process import UsherProcess
from usher.adapters.keys import FILE_NAME, redaction_key

SERVICES: Final = 2
CONNECTIONS: Final = 8
CALLS: Final = 15
"""By each connection."""


@contextmanager
def following(folder: Path) -> Iterator[UsherProcess]:
    """Run `usher decisions tail --follow` for as long as the block runs."""
    tail = UsherProcess([USHER, "decisions", "tail", "--follow", "-n", "100000"], folder)
    try:
        yield tail
    finally:
        tail.clear_away()


def printed(text: str) -> tuple[Counter[str], Counter[str]]:
    """Return the answers and the shadow decisions that were printed, by id."""
    answers, shadows = Counter[str](), Counter[str]()
    for line in text.splitlines():
        _, decision_id, outcome, *_ = line.split("  ")
        (shadows if outcome.startswith("shadow ") else answers)[decision_id] += 1
    return answers, shadows


def test_no_line_is_lost_doubled_or_torn(tmp_path: Path) -> None:
    """Every decision stands on record once, with its shadow; whoever follows sees each of both once.

    An export in the midst of it has no line twice.
    """
    callers = Callers()
    with following(tmp_path) as tail:
        with logging_services(tmp_path, SERVICES) as ushers:
            with ThreadPoolExecutor(1) as pool:
                exported = pool.submit(must_run, [USHER, "decisions", "export", "--no-shadow"], tmp_path)
                call_side_by_side(callers, ushers, connections=CONNECTIONS, times=CALLS)
            seen = [json.loads(line)["decision_id"] for line in exported.result().out.splitlines()]
            assert sorted(seen) == sorted({*seen} & {*callers.decision_ids})
            current = {usher.get("/status").json["decisionLog"]["file"] for usher in ushers}  # type: ignore[index]
            assert [usher.stop() for usher in ushers] == [0, 0]
            losses = [usher.err.whole().count("decision_log_") for usher in ushers]
        record = on_record(tmp_path / "decisions.jsonl")
        for decision_id in record.shadows:
            tail.out.until(f"  {decision_id}  shadow ")
        tail.signal(signal.SIGINT)
        assert tail.end() == 0
        assert printed(tail.out.whole()) == (record.answers, record.shadows)
        assert tail.err.whole() == ""
    expected = Counter(callers.decision_ids)
    assert len(expected) == SERVICES * CONNECTIONS * CALLS
    assert (record.answers, record.shadows, record.torn, losses) == (expected, expected, [], [0, 0])
    assert {str(path) for path in current} <= {str(file.path) for file in record.files}
    assert len(record.files) > len(expected) / 10
    assert max(file.path.stat().st_size for file in record.files) <= SMALL_BYTES
    check_why(tmp_path, callers.decision_ids)


def check_why(folder: Path, decision_ids: list[str]) -> None:
    """Make sure that a decision is found with its shadow, whichever files they stand in."""
    apart = [one for one in decision_ids if stands_in_two_files(folder, one)]
    for decision_id in (apart or decision_ids)[:1]:
        shown = json.loads(must_run([USHER, "decisions", "show", decision_id], folder).out)
        assert [shown[part]["decision_id"] for part in ("answer", "shadow")] == [decision_id] * 2
        told = must_run([USHER, "why", decision_id], folder, USHER_POLICIES_FOLDER="policies").out
        assert "titles/title: fired" in told
        assert "trial/city: fired" in told


def stands_in_two_files(folder: Path, decision_id: str) -> bool:
    """Say whether the two lines of a decision are apart."""
    files = [file.path for file in on_record(folder / "decisions.jsonl").files[:40]]
    return sum(f'"decision_id":"{decision_id}"' in path.read_text(encoding="utf-8") for path in files) == 2


def test_a_start_deletes_what_is_too_old_and_warns_of_an_open_key(tmp_path: Path) -> None:
    """By the settings; what is young stays, and a key that everybody can read is said."""
    old, young = (tmp_path / f"decisions.2025010{day}T090000Z-1.jsonl" for day in (1, 2))
    for path, age_days in ((old, 3), (young, 1)):
        path.touch()
        os.utime(path, (time.time() - age_days * 86_400,) * 2)
    redaction_key(tmp_path / "state")
    (tmp_path / "state" / FILE_NAME).chmod(0o644)
    with logging_services(tmp_path, 1, USHER_DECISIONS_KEEP_DAYS="2") as (usher,):
        usher.err.until("decision_log_files_deleted")
        assert usher.stop() == 0
        said = usher.err.whole()
    assert (old.exists(), young.exists()) == (False, True)
    assert "redaction_key_readable_by_others" in said
