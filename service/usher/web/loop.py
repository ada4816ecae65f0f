"""The socket loop of one listener: turns, draining, closing.

Owns the order in which a listener ends, so that no answer is lost and no worker writes where nobody listens any more.
`run` and everything with an underscore belong to the loop thread; `stop`, `cut` and `ended` are for any thread. Checked
against waitress 3.0.2 (server.py, wasyncore.py, trigger.py).
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from waitress import wasyncore

from usher.errors import fault_place
from usher.web.channel import Hosting
from usher.web.places import Places

TURN_SECONDS: Final = 1.0
# How soon a draining loop looks again whether everybody has been served.
DRAIN_TURN_SECONDS: Final = 0.05
# How long workers may take to notice that they are not needed; one stuck in a decision is left behind.
WORKER_EXIT_SECONDS: Final = 0.5


class Loop:
    """Runs waitress' servers (one for each address) on the calling thread until it is stopped and drained."""

    def __init__(
        self,
        servers: Sequence[Any],
        channels_by_fd: dict[int, Any],
        hosting: Hosting,
        places: Places,
        *,
        drain_seconds: float,
        settle_seconds: float,
    ) -> None:
        self._servers = servers
        self._map = channels_by_fd
        self._hosting = hosting
        self._places = places
        self._drain_seconds = drain_seconds
        self._settle_seconds = settle_seconds
        self._stopping = threading.Event()
        self._cutting = threading.Event()
        self._trigger_lock = threading.Lock()
        self._triggers_closed = False
        self.ended = threading.Event()

    def stop(self) -> None:
        """Ask for the end, with everybody served first."""
        self._stopping.set()
        with self._trigger_lock:
            if not self._triggers_closed:
                self._servers[0].pull_trigger()

    def cut(self) -> None:
        """Ask for the end now."""
        self._cutting.set()
        self.stop()

    def run(self) -> None:
        """Serve, drain, close; a worker stuck in a decision keeps this thread, and nothing else, waiting."""
        try:
            while not self._stopping.is_set():
                self._turn(TURN_SECONDS)
            self._drain()
        finally:
            self._close()
            self.ended.set()
            self._close_triggers()

    def _turn(self, seconds: float) -> None:
        try:
            if not self._hosting.draining:
                self._places.tend()
            # poll() where the platform has it; waitress takes select() elsewhere, which Windows limits to 512 sockets.
            wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)
        except Exception as error:  # noqa: BLE001  # the loop outlives whatever one connection did to it
            # APPSEC: type and place only: an exception's text may quote a profile.
            structlog.get_logger(__name__).error(
                "loop_turn_failed", error=type(error).__name__, place=fault_place(error)
            )
            self._forget_closed_sockets()
            self._cutting.wait(DRAIN_TURN_SECONDS)

    def _forget_closed_sockets(self) -> None:
        """Drop closed sockets: left in the map, one would fail every turn where the loop runs on select()."""
        for descriptor, entry in list(self._map.items()):
            if entry.socket is None or entry.socket.fileno() != descriptor:
                self._map.pop(descriptor, None)

    def _drain(self) -> None:
        self._hosting.draining = True
        for server in self._servers:
            with suppress(OSError):
                self._accept_queued(server)
            wasyncore.dispatcher.close(server)  # the listening socket only: server.close() would close the trigger
        started = time.monotonic()
        deadline = started + self._drain_seconds
        settled = min(started + self._settle_seconds, deadline)
        while not self._cutting.is_set():
            now = time.monotonic()
            if now >= deadline or (now >= settled and not any(channel.is_busy for channel in self._places.channels())):
                return
            self._turn(min(DRAIN_TURN_SECONDS, deadline - now))

    def _accept_queued(self, server: Any) -> None:  # noqa: ANN401  # waitress is untyped
        """Take the connections the kernel has already promised to serve."""
        while len(self._map) < server.adj.connection_limit:
            known = len(server.active_channels)
            server.handle_accept()
            if len(server.active_channels) == known:
                return

    def _close(self) -> None:
        """Close channels first, so that workers learn it, then send the workers away."""
        for server in self._servers:
            wasyncore.dispatcher.close(server)
        for channel in self._places.channels():
            with suppress(OSError):
                channel.cut()
        self._servers[0].task_dispatcher.shutdown(timeout=WORKER_EXIT_SECONDS)

    def _close_triggers(self) -> None:
        """Close what workers wake the loop with, once the last worker is gone.

        waitress writes to the descriptor whether it is open or not, and a closed one may be somebody else's by then. A
        lock around each write would cost more than half the throughput: each write gives up the interpreter lock.
        """
        dispatcher = self._servers[0].task_dispatcher
        with dispatcher.lock:
            dispatcher.thread_exit_cv.wait_for(lambda: not dispatcher.threads)
        with self._trigger_lock:
            self._triggers_closed = True
            for server in self._servers:
                server.trigger.close()
        self._map.clear()
