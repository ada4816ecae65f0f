"""Clients that are slow, many, or both: each is served, none at the cost of another."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import HookService, Serve

MIB = 1_048_576
PATIENCE_SECONDS = 60.0
OKTA_WAITS_SECONDS = 3.0


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


def wait_until_idle(service: HookService) -> None:
    """Wait until workers have noted that they are done: that comes after the answer has been read."""
    loop = service.listener._loop
    assert loop is not None
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while any(channel.requests for channel in loop._places.channels()):
        assert time.monotonic() < give_up_at
        time.sleep(0.005)
    # A connection's time is noted last, a moment after its request was given up.
    time.sleep(0.05)


def test_a_newcomer_gets_the_place_of_the_longest_idle(serve_hook: Serve) -> None:
    """Beyond the limit the connection that has said nothing for longest is closed, and no other."""
    service = serve_hook(connection_limit=3)
    kept = [service.connect() for _ in range(3)]
    for caller in (kept[1], kept[0], kept[2]):
        caller.send(service.raw())
        assert caller.read().status == 200
        wait_until_idle(service)
    assert service.ask(service.raw(b"[4]")).body == service.expected(b"[4]")
    assert kept[1].is_closed()
    for caller in (kept[0], kept[2]):
        caller.send(service.raw(b"[5]"))
        assert caller.read().body == service.expected(b"[5]")


def test_calls_in_work_keep_their_places(serve_hook: Serve) -> None:
    """While all places are taken by calls being decided, one newcomer waits inside, the rest in the backlog."""
    service = serve_hook(connection_limit=3, threads=1)
    service.line.may_answer.clear()
    working = [service.connect() for _ in range(3)]
    for number, caller in enumerate(working):
        caller.send(service.raw(f"[{number}]".encode()))
    assert service.line.entered.acquire(timeout=PATIENCE_SECONDS)
    waiting = [service.connect() for _ in range(3)]
    for caller in waiting:
        caller.send(service.raw(b"[7]"))
    service.line.may_answer.set()
    assert [caller.read().body for caller in working] == [service.expected(b) for b in (b"[0]", b"[1]", b"[2]")]
    assert [caller.read().body for caller in waiting] == [service.expected(b"[7]")] * 3


def test_strangers_who_say_nothing_or_half_of_it_do_not_lock_okta_out(serve_hook: Serve) -> None:
    """450 connections without a complete request, 400 places: a call is answered long before any of them times out."""
    service = serve_hook(channel_timeout_seconds=3600)
    for number in range(450):
        service.connect().send((b"", b"POST /okta/import HT", service.raw(length=100))[number % 3])
    started = time.monotonic()
    assert service.ask(service.raw(b"[1]")).body == service.expected(b"[1]")
    assert time.monotonic() - started < OKTA_WAITS_SECONDS


def test_a_header_that_does_not_end_is_given_up_early(serve_hook: Serve) -> None:
    """It is closed long before the channel timeout, although it goes on and on; a quiet connection stays."""
    service = serve_hook(channel_timeout_seconds=3600)
    slow, quiet = service.connect(), service.connect()
    slow.send(b"POST /okta/import HTTP/1.1\r\nX-Long: ")
    closed, pause = threading.Event(), threading.Event()
    for _ in range(600):
        try:
            slow.send(b"x")
        except ConnectionError:
            closed.set()
            break
        pause.wait(0.1)
    assert closed.is_set()
    quiet.send(service.raw(b"[1]"))
    assert quiet.read().body == service.expected(b"[1]")
