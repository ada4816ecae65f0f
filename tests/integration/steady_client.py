"""Clients that send at a fixed rate over kept connections and note of every answer which set it came from.

Each is a process of its own with one thread, `python -m tests.integration.steady_client PORT BODY_FILE RUN CONNECTIONS
SECONDS RATE`, which ends by itself and prints one line of JSON. Latencies are those of `tests.bench.client`: they count
from the moment a request was due.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.bench.client import Connection, Load, Requests
from tests.integration.installations import CHECKOUT
from tests.integration.payloads import like_the_guide
from tests.integration.usher_process import PATIENCE_SECONDS, UsherProcess

CONNECTIONS = 8


class Heard:
    """What several clients heard, together."""

    def __init__(self, told: list[dict[str, Any]]) -> None:
        self.latencies_milliseconds: list[float] = [latency for client in told for latency in client["latencies"]]
        self.sent = sum(client["sent"] for client in told)
        self.failed = sum(client["failed"] for client in told)
        self.rate = sum(len(client["latencies"]) / client["seconds"] for client in told)
        self.marks: Counter[tuple[str, ...]] = Counter()
        for client in told:
            self.marks.update({tuple(marks): count for marks, count in client["seen"]})

    @property
    def p99_milliseconds(self) -> float:
        """The latency that one call in a hundred exceeds."""
        return quantiles(self.latencies_milliseconds, n=100)[98]

    def __str__(self) -> str:
        cuts = quantiles(self.latencies_milliseconds, n=1000)
        longest = max(self.latencies_milliseconds)
        return (
            f"{len(self.latencies_milliseconds)} calls at {self.rate:.0f}/s, {self.failed} failed;"
            f" p50 {cuts[499]:.1f} ms, p99 {cuts[989]:.1f} ms, p99.9 {cuts[998]:.1f} ms, longest {longest:.0f} ms"
        )


class Clients:
    """Clients that have been started."""

    def __init__(self, processes: list[subprocess.Popen[bytes]]) -> None:
        self._processes = processes

    def heard(self) -> Heard:
        """Wait for their ends; return what they heard."""
        told = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in self._processes]
        return Heard([json.loads(out) for out in told])


@contextmanager
def clients(usher: UsherProcess, folder: Path, *, count: int, rate: float, seconds: float) -> Iterator[Clients]:
    """Start so many clients that call the hook at this rate each; none is left at the end of the block."""
    body = folder / "body.json"
    body.write_bytes(like_the_guide(0, event_id="@EVENT@"))
    command = [sys.executable, "-m", "tests.integration.steady_client", str(usher.hook[1]), str(body)]
    given = [str(CONNECTIONS), str(seconds), str(rate)]
    processes = [
        subprocess.Popen([*command, f"client-{number}-", *given], cwd=CHECKOUT, stdout=subprocess.PIPE)
        for number in range(count)
    ]
    try:
        yield Clients(processes)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


class WatchingLoad(Load):
    """Counts what the answers hold."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests)
        self.seen: Counter[tuple[str, ...]] = Counter()

    def saw(self, response: bytes) -> None:
        """Note one whole response."""
        head, _, body = response.partition(b"\r\n\r\n")
        self.seen[_marks(head, body)] += 1


class WatchingConnection(Connection):
    """Hands every whole response on."""

    load: WatchingLoad

    def data_received(self, data: bytes) -> None:
        """Take a part of the response; the buffer is emptied when it is whole."""
        response = self.buffer + data
        super().data_received(data)
        if not self.buffer:
            self.load.saw(response)


def _marks(head: bytes, body: bytes) -> tuple[str, ...]:
    """Return revision, title and city of an answer; whatever else comes is told as it is."""
    if not head.startswith(b"HTTP/1.1 200"):
        return ("refused", head.partition(b"\r\n")[0].decode())
    answer = json.loads(body)
    if "error" in answer or len(answer.get("commands", ())) != 1:
        return ("other", body.decode())
    value = answer["commands"][0]["value"]
    return (answer["debugContext"]["policyRevision"], value.get("title", ""), value.get("city", ""))


async def _run(port: int, requests: Requests, connections: int, seconds: float, rate: float) -> dict[str, object]:
    load = WatchingLoad(requests)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: WatchingConnection(load), "127.0.0.1", port)
        load.idle.append(connection)
    started = loop.time()
    await load.at_rate(rate, seconds)
    return {
        "seconds": loop.time() - started,
        "sent": requests.count,
        "failed": load.measured.failed,
        "late": load.measured.late,
        "latencies": [round(latency * 1000, 2) for latency in load.measured.latencies],
        "seen": [[list(marks), count] for marks, count in load.seen.items()],
    }


def main() -> None:
    """Run once and print what was seen."""
    port, body, run, connections, seconds, rate = sys.argv[1:]
    requests = Requests.like(Path(body).read_bytes(), run)
    print(json.dumps(asyncio.run(_run(int(port), requests, int(connections), float(seconds), float(rate)))))


if __name__ == "__main__":
    main()
