"""The access log: one event for each HTTP request, also for those no app gets to see.

Owns what is told of a request. APPSEC: nothing of it is a caller's text: a method or path that is not this listener's
is `other`; of the caller itself stands there the address it came from. Called by worker threads when the answer has
left.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from usher.web.hook import DECISION_HEADER

OTHER: Final = "other"
METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_DECISION: Final = DECISION_HEADER.lower()
_HEAD_TOO_LARGE: Final = 431


class Told(Protocol):
    """The service log."""

    def event(self, name: str, values: Mapping[str, object]) -> None:
        """Tell an event; must not wait."""


class AccessLog:
    """Tells of every request to one listener; `paths` are those it serves."""

    def __init__(self, listener: str, paths: frozenset[str], log: Told) -> None:
        self._listener = listener
        self._paths = paths
        self._log = log

    def answered(self, task: Any) -> None:  # noqa: ANN401  # waitress is untyped
        """Tell of the request of a waitress task that is done. Never raises."""
        with suppress(Exception):
            self._log.event("request", self._told(task))

    def _told(self, task: Any) -> dict[str, object]:  # noqa: ANN401  # see above
        request = task.request
        # What could not be read has neither; where the head was too large, waitress says GET / of its own.
        method = getattr(request, "command", None)
        path = (getattr(request, "request_uri", None) or "").partition("?")[0]
        arrived, status = request.arrived, int(task.status[:3])
        told: dict[str, object] = {
            "listener": self._listener,
            "method": method if method in METHODS and status != _HEAD_TOO_LARGE else OTHER,
            "path": path if path in self._paths else OTHER,
            "status": status,
            "bytes": task.content_bytes_written,
            "milliseconds": round((time.monotonic() - arrived) * 1000, 3) if arrived else 0.0,
            "peer": str(task.channel.addr[0]),
        }
        for name, value in task.response_headers:
            if name.lower() == _DECISION:
                told["decision_id"] = value
        return told
