"""Serving until somebody says stop.

Owns signals and the order in which listeners start and stop. `serve` and `installed` belong to the main thread;
`StopSignal.ask` is for any thread and for signal handlers.
"""

import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from usher.web.serving import Listener

# A waiting main thread sees a signal at once on POSIX; on Windows only between two waits.
WAIT_SECONDS: Final = 0.2
_DRAIN_WAIT_SECONDS: Final = 0.02
# SIGBREAK is Windows' Ctrl-Break, and what a service wrapper sends there.
_SIGNAL_NAMES: Final = ("SIGINT", "SIGTERM", "SIGBREAK")


class StopSignal:
    """Requests to stop, counted: the first drains, a second one stops at once."""

    def __init__(self) -> None:
        # Not an Event: a handler that interrupts the thread waiting on it would wait for that thread's lock for ever.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ask(self) -> None:
        """Ask for the stop, or for it to be immediate."""
        self._asked.put(None)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for one request; say whether it came."""
        try:
            self._asked.get(timeout=timeout_seconds)
        except queue.Empty:
            return False
        return True

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen to the signals this platform has, for as long as the block runs."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.ask()

        numbers = [number for name in _SIGNAL_NAMES if (number := getattr(signal, name, None)) is not None]
        previous = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


def serve(
    listeners: Sequence[Listener],
    stop: StopSignal,
    *,
    announce: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve until asked to stop; `announce` is called once all listen, `stopping` before they drain.

    Raises `ListenError`, having stopped the others.

    They start and stop in the order given: with the hook first, operations still answers while the hook drains.
    """
    try:
        for listener in listeners:
            listener.start()
        announce()
        while not stop.wait(WAIT_SECONDS):
            pass
    finally:
        stopping()
        for listener in listeners:
            listener.begin_stop()
            while listener.is_serving:
                if stop.wait(_DRAIN_WAIT_SECONDS):
                    _cut(listeners)


def _cut(listeners: Sequence[Listener]) -> None:
    for listener in listeners:
        listener.cut()
