"""Stopping a listener: whoever is being served is served, nobody else holds it up."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.listening import listener_options
from usher.web.serving import Listener
from usher.web.signals import StopSignal, serve
from usher.web.sockets import ListenError

if TYPE_CHECKING:
    from tests.integration.conftest import Caller, HookService, Serve

# Longer than any test: a stop that waited for this would be noticed.
FOR_EVER = 3600.0
PATIENCE_SECONDS = 60.0


def worker_threads() -> set[threading.Thread]:
    """Return the threads on which waitress runs apps."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("waitress-")}


def test_calls_in_flight_are_answered(serve_hook: Serve) -> None:
    """A call being decided when the stop comes gets its answer, and is told that the connection ends."""
    service = serve_hook(drain_seconds=FOR_EVER)
    service.line.may_answer.clear()
    caller = service.connect()
    caller.send(service.raw())
    assert service.line.entered.acquire(timeout=PATIENCE_SECONDS)
    service.listener.begin_stop()
    assert not service.listener.join(0.2)
    service.line.may_answer.set()
    answer = caller.read()
    assert (answer.status, answer.body) == (200, service.expected())
    assert answer.headers["connection"] == "close"
    assert caller.is_closed()
    assert service.listener.join(PATIENCE_SECONDS)
    assert not service.listener.is_serving


def test_calls_that_wait_in_any_queue_are_answered(serve_hook: Serve) -> None:
    """Sent before the stop, in the kernel's or waitress' queue, each call gets its answer, pipelined ones too."""
    service = serve_hook(threads=1, drain_seconds=FOR_EVER)
    service.line.may_answer.clear()
    callers = [service.connect() for _ in range(20)]
    for caller in callers:
        caller.send(service.raw(b"[1]") + service.raw(b"[2]"))
    service.listener.begin_stop()
    service.line.may_answer.set()
    for caller in callers:
        assert [answer.body for answer in caller.read_several(2)] == [
            service.expected(b"[1]"),
            service.expected(b"[2]"),
        ]
        assert caller.is_closed()
    assert service.listener.join(PATIENCE_SECONDS)


def test_a_call_that_is_half_sent_is_served_when_it_comes(serve_hook: Serve) -> None:
    """A call whose first half came before the stop and its second after is answered."""
    service = serve_hook(drain_seconds=FOR_EVER)
    caller = service.connect()
    raw = service.raw()
    caller.send(raw[:50])
    seen_by_loop(service)
    service.listener.begin_stop()
    caller.send(raw[50:])
    assert caller.read().status == 200
    assert service.listener.join(PATIENCE_SECONDS)


def test_an_answer_that_is_half_sent_is_sent_whole(serve_hook: Serve) -> None:
    """A client that reads slowly gets all of its answer before the listener ends."""
    service = serve_hook(drain_seconds=FOR_EVER)
    service.line.blanks = 10_000_000
    caller = service.connect()
    caller.send(service.raw())
    assert caller.socket.recv(1, socket.MSG_PEEK) == b"H"
    service.listener.begin_stop()
    assert not service.listener.join(0.3)
    assert len(caller.read().body) > 10_000_000
    assert service.listener.join(PATIENCE_SECONDS)


def test_idle_connections_do_not_hold_up_the_stop(serve_hook: Serve) -> None:
    """A connection kept for later, and one that never said anything, are closed at once."""
    service = serve_hook(drain_seconds=FOR_EVER)
    idle, silent = service.connect(), service.connect()
    idle.send(service.raw())
    assert idle.read().status == 200
    service.listener.begin_stop()
    assert service.listener.join(PATIENCE_SECONDS)
    assert idle.is_closed()
    assert silent.is_closed()


def test_a_call_that_comes_just_after_the_stop_is_served(serve_hook: Serve) -> None:
    """On a connection that was open already, a call on its way when the stop comes is still answered."""
    service = serve_hook(drain_seconds=FOR_EVER, settle_seconds=FOR_EVER)
    idle = service.connect()
    idle.send(service.raw())
    assert idle.read().status == 200
    service.listener.begin_stop()
    refused_soon(service)
    idle.send(service.raw(b"[2]"))
    answer = idle.read()
    assert (answer.body, answer.headers["connection"]) == (service.expected(b"[2]"), "close")
    service.listener.cut()
    assert service.listener.join(PATIENCE_SECONDS)


def test_a_slow_sender_holds_up_the_stop_for_the_draining_time_only(serve_hook: Serve) -> None:
    """A call that never gets complete is waited for, but not for ever."""
    service = serve_hook(drain_seconds=0.3)
    slow = service.connect()
    slow.send(service.raw()[:50])
    seen_by_loop(service)
    begun = time.monotonic()
    service.listener.begin_stop()
    assert service.listener.join(PATIENCE_SECONDS)
    assert time.monotonic() - begun >= 0.3
    assert slow.is_closed()
    assert service.line.calls == [(b"[0]", service.line.calls[0][1])]


