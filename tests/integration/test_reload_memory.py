"""What reloads cost: no memory however many there are, and less than a second beside live traffic."""

import json
import os
import shutil
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.integration.conftest import StartUsher
from tests.integration.installations import CHECKOUT, Installation, must_run
from tests.integration.steady_client import clients
from tests.integration.usher_process import SECRET, Caller

WARM_UP = 100
RELOADS = 1_000 if os.environ.get("USHER_LONG_TESTS") else 300
MAX_GROWN_KIB = 1_024
"""A set that stayed would show, by 39 KiB and 389 objects each; the unrest of the allocator, some hundred, does not."""
MAX_GROWN_OBJECTS = 100
RELOADS_TIMED = 5
MAX_SECONDS = 1.0
RATE = 210
LOAD_SECONDS = 7.5


def test_many_reloads_leave_nothing_behind(
    wheel_installation: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sets that differ in policy, table and test come and go; as many objects are alive after as before."""
    script = Path(__file__).with_name("reload_often.py")
    command = (wheel_installation.python, script, CHECKOUT / "schemas", str(WARM_UP), str(RELOADS))
    told = json.loads(must_run(command, tmp_path).out)
    with capsys.disabled():
        print(
            f"\nReload, memory: {RELOADS} reloads in {told['seconds']:.0f} s: {told['grown_kib']:+} KiB resident of"
            f" {told['resident_kib']} KiB, {told['grown_objects']:+} objects"
        )
    assert told["grown_kib"] < MAX_GROWN_KIB
    assert told["grown_objects"] < MAX_GROWN_OBJECTS


def test_a_reload_of_the_shipped_set_takes_less_than_a_second_beside_live_traffic(
    start_usher: StartUsher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service's own measure, while 200 calls come in each second."""
    policies = tmp_path / "policies"
    shutil.copytree(CHECKOUT / "policies", policies)
    usher = start_usher(
        "serve", USHER_SECRET=SECRET, USHER_POLICIES_FOLDER=str(policies), USHER_POLICIES_RELOAD="false"
    )
    usher.wait_until_ready()
    table = policies / "tables" / "departments.csv"
    taken: list[float] = []
    with (
        clients(usher, tmp_path, count=1, rate=RATE, seconds=LOAD_SECONDS) as load,
        Caller(usher.operations) as caller,
    ):
        for number in range(RELOADS_TIMED):
            with table.open("a", encoding="utf-8") as file:
                file.write(f"D9{number}0,New,9{number}00,New\n")
            told: dict[str, Any] = caller.ask("POST", "/reload", b"", {"Authorization": SECRET}).json
            assert told["result"] == "accepted"
            taken.append(told["seconds"])
        heard = load.heard()
    with capsys.disabled():
        each = ", ".join(f"{seconds:.2f}" for seconds in taken)
        print(
            f"\nReload, shipped set: a reload of the shipped set takes {median(taken):.2f} s beside {RATE} requests/s"
            f" ({each}); {heard}"
        )
    assert heard.failed == 0
    assert median(taken) < MAX_SECONDS
