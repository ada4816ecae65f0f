"""The decision log: one JSON object a line, in one file per process, given to the system before the answer leaves.

Owns the file, its name and what happens when it cannot be written. Knows nothing of redaction but whom to ask.
All worker threads append; a lock around one unbuffered write keeps lines whole and a torn one apart from the next. The
write releases the interpreter lock, so others decide meanwhile. Nothing is forced to the disk: what the system holds
survives the end of this process, not a power cut.
"""

import errno
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from usher.adapters.redaction import Redactor
from usher.answer.decision_line import account, in_clear
from usher.answer.record import DecisionRecord
from usher.errors import UsherError

# Windows translates line ends and hands descriptors to children unless told not to.
_FLAGS: Final = (
    os.O_RDWR
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOINHERIT", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


class DecisionLogError(UsherError):
    """The decision log cannot be written; `path` is its file."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: the decision log cannot be written: {reason}")


class DecisionLog:
    """Appends decision records to this process' file; a record that cannot be kept is counted, and the next one tried.

    `stem` is the path from the settings; without a redactor values are written in clear. `on_loss` is called once for
    each record or field that is lost.
    """

    def __init__(
        self,
        stem: Path,
        redactor: Redactor | None,
        on_loss: Callable[[], None],
        *,
        started: datetime | None = None,
    ) -> None:
        self.path: Final = _process_file(stem, started or datetime.now(UTC))
        self._redactor = redactor
        self._on_loss = on_loss
        self._encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
        self._lock: Final = threading.Lock()
        self._descriptor: int | None = None
        self._failing = False
        self._closed = False
        self._losses = 0

    @property
    def losses(self) -> int:
        """How many records and fields were lost since the start."""
        return self._losses

    def open(self) -> None:
        """Open the file now instead of at the first record; raises `DecisionLogError`."""
        with self._lock:
            try:
                self._opened()
            except OSError as error:
                raise DecisionLogError(self.path, _reason(error)) from None

    def redact_with(self, redactor: Redactor | None) -> None:
        """Redact the records to come otherwise; one assignment, so any thread may be writing."""
        self._redactor = redactor

    def append(self, record: DecisionRecord) -> None:
        """Write the record; returns when the system has it. Never raises."""
        failure: str | None
        try:
            line, dropped = self._line(record)
            for _ in dropped:
                self._lose()
            failure = self._write(line)
        except Exception as error:  # noqa: BLE001 - the log must never stop an answer
            # APPSEC: the type alone: the text of an encoding error quotes what could not be encoded.
            failure = type(error).__name__
        if failure is not None:
            self._lose()
        self._tell(failure)

    def close(self) -> None:
        """Close the file; a record that comes later is lost and counted."""
        with self._lock:
            self._closed = True
            self._drop_descriptor()

    def _line(self, record: DecisionRecord) -> tuple[bytes, tuple[str, ...]]:
        line = account(record)
        if self._redactor is None:
            line |= in_clear(record)
            return self._encode(line).encode("ascii") + b"\n", ()
        personal, dropped = self._redactor.redacted(record)
        line |= personal
        if dropped:
            line["dropped"] = list(dropped)
        # Escaping all but ASCII keeps a line a line for every reader, and half a surrogate pair writable.
        return self._encode(line).encode("ascii") + b"\n", dropped

    def _write(self, line: bytes) -> str | None:
        """Write one line; return why that failed, or None."""
        with self._lock:
            if self._closed:
                return "closed"
            try:
                if os.write(self._opened(), line) == len(line):
                    return None
                # Only a full disk takes half a line; opening the file again ends it before the next begins.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - joins the way of all failures
            except OSError as error:
                self._drop_descriptor()
                return _reason(error)

    def _opened(self) -> int:
        """Return the descriptor, opening the file if need be; a torn last line of before gets its end."""
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # APPSEC: hashes of people are nobody else's business; Windows inherits the folder's rights.
            descriptor = os.open(self.path, _FLAGS, 0o600)
            try:
                _end_torn_line(descriptor)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._descriptor

    def _drop_descriptor(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def _lose(self) -> None:
        with self._lock:
            self._losses += 1
        with suppress(Exception):
            self._on_loss()

    def _tell(self, failure: str | None) -> None:
        """Say once that records are lost, and once that they no longer are."""
        if self._failing == (failure is not None):
            return
        self._failing = failure is not None
        log = structlog.get_logger(__name__)
        with suppress(Exception):
            if failure is not None:
                log.error("decision_log_failed", file=str(self.path), reason=failure)
            else:
                log.warning("decision_log_recovered", file=str(self.path), losses=self._losses)


def _process_file(stem: Path, started: datetime) -> Path:
    """Return this process' file: `decisions.jsonl` becomes `decisions.20260301T090000Z-4711.jsonl`."""
    return stem.with_name(f"{stem.stem}.{started:%Y%m%dT%H%M%SZ}-{os.getpid()}{stem.suffix}")


def _end_torn_line(descriptor: int) -> None:
    if os.lseek(descriptor, 0, os.SEEK_END) == 0:
        return
    os.lseek(descriptor, -1, os.SEEK_END)
    if os.read(descriptor, 1) != b"\n":
        os.write(descriptor, b"\n")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
