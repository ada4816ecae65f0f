"""Services that write decision logs, callers who note every decision they were told of, and what is then on record.

Owns the load that decision logs are tested under, and how their files are counted.
"""

import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Final

from tests.integration.claiming import USHER
from tests.integration.payloads import like_the_guide
from tests.integration.usher_process import PATIENCE_SECONDS, SECRET, Caller, UsherProcess
from usher.adapters.decision_files import LogFile, files_of

SMALL_BYTES: Final = 20 * 1024
"""Six or seven decisions."""
_POLICIES: Final = {
    "titles.yaml": "policy: titles\nrules:\n  - id: title\n    set: {user.title: {value: Guest}}\n",
    "trial.yaml": "policy: trial\nmode: shadow\nrules:\n  - id: city\n    set: {user.city: {value: Ghent}}\n",
}


@contextmanager
def logging_services(folder: Path, count: int, *, shadows: bool = True, **environ: str) -> Iterator[list[UsherProcess]]:
    """Run services that write one log in one folder; they are gone after the block."""
    (folder / "policies").mkdir(exist_ok=True)
    for name, text in _POLICIES.items():
        if shadows or name == "titles.yaml":
            (folder / "policies" / name).write_text(text, encoding="utf-8")
    given = {"USHER_DECISIONS_ROTATE_BYTES": str(SMALL_BYTES), "USHER_POLICIES_FOLDER": "policies", **environ}
    with ExitStack() as stack:
        ushers: list[UsherProcess] = []
        for _ in range(count):
            usher = UsherProcess([USHER, "serve", "--set", "policies.gate=off"], folder, USHER_SECRET=SECRET, **given)
            stack.callback(usher.clear_away)
            if not (folder / "usher.db").exists():
                usher.wait_until_ready()  # the first makes the ledger for all
            ushers.append(usher)
        for usher in ushers:
            usher.wait_until_ready()
        yield ushers


@dataclass
class Callers:
    """Remember the id of every decision they were answered; rows are new each time."""

    decision_ids: list[str] = field(default_factory=list)
    _rows: "itertools.count[int]" = field(default_factory=itertools.count)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def call(self, usher: UsherProcess, times: int) -> None:
        """Call over one connection; every answer must be a decision."""
        with Caller(usher.hook) as caller:
            for _ in range(times):
                self._call(caller)

    def call_until_it_dies(self, usher: UsherProcess) -> None:
        """Call as fast as answers come; one that is cut short was not heard."""
        with Caller(usher.hook) as caller, suppress(OSError, HTTPException):
            while True:
                self._call(caller)

    def wait_for(self, count: int) -> None:
        """Wait until so many answers were heard in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.decision_ids) >= count, PATIENCE_SECONDS)

    def _call(self, caller: Caller) -> None:
        answer = caller.post(like_the_guide(next(self._rows)))
        assert (answer.status, "error" in answer.json) == (200, False), answer.body
        with self._changed:
            self.decision_ids.append(answer.decision_id)
            self._changed.notify_all()


def call_side_by_side(callers: Callers, ushers: list[UsherProcess], *, connections: int, times: int) -> None:
    """Call all services over so many connections each; return when all were answered."""
    with ThreadPoolExecutor(connections * len(ushers)) as pool:
        running = [pool.submit(callers.call, usher, times) for usher in ushers for _ in range(connections)]
    for done in running:
        done.result()


@dataclass
class OnRecord:
    """What the files of a log hold: answers and shadow decisions by id, and where lines are that are none."""

    files: tuple[LogFile, ...]
    answers: Counter[str] = field(default_factory=Counter)
    shadows: Counter[str] = field(default_factory=Counter)
    torn: list[tuple[LogFile, int, bool]] = field(default_factory=list)
    """The file, the line's number, and whether the line is the last, without an end."""


def on_record(stem: Path) -> OnRecord:
    """Read all files of a log, by other means than the service's."""
    record = OnRecord(files_of(stem))
    for file in record.files:
        lines = file.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if number == len(lines) and not line:
                continue
            try:
                data = json.loads(line)
            except ValueError:
                record.torn.append((file, number, number == len(lines)))
                continue
            (record.shadows if data["shadow"] else record.answers)[data["decision_id"]] += 1
    return record
