"""A large directory is loaded beside a service that claims: calls go on, and the users count when all are there.

A hundred thousand users instead of the million, for time: the load works through its file in small transactions, so a
longer file means more of them. `USHER_LONG_TESTS` loads the million.
"""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import Final

import pytest

from tests.integration.claiming import (
    DEADLINE_SECONDS,
    LOGIN_CONFLICT,
    USHER,
    Heard,
    Row,
    ask,
    check_history,
    holdings,
    serving,
    sqlite_url,
)
from tests.integration.installations import run
from tests.integration.steady_claims import steady_calls
from tests.integration.usher_process import Caller

USERS: Final = 1_000_000 if os.environ.get("USHER_LONG_TESTS") else 100_000
RATE: Final = 50.0
ALONE_SECONDS: Final = 3.0
SETTLED_SECONDS: Final = 1.5
"""A new load counts for every decision that begins a second later."""
WAITED_MILLISECONDS: Final = 400.0
"""What a call may wait longer than without a load: the load takes one of two processors, and the disk."""
FAILING_SHARE: Final = 0.02
"""A busy disk may hold a commit up for longer than a decision waits; then claims fail for a second."""
NEWCOMER: Final = Row(900_001, "leez", LOGIN_CONFLICT)


def users() -> Iterator[str]:
    """Yield users, a line each; the first has the login that the newcomer would get."""
    for number in range(USERS):
        login = NEWCOMER.login(2) if number == 0 else f"user.{number}@example.com"
        user = {"id": f"00u{number}", "login": login, "email": login, "employeeNumber": str(number), "status": "ACTIVE"}
        yield json.dumps(user) + "\n"


def p99_milliseconds(heard: list[Heard]) -> float:
    """Return the latency that one call in a hundred exceeds."""
    return quantiles([one.seconds * 1000 for one in heard], n=100)[98]


def test_claims_go_on_while_a_directory_is_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Claims go on and wait little longer beside a load; what the users it brings have is not given out after it."""
    file, ledger = tmp_path / "users.ndjson", sqlite_url(tmp_path / "usher.db")
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(users())
    with serving(tmp_path, ledger) as usher, ThreadPoolExecutor(1) as pool:
        with steady_calls(usher, rate=RATE) as calls:
            time.sleep(ALONE_SECONDS)
            began = time.monotonic()
            loaded = pool.submit(run, [USHER, "directory", "load", file], tmp_path, USHER_LEDGER_URL=ledger).result()
            ended = time.monotonic()
            time.sleep(SETTLED_SECONDS)
        with Caller(usher.hook) as caller:
            newcomer = ask(caller, NEWCOMER, "newcomer")
        directory = usher.get("/status").json["directory"]
    assert loaded.code == 0, loaded.err
    assert isinstance(directory, dict)
    assert (directory["users"], newcomer.login) == (USERS, NEWCOMER.login(3))
    failed = [one for one in calls.heard if one.login is None]
    assert [one for one in failed if not one.has_failed_as_it_should] == []
    assert len(failed) < FAILING_SHARE * len(calls.heard)
    check_history((*calls.heard, newcomer), holdings(ledger))
    assert max(one.seconds for one in calls.heard) < DEADLINE_SECONDS
    alone, beside = (p99_milliseconds(calls.between(*span)) for span in ((0.0, began), (began, ended)))
    with capsys.disabled():
        figures = f"calls took p99 {beside:.0f} ms, {alone:.0f} ms before; {len(failed)} of {len(calls.heard)} failed"
        print(f"\n{USERS} users loaded in {ended - began:.1f} s: {figures}")
    assert beside < alone + WAITED_MILLISECONDS
