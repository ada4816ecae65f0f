"""Clients that are slow, many, or both: each is served, none at the cost of another."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import HookService, Serve

MIB = 1_048_576


def test_one_byte_at_a_time_does_not_hold_up_the_others(serve_hook: Serve) -> None:
    """While one client trickles, others are served between any two of its bytes; in the end it is served, too."""
    service = serve_hook(threads=1)
    slow = service.connect()
    other = service.connect()
    raw = service.raw(b'{"slow": 1}')
    for position in range(len(raw)):
        slow.send(raw[position : position + 1])
        other.send(service.raw(b"[1]"))
        assert other.read().status == 200
    assert slow.read().body == service.expected(b'{"slow": 1}')


def test_a_call_that_trickles_in_for_ever_is_given_up(serve_hook: Serve) -> None:
    """One byte now and then is no activity: after the channel timeout the connection is closed."""
    service = serve_hook(channel_timeout_seconds=1)
    slow = service.connect()
    slow.send(service.raw(b"", length=100_000))
    closed = threading.Event()
    pause = threading.Event()
    for _ in range(600):
        try:
            slow.send(b"x")
        except ConnectionError:
            closed.set()
            break
        pause.wait(0.1)
    assert closed.is_set()
    assert service.line.calls == []


def test_a_client_that_is_slow_to_read_gets_its_whole_answer(serve_hook: Serve) -> None:
    """What the socket does not take at once is sent as the client reads, pipelined answers included."""
    service = serve_hook(threads=1)
    service.line.blanks = 5 * MIB
    slow = service.connect()
    slow.send(service.raw(b"[1]") + service.raw(b"[2]"))
    other = service.connect()
    other.send(service.raw(b"[3]"))
    assert other.read().body.rstrip() == service.expected(b"[3]")
    first, second = slow.read_several(2)
    assert [len(answer.body.rstrip()) + 5 * MIB for answer in (first, second)] == [len(first.body), len(second.body)]
    assert [answer.body.rstrip() for answer in (first, second)] == [service.expected(b"[1]"), service.expected(b"[2]")]


def test_75_connections_at_once_get_each_its_own_answer(hook_service: HookService) -> None:
    """Okta calls with up to 75 at once: nobody waits for ever, nobody gets another's answer."""
    wrong: list[object] = []

    def call(number: int) -> None:
        caller = hook_service.connect()
        for turn in range(10):
            body = f"[{number}, {turn}]".encode()
            caller.send(hook_service.raw(body))
            answer = caller.read()
            if answer.body != hook_service.expected(body):
                wrong.append((number, turn, answer))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(75)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(hook_service.line.calls) == 750


def test_more_connections_than_allowed_wait_and_are_served(serve_hook: Serve) -> None:
    """Beyond the limit a connection waits in the backlog until another one goes."""
    service = serve_hook(connection_limit=3)
    kept = [service.connect() for _ in range(3)]
    for caller in kept:
        caller.send(service.raw())
        assert caller.read().status == 200
    waiting = service.connect()
    waiting.send(service.raw(b"[4]"))
    kept[0].close()
    assert waiting.read().body == service.expected(b"[4]")