def test_nobody_is_let_in_after_the_stop(serve_hook: Serve) -> None:
    """Once a stop is under way new connections are refused, and the port is free when it is over."""
    service = serve_hook(drain_seconds=FOR_EVER)
    service.line.may_answer.clear()
    caller = service.connect()
    caller.send(service.raw())
    assert service.line.entered.acquire(timeout=PATIENCE_SECONDS)
    service.listener.begin_stop()
    refused_soon(service)
    service.line.may_answer.set()
    assert service.listener.join(PATIENCE_SECONDS)
    again = serve_hook(port=service.listener.address.port)
    assert again.ask(again.raw()).status == 200


def test_a_client_that_goes_on_and_on_cannot_keep_the_listener_up(serve_hook: Serve) -> None:
    """Under full load every call that reaches the line is answered, and the stop ends of itself."""
    service = serve_hook(drain_seconds=FOR_EVER)
    answered: list[bytes] = []

    def hammer(caller: Caller) -> None:
        while True:
            try:
                caller.send(service.raw())
                answered.append(caller.read().body)
            except OSError:
                return

    threads = [threading.Thread(target=hammer, args=(service.connect(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        assert service.line.entered.acquire(timeout=PATIENCE_SECONDS)
    service.listener.begin_stop()
    assert service.listener.join(PATIENCE_SECONDS)
    for thread in threads:
        thread.join()
    assert len(answered) == len(service.line.calls)
    assert set(answered) == {service.expected()}


def test_cutting_ends_at_once_and_a_late_worker_harms_nobody(
    serve_hook: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker still deciding when the listener is cut writes to nobody, raises nothing, and ends by itself."""
    before = worker_threads()
    service = serve_hook(drain_seconds=FOR_EVER, threads=2)
    mine = worker_threads() - before
    service.line.may_answer.clear()
    caller = service.connect()
    caller.send(service.raw(b"[1]") + service.raw(b"[2]"))
    assert service.line.entered.acquire(timeout=PATIENCE_SECONDS)
    service.listener.begin_stop()
    service.listener.cut()
    assert service.listener.join(PATIENCE_SECONDS)
    assert caller.is_closed()
    # These take the descriptors just closed; a late write to one of those would be readable here.
    pipes = [os.pipe() for _ in range(20)]
    # What a worker does last of all, if it found the connection open a moment before the cut.
    service.listener._loop._servers[0].pull_trigger()  # type: ignore[union-attr]  # it has been started
    service.line.may_answer.set()
    for thread in mine:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    for reading, writing in pipes:
        os.close(writing)
        assert os.read(reading, 1) == b""
        os.close(reading)
    assert [body for body, _ in service.line.calls] == [b"[1]"]
    assert [record.message for record in caplog.records if "Exception" in record.message or record.exc_info] == []


def test_stopping_twice_or_unstarted_is_harmless(serve_hook: Serve) -> None:
    """A stop is a state, not an event."""
    service = serve_hook()
    service.listener.stop()
    service.listener.stop()
    service.listener.cut()
    unstarted = Listener(lambda _environ, _start: [], listener_options())
    unstarted.stop()
    assert not unstarted.is_serving


def test_a_listener_that_cannot_start_takes_the_others_down() -> None:
    """With one port in use nothing is served, and the error is that port's."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        hook = Listener(lambda _environ, _start: [], listener_options())
        options = listener_options(name="operations", port=taken.getsockname()[1])
        operations = Listener(lambda _environ, _start: [], options)
        with pytest.raises(ListenError, match="operations listener: cannot listen on 127"):
            serve([hook, operations], StopSignal(), announce=lambda: pytest.fail("nothing serves"))
    assert not hook.is_serving
    assert not operations.is_serving


def test_listeners_stop_in_their_order(serve_hook: Serve) -> None:
    """Operations, listed second, still answers while the hook drains; afterwards both are gone."""
    first, second = serve_hook(drain_seconds=FOR_EVER), serve_hook()
    first.listener.stop()
    second.listener.stop()
    hook = Listener(first.listener._app, listener_options(drain_seconds=FOR_EVER))
    operations = Listener(second.listener._app, listener_options(name="operations"))
    first.listener, second.listener = hook, operations
    stop, up = StopSignal(), threading.Event()
    serving = threading.Thread(target=serve, args=([hook, operations], stop), kwargs={"announce": up.set})
    serving.start()
    assert up.wait(PATIENCE_SECONDS)
    first.line.may_answer.clear()
    caller = first.connect()
    caller.send(first.raw())
    assert first.line.entered.acquire(timeout=PATIENCE_SECONDS)
    stop.ask()
    refused_soon(first)
    assert second.ask(second.raw()).status == 200
    first.line.may_answer.set()
    assert caller.read().status == 200
    serving.join(PATIENCE_SECONDS)
    assert not serving.is_alive()
    assert not operations.is_serving


def seen_by_loop(service: HookService) -> None:
    """Return when the loop has read what was sent before: it reads in turns, and this call needs a later one."""
    assert service.ask(service.raw(b"[0]")).status == 200
    assert service.ask(service.raw(b"[0]", line="GET /okta/import HTTP/1.1")).status == 405


def refused_soon(service: HookService) -> None:
    """Return when the listener takes no new connection."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            service.connect()
        except OSError:
            return
    pytest.fail("the listener still accepts")
