"""Who has to leave: a listener has so many places for connections, and strangers can take them all.

Owns the choice of connections to close: those whose header takes too long, and, when a newcomer finds no place, those
that have been without a complete request for longest. Belongs to its listener's loop thread.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from usher.web.channel import Channel

# Okta gives up after 3 s in all: whoever takes longer for a header alone has no use for an answer.
HEADER_SECONDS: Final = 5.0
REPORT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0


class Places:
    """The places of one listener; `report` is told how many connections were closed, once a minute at most."""

    def __init__(
        self,
        servers: Sequence[Any],
        limit: int,
        report: Callable[[int], None],
        *,
        header_seconds: float = HEADER_SECONDS,
    ) -> None:
        self._servers = servers
        self._limit = limit
        self._report = report
        self._header_seconds = header_seconds
        self._next_look = 0.0
        self._closed = 0
        self._quiet_until = 0.0

    def channels(self) -> Iterator[Channel]:
        """Yield the connections there are; closing one meanwhile is harmless."""
        for server in self._servers:
            yield from list(server.active_channels.values())

    def tend(self) -> None:
        """Close what has to leave; called at each turn of the loop, so it counts before it looks."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            # waitress stamps a connection's activity by the wall clock.
            self._close(overdue(list(self.channels()), time.time() - self._header_seconds), now)
        # APPSEC: strangers could otherwise hold all places with connections that never say anything.
        excess = sum(len(server.active_channels) for server in self._servers) - self._limit
        if excess > 0:
            self._close(longest_without_request(list(self.channels()), excess), now)

    def _close(self, leaving: Sequence[Channel], now: float) -> None:
        for channel in leaving:
            channel.cut()
        self._closed += len(leaving)
        if self._closed and now >= self._quiet_until:
            self._report(self._closed)
            self._closed = 0
            self._quiet_until = now + REPORT_SECONDS


def overdue(channels: Sequence[Channel], begun_before: float) -> list[Channel]:
    """Return the connections whose request began before then and has no complete header yet."""
    return [
        channel
        for channel in channels
        if channel.request is not None
        and not channel.request.headers_finished
        and not channel.requests
        and channel.last_activity < begun_before
    ]


def longest_without_request(channels: Sequence[Channel], count: int) -> list[Channel]:
    """Return at most so many connections without a complete request: the quiet first, answers half read last.

    The newest is never among them: it has had no time to say anything. A request in work keeps its connection.
    """
    newest = max(channels, key=_created)
    candidates = [channel for channel in channels if not channel.requests and channel is not newest]
    return sorted(candidates, key=_worth)[:count]


def _created(channel: Channel) -> float:
    return channel.creation_time


def _worth(channel: Channel) -> tuple[bool, float]:
    return channel.total_outbufs_len > 0, channel.last_activity
