"""Hosting on waitress: a listener is an app on a host and port, with threads of its own.

Threads, for each listener:

- `usher-<name>-loop` owns all its sockets: it accepts, reads and parses requests, and sends what workers left unsent.
  Nothing here waits for anything but sockets, so a slow sender costs a connection and never a worker.
- `waitress-<n>`, as many as `threads`: each takes one complete request from the queue, runs the app, and writes the
  answer straight to the socket. What the app calls must be safe on several of them at once.

The main thread starts and stops listeners and waits for signals (`web.signals`); it never touches a socket of theirs.
"""

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from waitress import create_server

from usher.web.access import AccessLog
from usher.web.channel import Channel, Hosting
from usher.web.loop import Loop
from usher.web.places import Places
from usher.web.refusals import Refusals, Uncounted
from usher.web.sockets import Address, listening_sockets

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

__all__ = ["Address", "Listener", "ListenerOptions"]

SERVER_NAME: Final = "usher"
QUEUE_LOG_SECONDS: Final = 60.0
_CLEANUP_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """How one listener is hosted. The settings decide and hold the defaults; only what is no setting has one here."""

    name: str
    host: str
    port: int  # 0 takes a free one
    threads: int
    body_limit_bytes: int
    header_limit_bytes: int
    connection_limit: int  # who comes when all places are taken gets that of the longest without a complete request
    channel_timeout_seconds: int  # idle, or since the first byte of a request that does not get complete
    backlog: int
    drain_seconds: float  # what a stop waits for requests in flight
    # What a stop waits for calls on their way, before connections that seem idle are closed.
    settle_seconds: float = 0.1


class Listener:
    """An app on a host and port. Starts once, stops once; both from the main thread."""

    def __init__(
        self,
        app: "WSGIApplication",
        options: ListenerOptions,
        *,
        refusals: Refusals | None = None,
        access: AccessLog | None = None,
    ) -> None:
        """Take what `start` needs; `refusals` counts what is refused before the app sees it, `access` hears of all."""
        self.options = options
        self.addresses: tuple[Address, ...] = ()
        self._app = app
        self._hosting = Hosting(refusals or Uncounted(), access)
        self._loop: Loop | None = None

    def start(self) -> tuple[Address, ...]:
        """Listen and serve; return the addresses really bound. Raises `ListenError`."""
        options = self.options
        adjustments = _adjustments(options)
        sockets = listening_sockets(options.name, options.host, options.port, backlog=options.backlog)
        channels_by_fd: dict[int, Any] = {}
        server = create_server(self._app, map=channels_by_fd, sockets=list(sockets), **adjustments)
        # One address: the server itself. Several: an object that knows none of them, but all are in the map.
        servers = [entry for entry in channels_by_fd.values() if hasattr(entry, "active_channels")]
        # waitress counts its own sockets and triggers as connections. One more is let in: `Places` makes room for it.
        server.adj.connection_limit += len(channels_by_fd) + 1
        server.task_dispatcher.queue_logger = QueueLog(functools.partial(_report_queue, options.name))
        loop = Loop(
            servers,
            channels_by_fd,
            self._hosting,
            Places(servers, options.connection_limit, functools.partial(_report_closed, options.name)),
            drain_seconds=options.drain_seconds,
            settle_seconds=options.settle_seconds,
        )
        for entry in servers:
            entry.channel_class = functools.partial(Channel, self._hosting)
        self._loop = loop
        threading.Thread(target=loop.run, name=f"usher-{options.name}-loop", daemon=True).start()
        self.addresses = tuple(Address(*entry.socket.getsockname()[:2]) for entry in servers)
        return self.addresses

    @property
    def address(self) -> Address:
        """The first address bound."""
        return self.addresses[0]

    @property
    def is_serving(self) -> bool:
        """Whether the loop runs, draining included."""
        return self._loop is not None and not self._loop.ended.is_set()

    def begin_stop(self) -> None:
        """Stop accepting and drain; returns at once."""
        if self._loop is not None:
            self._loop.stop()

    def cut(self) -> None:
        """Stop without draining; returns at once."""
        if self._loop is not None:
            self._loop.cut()

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the end of the loop; say whether it has come."""
        return self._loop is None or self._loop.ended.wait(timeout_seconds)

    def stop(self) -> None:
        """Stop, drained; returns when everything is closed, at most `drain_seconds` and a little later."""
        self.begin_stop()
        self.join()


class QueueLog:
    """Stands in for waitress' queue logger, which warns at each request that finds no idle worker.

    Called on the loop and worker threads, always under the dispatcher's lock.
    """

    def __init__(self, report: Callable[[int], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._clock = clock
        self._deepest = 0
        self._quiet_until = 0.0

    def warning(self, message: str, depth: int) -> None:
        """Report the deepest queue since the last report, once a minute; `message` is waitress' own."""
        del message
        self._deepest = max(self._deepest, depth)
        now = self._clock()
        if now >= self._quiet_until:
            self._report(self._deepest)
            self._quiet_until = now + QUEUE_LOG_SECONDS
            self._deepest = 0


def _report_queue(listener: str, deepest: int) -> None:
    structlog.get_logger(__name__).info("requests_waited_for_a_worker", listener=listener, deepest=deepest)


def _report_closed(listener: str, connections: int) -> None:
    structlog.get_logger(__name__).warning(
        "connections_closed_to_make_room", listener=listener, connections=connections
    )


def _adjustments(options: ListenerOptions) -> dict[str, Any]:
    """Translate into waitress' own names; its defaults are for applications with uploads and trusted clients."""
    return {
        "threads": options.threads,
        "backlog": options.backlog,
        "connection_limit": options.connection_limit,
        "channel_timeout": options.channel_timeout_seconds,
        "cleanup_interval": max(1, min(_CLEANUP_SECONDS, options.channel_timeout_seconds // 2)),
        # waitress refuses a body that reaches its limit; ours is the largest one served.
        "max_request_body_size": options.body_limit_bytes + 1,
        "max_request_header_size": options.header_limit_bytes,
        # APPSEC: above this waitress writes bodies to temporary files; a profile never touches a disk on its way in.
        "inbuf_overflow": 2 * options.body_limit_bytes + 1,
        "ident": SERVER_NAME,
        # No app reads a forwarded header, so waitress need not wrap it to clear them.
        "clear_untrusted_proxy_headers": False,
        # A client that hangs up is no news: Okta does after three seconds.
        "log_socket_errors": False,
    }
