"""The file a process writes its decisions to, and the next one when that is large or old enough.

Owns when a file is done with, and that no line is lost by it: the next file begins with a line that is whole, or the
old one goes on. Windows cannot rename a file that is open, so each has its name from the start. Not for two threads at
once: who writes holds a lock. One addition and two comparisons a line; no question to the file system.
"""

import errno
import itertools
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usher.adapters.decision_files import named, stamp

RETRY_SECONDS: Final = 10.0
"""How long an old file goes on after the next could not be begun."""
_APPEND: Final = (
    os.O_RDWR
    | os.O_APPEND
    | os.O_CREAT
    # Windows translates line ends and hands descriptors to children unless told not to.
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOINHERIT", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """When the next file begins: before a file is larger than this, and when it is this old. 0 is never."""

    limit_bytes: int = 0
    after_seconds: float = 0.0


class DecisionFile:
    """Where the next line goes. `trouble` is why the next file could not be begun, '' while there is nothing to tell.

    `clock` gives seconds since 1970; `began` is the moment in the first file's name.
    """

    def __init__(self, stem: Path, rotation: Rotation, began: float, clock: Callable[[], float] = time.time) -> None:
        self.path = named(stem, stamp(began), os.getpid())
        self.trouble = ""
        self._stem = stem
        self._rotation = rotation
        self._clock = clock
        self._stamp = stamp(began)
        self._number = 0
        self._descriptor: int | None = None
        self._size_bytes = 0
        self._since = clock()
        self._failed_at = -RETRY_SECONDS

    def begin(self) -> None:
        """Open the file if it is not; a torn last line of before gets its end. Raises `OSError`."""
        if self._descriptor is not None:
            return
        descriptor = _opened(self.path)
        try:
            self._size_bytes = _end_torn_line(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def write(self, line: bytes) -> None:
        """Give a line to the system; raises `OSError` when it did not take all of it."""
        try:
            self.begin()
        except OSError:
            # Where nothing more goes into this file, another may do.
            if self._rotation != Rotation() and self._begin_next(line):
                return
            raise
        if self._is_due(len(line)) and self._begin_next(line):
            return
        self.begin()
        assert self._descriptor is not None  # noqa: S101 - `begin` has seen to it
        try:
            _write_whole(self._descriptor, line)
        except OSError:
            # Half a line may stand there; opening the file again ends it before the next begins.
            self.close()
            raise
        self._size_bytes += len(line)

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def _is_due(self, line_bytes: int) -> bool:
        """Say whether this file is done with; one line that is too large by itself has a file of its own."""
        limit, age = self._rotation.limit_bytes, self._rotation.after_seconds
        if limit and self._size_bytes and self._size_bytes + line_bytes > limit:
            return True
        if not age:
            return False
        now = self._clock()
        self._since = min(self._since, now)  # a clock that was put back must not make a file live for ever
        return now - self._since >= age

    def _begin_next(self, line: bytes) -> bool:
        """Begin the next file with this line; where that fails, leave no trace and say no."""
        now = self._clock()
        if self._failed_at <= now < self._failed_at + RETRY_SECONDS:
            return False
        try:
            path, descriptor, number = self._created(now)
        except OSError as error:
            return self._goes_on(error, now)
        try:
            _write_whole(descriptor, line)
        except OSError as error:
            os.close(descriptor)
            with suppress(OSError):
                path.unlink()
            return self._goes_on(error, now)
        is_empty = self._descriptor is not None and not self._size_bytes
        self.close()
        if is_empty:
            with suppress(OSError):
                self.path.unlink()
        self.path, self._descriptor, self._size_bytes = path, descriptor, len(line)
        self._stamp, self._number, self._since, self.trouble = max(stamp(now), self._stamp), number, now, ""
        return True

    def _created(self, now: float) -> tuple[Path, int, int]:
        """Return a file that was not there before, open, and its number within its second."""
        began = max(stamp(now), self._stamp)
        for number in itertools.count(self._number + 1 if began == self._stamp else 0):
            path = named(self._stem, began, os.getpid(), number)
            with suppress(FileExistsError):
                return path, _opened(path, os.O_EXCL), number
        raise AssertionError  # numbers do not end

    def _goes_on(self, error: OSError, now: float) -> bool:
        self.trouble, self._failed_at = reason_of(error), now
        # Another service may have deleted a file that was not written for long; what goes there would be lost.
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            self.close()
        return False


def reason_of(error: OSError) -> str:
    """Return what the system says of a failure, without names of files."""
    return error.strerror or type(error).__name__


def _opened(path: Path, more_flags: int = 0) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    # APPSEC: hashes of people are nobody else's business; Windows inherits the folder's rights.
    return os.open(path, _APPEND | more_flags, 0o600)


def _write_whole(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) != len(line):
        # Only a full disk takes half a line.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _end_torn_line(descriptor: int) -> int:
    """Return how large the file is, once its last line has an end."""
    size_bytes = os.lseek(descriptor, 0, os.SEEK_END)
    if size_bytes == 0:
        return 0
    os.lseek(descriptor, -1, os.SEEK_END)
    if os.read(descriptor, 1) != b"\n":
        os.write(descriptor, b"\n")
        size_bytes += 1
    return size_bytes
