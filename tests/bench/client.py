"""A client that keeps connections busy, or sends at a fixed rate, and measures; a process of its own, one thread.

Run as `python -m tests.bench.client PORT BODY_FILE RUN CONNECTIONS SECONDS [RATE]`; prints one line of JSON, latencies
in milliseconds. At a fixed rate a latency counts from the moment the request was due, whether or not a connection was
free then: a server that stalls cannot hide the requests it kept from being sent.
"""

import asyncio
import json
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import cast

from tests.integration.usher_process import SECRET

IN_TIME_SECONDS = 0.005
PATIENCE_SECONDS = 10.0


@dataclass
class Requests:
    """Makes requests, no two of which have the same eventId."""

    parts: list[bytes]
    run: bytes
    count: int = 0

    @classmethod
    def like(cls, body: bytes, run: str) -> "Requests":
        """Take a body in which @EVENT@ stands for the eventId, and for whatever else is to be new each time."""
        before, *others = body.split(b"@EVENT@")
        length = len(before) + sum(len(run) + 9 + len(part) for part in others)
        head = (
            f"POST /okta/import HTTP/1.1\r\nHost: hook\r\nAuthorization: {SECRET}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        return cls([head.encode() + before, *others], run.encode())

    def next(self) -> bytes:
        """Return one more."""
        self.count += 1
        return (b"%s%09d" % (self.run, self.count)).join(self.parts)


@dataclass
class Measured:
    """What came of a run; times in seconds."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    late: int = 0

    def summary(self, seconds: float) -> dict[str, float]:
        """Return rates and percentiles."""
        cuts = quantiles(self.latencies, n=1000)
        return {
            "requests": len(self.latencies),
            "seconds": seconds,
            "p50": cuts[499] * 1000,
            "p99": cuts[989] * 1000,
            "p999": cuts[998] * 1000,
            "failed": self.failed,
            "late": self.late,
        }


class Connection(asyncio.Protocol):
    """One connection with at most one request on its way."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.due = 0.0
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self.transport = cast("asyncio.Transport", transport)

    def send(self, due: float) -> None:
        """Send a request that was due at this time of the loop."""
        self.due = due
        self.transport.write(self.load.requests.next())

    def data_received(self, data: bytes) -> None:
        """Take a part of the response; the last one ends the measurement."""
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        self.buffer = b""
        self.load.answered(self, is_fine=head.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that the server closed."""
        del exc
        if not self.load.is_over:
            self.load.measured.failed += 1


class Load:
    """The connections and what they are told to do."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.measured = Measured()
        self.is_over = False
        self.rate = 0.0
        self.wanted = 0
        self.all_answered = asyncio.Event()
        self.idle: deque[Connection] = deque()
        self.waiting: deque[float] = deque()
        self.loop = asyncio.get_running_loop()

    def answered(self, connection: Connection, *, is_fine: bool) -> None:
        """Note a response and give the connection something to do."""
        now = self.loop.time()
        self.measured.latencies.append(now - connection.due)
        self.measured.failed += not is_fine
        if len(self.measured.latencies) == self.wanted:
            self.all_answered.set()
        if self.rate == 0 and not self.is_over:
            connection.send(now)
        elif self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.idle.append(connection)

    async def keep_busy(self, seconds: float) -> None:
        """Send on each connection as soon as it has its answer."""
        for connection in list(self.idle):
            connection.send(self.loop.time())
        self.idle.clear()
        await asyncio.sleep(seconds)
        self.is_over = True

    async def at_rate(self, rate: float, seconds: float) -> None:
        """Send so many a second, evenly, on whichever connection is free."""
        self.rate = rate
        self.wanted = int(rate * seconds)
        start = self.loop.time()
        for number in range(self.wanted):
            due = start + number / rate
            await asyncio.sleep(max(0, due - self.loop.time()))
            self.measured.late += self.loop.time() - due > IN_TIME_SECONDS or not self.idle
            if self.idle:
                self.idle.popleft().send(due)
            else:
                self.waiting.append(due)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.all_answered.wait(), PATIENCE_SECONDS)
        self.is_over = True


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])


async def _run(port: int, requests: Requests, connections: int, seconds: float, rate: float) -> dict[str, float]:
    load = Load(requests)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
        load.idle.append(connection)
    started = loop.time()
    await (load.at_rate(rate, seconds) if rate else load.keep_busy(seconds))
    return load.measured.summary(loop.time() - started)


def main() -> None:
    """Run once and print what was measured."""
    port, body, run, connections, seconds, *rate = sys.argv[1:]
    requests = Requests.like(Path(body).read_bytes(), run)
    measured = _run(int(port), requests, int(connections), float(seconds), float(rate[0]) if rate else 0)
    print(json.dumps(asyncio.run(measured)))


if __name__ == "__main__":
    main()
