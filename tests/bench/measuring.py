"""One measurement of one server, from a process of its own: by wrk if it is there, else by the loop of our own."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from tests.bench.servers import Server
from tests.integration.usher_process import SECRET

DISTINCT = Path(__file__).with_name("distinct.lua")
Measured = dict[str, float]
Measure = Callable[[Server, str, int, float], Measured]


def measure_with(body: Path) -> tuple[Measure, str]:
    """Return a function that measures a server with this body, and what does it.

    It takes the server, the name of the run, connections and seconds. Our own loop takes more of the machine itself.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        return (
            lambda server, run, connections, seconds: own_client(server, body, run, connections, seconds)
        ), "own loop"

    def measure(server: Server, run: str, connections: int, seconds: float) -> Measured:
        url = f"http://127.0.0.1:{server.port}/okta/import"
        given: list[str | Path] = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", DISTINCT, url, "--"]
        return _last_line_of([wrk, *given, body, run, SECRET])

    # wrk takes whole seconds only.
    return (lambda server, run, connections, seconds: measure(server, run, connections, max(1, round(seconds)))), "wrk"


def own_client(server: Server, body: Path, run: str, connections: int, seconds: float, *rate: float) -> Measured:
    """Measure with our own client; at a fixed rate if one is given."""
    arguments = [server.port, body, run, connections, seconds, *rate]
    return _last_line_of([sys.executable, "-m", "tests.bench.client", *map(str, arguments)])


def _last_line_of(command: Sequence[str | Path]) -> Measured:
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def run_names() -> Iterator[str]:
    """Yield the start of an eventId, new for each run of a client."""
    begun = time.time_ns()
    return (f"{begun:x}-{number:03d}-" for number in range(1000))


def rate_of(measured: Measured) -> float:
    """Return the requests of a second."""
    return measured["requests"] / measured["seconds"]


def median_of(rounds: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    """Return the median of a figure over the rounds."""
    return median(map(figure, rounds))
