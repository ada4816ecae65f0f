"""Answers kept for a while, so that a repeated call gets the same bytes again.

Owns what counts as a repetition: the same body (which holds the `eventId`) under the same policy revision. Keeps
hashes of requests and whole answers in memory, bounded by age and by bytes; nothing is written. Safe on any thread:
one lock, held briefly.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from usher.answer.reply import Reply
from usher.domain.decision import Outcome

ENTRY_OVERHEAD_BYTES: Final = 400
"""What an entry costs beside the answer's bytes: key, reply, bookkeeping (392 by tracemalloc on CPython 3.11)."""


_Kept = tuple[float, int, bytes, str | None, str | None]
"""When it expires, then the reply's fields.

Atoms in a tuple are nothing to the garbage collector, which would walk every other reply while all threads wait.
"""


class ReplayStore:
    """Replies by request and revision; the oldest go first."""

    def __init__(self, *, keep_seconds: float, limit_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_seconds = keep_seconds
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._bytes = 0

    @staticmethod
    def key(body: bytes, revision: str) -> bytes:
        """Return what identifies a call under a revision."""
        return hashlib.blake2b(body, digest_size=32, salt=revision.encode()[:16]).digest()

    def find(self, key: bytes) -> Reply | None:
        """Return the stored reply of a repeated call, or None."""
        with self._lock:
            kept = self._kept.get(key)
        return _reply(kept) if kept and kept[0] > self._clock() else None

    def keep(self, key: bytes, reply: Reply) -> Reply:
        """Store a reply and return the one that stands: the first, when calls with one key were answered at once."""
        now = self._clock()
        with self._lock:
            existing = self._kept.get(key)
            if existing is not None and existing[0] > now:
                return replace(_reply(existing), replayed=True)
            if existing is not None:
                self._drop(key)
            outcome = reply.outcome.value if reply.outcome else None
            self._kept[key] = (now + self._keep_seconds, reply.status, reply.body, reply.decision_id, outcome)
            self._bytes += _size(reply.body)
            while self._kept and (self._bytes > self._limit_bytes or next(iter(self._kept.values()))[0] <= now):
                self._drop(next(iter(self._kept)))
        return reply

    def _drop(self, key: bytes) -> None:
        self._bytes -= _size(self._kept.pop(key)[2])


def _reply(kept: _Kept) -> Reply:
    _, status, body, decision_id, outcome = kept
    return Reply(status, body, decision_id, Outcome(outcome) if outcome else None)


def _size(body: bytes) -> int:
    return len(body) + ENTRY_OVERHEAD_BYTES
