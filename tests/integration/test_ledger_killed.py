"""The service is killed at random moments under load, again and again, and started on the same file.

All kills are of the real `usher serve`. To take no longer than they must, two services with a file each are killed side
by side; a kill comes up to four tenths of a second after a start, or during it.
"""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Final

import pytest

from tests.integration.claiming import (
    DEADLINE_SECONDS,
    SEED,
    Heard,
    ask,
    check_history,
    holdings,
    serving,
    sqlite_url,
    started,
)
from tests.integration.steady_claims import People
from tests.integration.usher_process import Caller, UsherProcess

KILLS: Final = 50 if os.environ.get("USHER_LONG_TESTS") else 16
FILES: Final = 2
CONNECTIONS: Final = 5
LIFE_SECONDS: Final = 0.4
KILLS_AT_START: Final = 3
"""With each file, on top."""
START_SECONDS: Final = 1.2
MAKING_SECONDS: Final = 0.05
"""How long it takes, more or less, to make the tables of a new file."""
ASKED_AGAIN: Final = 150


def call_until_it_dies(usher: UsherProcess, people: People, heard: list[Heard]) -> None:
    """Call as fast as answers come; one that is cut short was not heard."""
    with Caller(usher.hook) as caller, suppress(OSError, HTTPException):
        while True:
            heard.append(ask(caller, *people.call()))


@contextmanager
def under_load(usher: UsherProcess, people: People, heard: list[Heard]) -> Iterator[None]:
    """Keep several connections busy until the service is gone."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        running = [pool.submit(call_until_it_dies, usher, people, heard) for _ in range(CONNECTIONS)]
        try:
            yield
            assert usher.process.poll() is None, usher.err.whole()
        finally:
            usher.signal(signal.SIGKILL)
    for done in running:
        done.result()


def kill_while_it_starts(folder: Path, file: Path, chance: random.Random) -> None:
    """Start a service and kill it, ready or not; one that makes its file, while it does."""
    moments = START_SECONDS if file.exists() else MAKING_SECONDS
    usher = started(folder, sqlite_url(file))
    try:
        while not file.exists():
            assert usher.process.poll() is None, usher.err.whole()
            time.sleep(0.001)
        time.sleep(chance.uniform(0.0, moments))
    finally:
        usher.clear_away()


def kill_again_and_again(folder: Path, seed: int) -> list[Heard]:
    """Kill one service after the other on the same file, then ask once more; return everything that was answered."""
    chance = random.Random(seed)  # noqa: S311 - repeatable moments, no secret
    people, heard, file = People(seed), list[Heard](), folder / "usher.db"
    ledger = sqlite_url(file)
    for _ in range(KILLS_AT_START):
        kill_while_it_starts(folder, file, chance)
    for _ in range(KILLS // FILES):
        with serving(folder, ledger) as usher, under_load(usher, people, heard):
            time.sleep(chance.uniform(0.0, LIFE_SECONDS))
    with serving(folder, ledger) as usher, Caller(usher.hook) as caller:
        rows = chance.sample(people.rows, min(ASKED_AGAIN, len(people.rows)))
        heard += [ask(caller, row, f"again-{row.number}") for row in rows]
        assert usher.stop() == 0
    return heard


def faults_of(file: Path) -> list[str]:
    """Return what SQLite finds wrong with a file."""
    with closing(sqlite3.connect(file)) as connection:
        return [text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]


def test_kills_under_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every start finds a sound file; no login was answered to two owners; who asks again gets what was answered."""
    folders = [tmp_path / str(SEED + number) for number in range(FILES)]
    with ThreadPoolExecutor(FILES) as pool:
        histories = list(pool.map(kill_again_and_again, folders, range(SEED, SEED + FILES)))
    with capsys.disabled():
        told = ", ".join(
            f"{len(heard)} answers with seed {folder.name}" for folder, heard in zip(folders, histories, strict=True)
        )
        print(f"\n{KILLS} kills under load, {FILES * KILLS_AT_START} during a start: {told}")
    for folder, heard in zip(folders, histories, strict=True):
        assert faults_of(folder / "usher.db") == []
        assert [one for one in heard if one.login is None] == []
        check_history(heard, holdings(sqlite_url(folder / "usher.db")))
        assert max(one.seconds for one in heard) < DEADLINE_SECONDS
        assert len(heard) > KILLS // FILES * CONNECTIONS
