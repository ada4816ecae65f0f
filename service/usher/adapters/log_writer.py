"""Lines of the service log on their way to standard error, on a thread of their own.

Owns the bounded queue between whoever logs and the stream, the thread `usher-log` that empties it, and what becomes of
lines that the stream does not take. A pipe that nobody reads, for example a supervisor's that hangs, makes a write wait
for ever: here it keeps nobody waiting but this thread. `put` is for any thread, everything else for the one that built
the writer.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

LIMIT_ENTRIES: Final = 10_000
"""A few megabytes; some seconds of the most that can be decided."""
GATHER_SECONDS: Final = 0.02
"""Lines that come within this time are written at once: a wake-up and a write for each would cost the workers more."""
CLOSE_SECONDS: Final = 2.0
"""How long a stop waits for what is still to be written."""
_MAX_BATCH: Final = 500

Entry = str | Mapping[str, object]
"""A finished line without its end, or an event that is still to be rendered."""


class LogWriter:
    """Takes lines and events, in order, and writes them when the stream takes them.

    `rendered` turns an event into a line; `on_loss` is called once for each entry that is lost. With `tells_losses` a
    line of its own says how many were lost, as soon as the stream takes lines again.
    """

    def __init__(
        self,
        stream: TextIO,
        rendered: Callable[[Mapping[str, object]], str],
        on_loss: Callable[[], None],
        *,
        limit_entries: int = LIMIT_ENTRIES,
        tells_losses: bool = True,
    ) -> None:
        self._write: Final = _written_by(stream)
        self._rendered: Final = rendered
        self._on_loss: Final = on_loss
        self._limit_entries: Final = limit_entries
        self._tells_losses: Final = tells_losses
        # Of all queues this one costs least, and a signal handler or the garbage collector may use it, too. That holds
        # for the queue alone: an entry that is lost is counted under locks.
        self._entries: Final[queue.SimpleQueue[Entry | None]] = queue.SimpleQueue()
        self._ending: Final = threading.Event()
        self._ended: Final = threading.Event()
        self._lock: Final = threading.Lock()
        self._losses = 0
        self._told = 0
        self._thread: Final = threading.Thread(target=self._run, name="usher-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Hand over a line or an event; it is lost, and counted, when too many wait. Never waits, never raises."""
        if self._ending.is_set() or self._entries.qsize() >= self._limit_entries:
            self._lose(1)
            return
        self._entries.put(entry)
        # The writer may have ended since the first look; then nobody else would find the entry.
        if self._ended.is_set():
            self._lose_what_is_left()

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Write what waits and end; say whether that was done in time. What comes later is lost."""
        self._ending.set()
        self._entries.put(None)
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        last = False
        while not last:
            batch = [self._entries.get()]
            self._ending.wait(GATHER_SECONDS)
            with suppress(queue.Empty):
                while len(batch) < _MAX_BATCH and batch[-1] is not None:
                    batch.append(self._entries.get_nowait())
            last = batch[-1] is None
            self._hand_on([entry for entry in batch if entry is not None])
        self._ended.set()
        self._lose_what_is_left()

    def _lose_what_is_left(self) -> None:
        with suppress(queue.Empty):
            while True:
                if self._entries.get_nowait() is not None:
                    self._lose(1)

    def _hand_on(self, batch: list[Entry]) -> None:
        lines = [line for line in map(self._line, batch) if line is not None]
        missing = self._losses - self._told
        told = self._told_of(missing) if missing and self._tells_losses and self._entries.empty() else []
        if not lines and not told:
            return
        try:
            self._write("".join(f"{line}\n" for line in lines + told))
        except (OSError, ValueError):
            # APPSEC: nothing is said of it: there is nowhere to say it.
            self._lose(len(lines))
        else:
            self._told += missing if told else 0

    def _told_of(self, missing: int) -> list[str]:
        """Return the line that says how many are missing; none if that cannot be rendered, and it is tried again."""
        with suppress(Exception):
            return [self._rendered(event_of("warning", "log_lines_lost", {"lines": missing}))]
        return []

    def _line(self, entry: Entry) -> str | None:
        if isinstance(entry, str):
            return entry
        try:
            return self._rendered(entry)
        except Exception:  # noqa: BLE001 - one event must not end the thread
            self._lose(1)
            return None

    def _lose(self, count: int) -> None:
        with self._lock:
            self._losses += count
        for _ in range(count):
            with suppress(Exception):
                self._on_loss()


def event_of(level: str, name: str, values: Mapping[str, object]) -> Mapping[str, object]:
    """Return an event of now, as structlog would make it of these values."""
    return {**values, "event": name, "level": level, "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z")}


def _written_by(stream: TextIO) -> Callable[[str], None]:
    """Return what writes a text to the stream and returns when the system has it.

    Where there is a descriptor, past Python's own buffer: a thread that waits there for ever would hold the buffer's
    lock, and with it the end of the process.
    """
    try:
        raw = open(stream.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115 - a descriptor, not ours
    except (OSError, ValueError):  # a stream in memory

        def write_text(text: str) -> None:
            stream.write(text)
            stream.flush()

        return write_text

    def write(text: str) -> None:
        rest = memoryview(text.replace("\n", os.linesep).encode("utf-8", "backslashreplace"))
        while rest:
            # None: somebody made the pipe non-blocking, and it is full.
            written = raw.write(rest)
            if written is None:
                time.sleep(GATHER_SECONDS)
            else:
                rest = rest[written:]

    return write
