"""Files of the decision log that are older than they may get: deleted, on a thread that lives for this.

Owns which files may go. A worker that begins a new file has a call that waits for it, and a folder may hold thousands,
so the deleting is not its work. A file counts from its last write. Services with the same settings never write to one
that is due: `DecisionFile` begins another before that (`Keeping.rotation_seconds`).
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from usher.adapters.decision_files import files_of

MARGIN_SECONDS: Final = 3600.0
"""Clocks of file servers differ from ours, and another process may be about to write."""
_JOIN_SECONDS: Final = 2.0


def delete_expired(stem: Path, *, keep_seconds: float, now: float, in_use: Path) -> int:
    """Delete the files of a log that were last written longer ago; return how many. What cannot go now, goes later."""
    deleted = 0
    for file in files_of(stem):
        if file.path == in_use:
            continue
        # Windows does not delete what is open, here or in a reader; another service may be deleting as well.
        with suppress(OSError):
            if now - file.path.stat().st_mtime > keep_seconds + MARGIN_SECONDS:
                file.path.unlink()
                deleted += 1
    return deleted


@dataclass(slots=True)
class Expiry:
    """Deletes what is older than `keep_seconds`, 0 for nothing ever; looks when it is told to."""

    stem: Path
    keep_seconds: float
    clock: Callable[[], float] = time.time
    _thread: threading.Thread | None = None

    def begin(self, in_use: Path) -> None:
        """Look now, on a thread of its own, unless one does; never raises."""
        if not self.keep_seconds or (self._thread is not None and self._thread.is_alive()):
            return
        thread = threading.Thread(target=self._look, args=(in_use,), name="usher-decision-log-expiry", daemon=True)
        with suppress(RuntimeError):  # no thread can be had now; the next file's beginning tries again
            thread.start()
            self._thread = thread

    def end(self) -> None:
        """Wait a little for a look that is under way; nothing is missed when it is cut off."""
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)

    def _look(self, in_use: Path) -> None:
        with suppress(Exception):
            deleted = delete_expired(self.stem, keep_seconds=self.keep_seconds, now=self.clock(), in_use=in_use)
            if deleted:
                structlog.get_logger(__name__).info("decision_log_files_deleted", files=deleted)
