"""Stopping by signal: a program of its own, and what Ctrl-C does to it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 60.0

PROGRAM = """
import sys, time
from usher.answer.reply import Reply
from usher.web.app import create_hook_app
from usher.web.auth import NoAuthentication
from usher.web.refusals import Uncounted
from usher.web.serving import Listener, ListenerOptions
from usher.web.signals import StopSignal, serve

class Slow:
    def answer(self, body, arrived, taken_up):
        print("entered", flush=True)
        time.sleep(float(body))
        return Reply(200, b"{}", None, None)
    def undecided(self):
        raise NotImplementedError

app = create_hook_app(Slow(), NoAuthentication(), refusals=Uncounted(), body_limit_bytes=1000)
options = ListenerOptions(
    name="hook", host="127.0.0.1", port=0, threads=2, body_limit_bytes=1000, header_limit_bytes=1000,
    connection_limit=10, channel_timeout_seconds=30, backlog=10, drain_seconds=3600,
)
listener = Listener(app, options)
stop = StopSignal()
with stop.installed():
    serve([listener], stop, announce=lambda: print(listener.address.port, flush=True))
print("stopped", flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program that serves until a signal comes; a call says how many seconds it takes."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def start(program: Path) -> tuple[subprocess.Popen[str], socket.socket]:
    """Start the program and connect to it."""
    running = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    port = int(running.stdout.readline())
    return running, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)


def wait_until_refused(address: tuple[str, int]) -> None:
    """Wait until the first signal has been heard: two that are sent before that, the system makes one of."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        try:
            socket.create_connection(address, timeout=PATIENCE_SECONDS).close()
        except OSError:
            return
        time.sleep(0.02)
    pytest.fail("the listener goes on listening")


def call(seconds: str) -> bytes:
    """Return a call that takes some seconds."""
    head = f"POST /okta/import HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {len(seconds)}\r\n\r\n"
    return (head + seconds).encode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_program_after_its_answer(program: Path, number: signal.Signals) -> None:
    """The call in flight is answered, the program says good-bye by itself and exits with 0."""
    running, connection = start(program)
    with running, connection:
        assert running.stdout is not None
        connection.sendall(call("0.5"))
        assert running.stdout.readline() == "entered\n"
        running.send_signal(number)
        assert connection.recv(12) == b"HTTP/1.1 200"
        assert running.stdout.readline() == "stopped\n"
        assert running.wait(PATIENCE_SECONDS) == 0


def test_a_second_signal_does_not_wait(program: Path) -> None:
    """Whoever presses Ctrl-C twice means it: the program ends although a call is being decided."""
    running, connection = start(program)
    with running, connection:
        assert running.stdout is not None
        connection.sendall(call("3600"))
        assert running.stdout.readline() == "entered\n"
        running.send_signal(signal.SIGINT)
        wait_until_refused(connection.getpeername())
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.3)
        running.send_signal(signal.SIGINT)
        assert running.stdout.readline() == "stopped\n"
        assert running.wait(PATIENCE_SECONDS) == 0
