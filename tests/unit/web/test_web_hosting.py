"""What of hosting can be tried without a connection: sockets, the queue's log, signals."""

import signal
import socket
import threading

import pytest

from usher.errors import UsherError
from usher.web.serving import QueueLog
from usher.web.signals import StopSignal
from usher.web.sockets import Address, ListenError, listening_sockets


def test_a_free_port_is_one_port_on_every_address_of_the_host() -> None:
    """With port 0 a host of several addresses is reachable on the same port at each."""
    sockets = listening_sockets("hook", "localhost", 0, backlog=5)
    try:
        ports = {opened.getsockname()[1] for opened in sockets}
        assert len(ports) == 1
        assert 0 not in ports
    finally:
        for opened in sockets:
            opened.close()


def test_a_port_in_use_is_one_clear_line() -> None:
    """The error names listener, host and port, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as refused:
            listening_sockets("hook", "127.0.0.1", port, backlog=5)
    assert isinstance(refused.value, UsherError)
    assert str(refused.value) == (
        f"hook listener: cannot listen on 127.0.0.1:{port}: the port is in use: "
        "stop what listens there or set another port"
    )
    assert (refused.value.listener, refused.value.host, refused.value.port) == ("hook", "127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("no-such-host.invalid", 0, "no such host"),
        ("127.0.0.1", 70_000, "a number from 0 to 65535"),
        ("127.0.0.1", -1, "a number from 0 to 65535"),
        ("x" * 300, 0, "no such host"),
        ("192.0.2.1", 0, "no such address"),
    ],
)
def test_a_host_or_port_that_cannot_be_is_one_clear_line(host: str, port: int, reason: str) -> None:
    """Typing errors in host and port come out as a line, never as a traceback."""
    with pytest.raises(ListenError, match=reason) as refused:
        listening_sockets("operations", host, port, backlog=5)
    assert "\n" not in str(refused.value)


def test_an_address_reads_as_it_is_typed() -> None:
    """IPv6 addresses stand in brackets."""
    assert [str(Address("::1", 80)), str(Address("127.0.0.1", 80))] == ["[::1]:80", "127.0.0.1:80"]


def test_a_full_queue_is_told_once_a_minute_with_its_depth() -> None:
    """Waitress warns at every request that waits; the log gets one line a minute, with the deepest queue in it."""
    told: list[int] = []
    now = [1000.0]
    log = QueueLog(told.append, lambda: now[0])
    for seconds, depth in [(0, 3), (1, 9), (30, 5), (59, 1), (60, 2), (61, 7), (121, 1)]:
        now[0] = 1000.0 + seconds
        log.warning("Task queue depth is %d", depth)
    assert told == [3, 9, 7]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_for_the_stop_and_the_old_handler_comes_back(number: signal.Signals) -> None:
    """Both signals count, once each; afterwards they mean what they meant before."""
    stop = StopSignal()
    before = signal.getsignal(number)
    with stop.installed():
        signal.raise_signal(number)
        assert stop.wait(5)
        assert not stop.wait(0)
    assert signal.getsignal(number) is before


def test_any_thread_may_ask_and_every_request_counts() -> None:
    """A waiting main thread is woken by another; two requests are two."""
    stop = StopSignal()
    asking = [threading.Thread(target=stop.ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    assert stop.wait(30)
    assert stop.wait(30)
    for thread in asking:
        thread.join()
    assert not stop.wait(0)
