"""More callers than there are workers or places: whoever is Okta gets an answer in time."""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from tests.integration.conftest import StartUsher
from tests.integration.payloads import its_login, like_the_guide
from tests.integration.usher_process import PATIENCE_SECONDS, SECRET, Address, Caller, UsherProcess

OKTA_WAITS_SECONDS = 3.0
CROWD = 500
SLOW_POLICY = """\
policy: slow
description: Takes its time, by counting.
variables:
  l: {value: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}
rules:
  - id: a
    when: >-
      variables.l.all(a, variables.l.all(b, variables.l.all(c,
      variables.l.all(d, a + b + c + d > 0))))
    set: {user.title: {value: x}}
"""


def test_calls_that_wait_too_long_make_room_for_others(start_usher: StartUsher, tmp_path: Path) -> None:
    """Far more work than one worker can do: some are decided, the rest hear `queue`, all before Okta gives up."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "slow.yaml").write_text(SLOW_POLICY, encoding="utf-8")
    settings = {"POLICIES_FOLDER": "policies", "POLICIES_GATE": "off", "SERVER_THREADS": "1"}
    settings |= {"SERVER_QUEUE_SECONDS": "0.3", "SERVER_DEADLINE_SECONDS": "2.9", "CEL_STEPS": "10000000"}
    usher = start_usher("serve", USHER_SECRET=SECRET, **{f"USHER_{name}": value for name, value in settings.items()})
    usher.wait_until_ready()

    def call(number: int) -> tuple[str, float]:
        began = time.monotonic()
        answer = usher.post(like_the_guide(number))
        causes = answer.json.get("error", {"errorCauses": [{"reason": "decided"}]})
        assert answer.status == 200
        assert isinstance(causes, dict)
        return causes["errorCauses"][0]["reason"], time.monotonic() - began

    with ThreadPoolExecutor(60) as pool:
        heard = list(pool.map(call, range(60)))
    reasons = Counter(reason for reason, _ in heard)
    print(f"\nA worker for 60 calls: {dict(reasons)}, longest {max(seconds for _, seconds in heard):.2f} s")
    assert reasons.keys() == {"decided", "queue"}
    assert max(seconds for _, seconds in heard) < OKTA_WAITS_SECONDS


def test_500_slow_and_idle_connections_keep_nobody_out(start_usher: StartUsher) -> None:
    """Those who say nothing, and those who trickle header or body, lose their place; no call of Okta's fails."""
    usher = start_usher("serve", USHER_SECRET=SECRET, USHER_POLICIES_GATE="off")
    usher.wait_until_ready()
    alone = calls(usher, range(200))
    with crowd(usher.hook) as strangers:
        amid = calls(usher, range(200, 400))
        idle_beside = calls(usher, range(400, 480), pause_seconds=0.05)
    print(
        f"\n{CROWD} strangers, {strangers.opened} connections: longest call {alone:.3f} s alone, {amid:.3f} s amid them"
    )
    assert strangers.opened > CROWD
    assert max(amid, idle_beside) < OKTA_WAITS_SECONDS


def calls(usher: UsherProcess, rows: range, *, pause_seconds: float = 0.0) -> float:
    """Make each call, on eight kept connections, as a proxy would: a new one where the service has closed the old.

    Every answer must be right; return how long the longest took, in seconds.
    """

    def some(first: int) -> float:
        longest = 0.0
        caller = Caller(usher.hook)
        for number in rows[first::8]:
            time.sleep(pause_seconds)
            began = time.monotonic()
            try:
                answer = caller.post(like_the_guide(number))
            except ConnectionError:
                caller.connection.close()
                answer = caller.post(like_the_guide(number))
            longest = max(longest, time.monotonic() - began)
            assert (answer.status, answer.login) == (200, its_login(number))
        caller.connection.close()
        return longest

    with ThreadPoolExecutor(8) as pool:
        return max(pool.map(some, range(8)))


class Crowd:
    """Strangers that hold connections: a third says nothing, a third trickles a header, a third a body.

    A stranger whose connection is closed opens another, and so it goes on until the end; one thread plays all of them.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._selector = selectors.DefaultSelector()
        self.opened = 0
        self.over = Event()

    def gather(self) -> None:
        """Open all connections."""
        for number in range(CROWD):
            self._open(number % 3)

    def stay(self) -> None:
        """Trickle and come again until it is over."""
        while not self.over.wait(0.1):
            for key, _ in self._selector.select(0):
                self._selector.unregister(key.fileobj)
                connection, kind = key.fileobj, key.data
                assert isinstance(connection, socket.socket)
                connection.close()
                self._open(kind)
            for key in list(self._selector.get_map().values()):
                if key.data and isinstance(key.fileobj, socket.socket):
                    with suppress(OSError):
                        key.fileobj.send(b"x")
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _open(self, kind: int) -> None:
        connection = socket.create_connection(self._address, timeout=PATIENCE_SECONDS)
        begun = ("", "POST /okta/import HTTP/1.1\r\nHost: hook\r\nX-Slow: ")[min(kind, 1)]
        if kind == 2:
            begun += f"1\r\nAuthorization: {SECRET}\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{{"
        connection.sendall(begun.encode())
        connection.settimeout(0)
        self._selector.register(connection, selectors.EVENT_READ, kind)
        self.opened += 1


@contextmanager
def crowd(address: Address) -> Iterator[Crowd]:
    """Return a crowd that is there, and stays until the end of the block."""
    strangers = Crowd(address)
    strangers.gather()
    thread = Thread(target=strangers.stay)
    thread.start()
    try:
        yield strangers
    finally:
        strangers.over.set()
        thread.join(PATIENCE_SECONDS)
