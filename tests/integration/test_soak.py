"""The service under the heaviest traffic Okta can send, for long: no error, no growth, no answer late.

With `USHER_LONG_TESTS` it takes ten minutes at 1,000 calls a second over 75 connections, and holds memory and
latencies; without, some seconds at a rate that any machine serves, so that what it is made of works when it is needed.
`USHER_SOAK_RATE` and `USHER_SOAK_SECONDS` ask for another rate or time, on a machine that serves no 1,000 a second.
The policies are the guide's one rule, which claims a login for every call: what the service costs, apart from what a
policy set has to say. `make bench` shows the shipped set beside it.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from statistics import median
from typing import Final, Self

import pytest

from tests.bench.stages import EVENT_ID
from tests.integration.conftest import StartUsher
from tests.integration.installations import CHECKOUT
from tests.integration.payloads import GUIDE_CASE
from tests.integration.usher_process import PATIENCE_SECONDS, SECRET, UsherProcess

LONG: Final = bool(os.environ.get("USHER_LONG_TESTS"))
RATE: Final = int(os.environ.get("USHER_SOAK_RATE") or (1000 if LONG else 150))
SECONDS: Final = float(os.environ.get("USHER_SOAK_SECONDS") or (600 if LONG else 6))
CONNECTIONS: Final = 75
POLICIES: Final = CHECKOUT / "tests" / "bench" / "policies"
P99_MILLISECONDS: Final = 50.0
SAMPLE_SECONDS: Final = 2.0
MAX_GROWN_SHARE: Final = 0.05
"""Of the resident memory, from the middle of the run to its end; by its middle what is kept for replay is full."""


class Memory:
    """What a process has resident, looked at every two seconds until the block ends; Linux tells it in `/proc`."""

    def __init__(self, process_id: int) -> None:
        self._status = Path("/proc") / str(process_id) / "status"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.kib: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            lines = self._status.read_text(encoding="ascii").splitlines()
            self.kib += [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]

    @property
    def grown_share(self) -> float:
        """How much more the last tenth of the run had than the tenth in its middle."""
        tenth, middle = max(1, len(self.kib) // 10), len(self.kib) // 2
        before = median(self.kib[middle : middle + tenth])
        return (median(self.kib[-tenth:]) - before) / before


def test_ten_minutes_of_the_heaviest_traffic(
    start_usher: StartUsher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every call is answered 200 and decided; nothing is undecided, lost or refused; memory is flat, p99 is low."""
    usher = start_usher("serve", USHER_SECRET=SECRET, USHER_POLICIES_FOLDER=str(POLICIES), USHER_LOGGING_FORMAT="json")
    usher.wait_until_ready()
    with Memory(usher.process.pid) as memory:
        heard = traffic(usher, tmp_path)
    told = ", ".join(f"{name} {heard[name]:.1f} ms" for name in ("p50", "p99", "p999"))
    with capsys.disabled():
        print(
            f"\nSoak: {heard['requests']:.0f} calls at {RATE}/s over {CONNECTIONS} connections in {SECONDS:.0f} s,"
            f" {heard['failed']:.0f} failed; {told}; resident {memory.kib[0] // 1024} to {memory.kib[-1] // 1024} MiB"
        )
    assert (heard["requests"], heard["failed"]) == (RATE * SECONDS, 0)
    counted = usher.get("/metrics").body.decode()
    assert f'usher_requests_total{{outcome="commands"}} {heard["requests"]:.1f}' in counted
    for name in ('requests_total{outcome="undecided"}', "decision_log_losses_total"):
        assert f"usher_{name} 0.0" in counted
    assert usher.get("/health/ready").status == 200
    if LONG:
        assert memory.grown_share < MAX_GROWN_SHARE
        assert heard["p99"] < P99_MILLISECONDS


def traffic(usher: UsherProcess, folder: Path) -> dict[str, float]:
    """Send calls, each an event of its own, from a process of its own; return what it measured."""
    body = folder / "body.json"
    body.write_bytes(GUIDE_CASE.read_bytes().replace(EVENT_ID, b"@EVENT@"))
    given = (usher.hook[1], body, "soak-", CONNECTIONS, SECONDS, RATE)
    command = [sys.executable, "-m", "tests.bench.client", *map(str, given)]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, check=True, timeout=2 * SECONDS + PATIENCE_SECONDS
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured
