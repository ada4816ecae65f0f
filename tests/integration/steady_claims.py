"""Calls for many people over some time: who is called for, at which rate, and what was heard.

Owns the load that ledgers are tested under. Each caller is a thread with a connection that it keeps.
"""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.integration.claiming import LOGIN_CONFLICT, SEED, Heard, Row, ask
from tests.integration.usher_process import Caller, UsherProcess


class People:
    """Deals out rows, new ones and such as were dealt before; any thread. The seed says which."""

    def __init__(self, seed: int, *, families: str = "abcdefgh") -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a repeatable mix, no secret
        self._families = families
        self._lock = threading.Lock()
        self._events = itertools.count(1)
        self.rows: list[Row] = []

    def call(self) -> tuple[Row, str]:
        """Return a row, and an eventId of its own."""
        chance = self._chance
        with self._lock:
            if not self.rows or chance.random() < 0.6:
                conflicts = LOGIN_CONFLICT if chance.random() < 0.5 else ()
                self.rows.append(Row(len(self.rows), f"lee{chance.choice(self._families)}", conflicts))
                return self.rows[-1], f"event-{next(self._events)}"
            return chance.choice(self.rows), f"event-{next(self._events)}"


class SteadyCalls:
    """Calls at a steady rate over several connections, and what they heard."""

    def __init__(self, people: People) -> None:
        self.heard: list[Heard] = []
        self.stop = threading.Event()
        self._people = people

    def between(self, begin: float, end: float) -> list[Heard]:
        """Return what was asked and answered within a time."""
        return [heard for heard in list(self.heard) if begin <= heard.asked and heard.answered <= end]

    def wait_for(self, wanted: Callable[[Heard], bool], *, since: float, seconds: float) -> float:
        """Wait until a call asked since then was answered as wanted; return how many seconds that took."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            for heard in list(self.heard):
                if heard.asked >= since and wanted(heard):
                    return heard.answered - since
            time.sleep(0.02)
        raise AssertionError([heard for heard in self.heard if heard.asked >= since][-3:])

    def run(self, usher: UsherProcess, pause_seconds: float) -> None:
        """Call until told to stop."""
        with Caller(usher.hook) as caller:
            due = time.monotonic()
            while not self.stop.wait(max(0.0, due - time.monotonic())):
                due = max(due + pause_seconds, time.monotonic())
                self.heard.append(ask(caller, *self._people.call()))


@contextmanager
def steady_calls(usher: UsherProcess, *, rate: float, connections: int = 8) -> Iterator[SteadyCalls]:
    """Call at a rate in all, per second, for as long as the block runs; what a caller meets is raised at its end."""
    calls = SteadyCalls(People(SEED))
    with ThreadPoolExecutor(connections) as pool:
        running = [pool.submit(calls.run, usher, connections / rate) for _ in range(connections)]
        try:
            yield calls
        finally:
            calls.stop.set()
    for done in running:
        done.result()
