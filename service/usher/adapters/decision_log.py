"""The decision log: one JSON object a line, in this process' own files, given to the system before the answer leaves.

Owns what a line is, and what happens when it cannot be written. Knows nothing of redaction but whom to ask; the file is
`DecisionFile`'s. All worker threads append; a lock around one unbuffered write keeps lines whole and a torn one apart
from the next. The write releases the interpreter lock, so others decide meanwhile. Nothing is forced to the disk: what
the system holds survives the end of this process, not a power cut.
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from usher.adapters.decision_expiry import Expiry
from usher.adapters.decision_file import DecisionFile, Rotation, reason_of
from usher.adapters.redaction import Redactor
from usher.answer.decision_line import account, in_clear
from usher.answer.record import DecisionRecord
from usher.errors import UsherError

_DAY_SECONDS: Final = 86_400.0
_HOUR_SECONDS: Final = 3_600.0
MAX_LINE_BYTES: Final = 262_144
"""A line of Okta's sample has 4 KiB; one that would be longer than this is written without its longest field."""
_MAY_GO: Final = ("input", "faults", "subject", "lookups", "application", "commands", "remembered", "claims")


class DecisionLogError(UsherError):
    """The decision log cannot be written; `path` is its file."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: the decision log cannot be written: {reason}")


@dataclass(frozen=True, slots=True)
class Keeping:
    """How large and how old a file gets, and how long it is kept; 0 is without end."""

    rotate_bytes: int = 0
    rotate_hours: int = 0
    keep_days: int = 0

    @property
    def rotation(self) -> Rotation:
        """When the next file begins: also when this one could be deleted if nothing were written to it."""
        ages = (self.rotate_hours * _HOUR_SECONDS, self.keep_days * _DAY_SECONDS)
        return Rotation(self.rotate_bytes, min((age for age in ages if age), default=0.0))


class DecisionLog:
    """Appends decision records to this process' file; a record that cannot be kept is counted, and the next one tried.

    `stem` is the path from the settings; without a redactor values are written in clear. `on_loss` is called once for
    each record or field that is lost. `clock` gives seconds since 1970; `started` is the moment in the first name.
    """

    def __init__(
        self,
        stem: Path,
        redactor: Redactor | None,
        on_loss: Callable[[], None],
        *,
        keeping: Keeping | None = None,
        started: datetime | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        keeping = keeping or Keeping()
        self._file: Final = DecisionFile(stem, keeping.rotation, started.timestamp() if started else clock(), clock)
        self._expiry: Final = Expiry(stem, keeping.keep_days * _DAY_SECONDS, clock)
        self._redactor = redactor
        self._on_loss = on_loss
        self._encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
        self._lock: Final = threading.Lock()
        self._failing = False
        self._stuck = False
        self._closed = False
        self._losses = 0

    @property
    def path(self) -> Path:
        """The file that is written to now."""
        return self._file.path

    @property
    def losses(self) -> int:
        """How many records and fields were lost since the start."""
        return self._losses

    def open(self) -> None:
        """Open the file now instead of at the first record, and delete old ones; raises `DecisionLogError`."""
        with self._lock:
            try:
                self._file.begin()
            except OSError as error:
                raise DecisionLogError(self.path, reason_of(error)) from None
        self._expiry.begin(self.path)

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
            self._file.close()
        self._expiry.end()

    def _line(self, record: DecisionRecord) -> tuple[bytes, tuple[str, ...]]:
        line = account(record)
        dropped: tuple[str, ...] = ()
        redactor = self._redactor
        if redactor is None:
            line |= in_clear(record)
        else:
            line["key"] = redactor.key_id
            personal, dropped = redactor.redacted(record)
            line |= personal
        encoded = self._encoded(line, dropped)
        cut = dropped
        # APPSEC: a sender could fill the disk, as hashes are longer than what they stand for. The longest field goes,
        # so that what a sender made long takes nothing else with it.
        while len(encoded) > MAX_LINE_BYTES and (there := [name for name in _MAY_GO if line.get(name)]):
            longest = max(there, key=lambda name: len(self._encode(line[name])))
            del line[longest]
            cut = (*cut, longest)
            encoded = self._encoded(line, cut)
        return encoded, dropped

    def _encoded(self, line: dict[str, object], dropped: tuple[str, ...]) -> bytes:
        if dropped:
            line["dropped"] = list(dropped)
        # Escaping all but ASCII keeps a line a line for every reader, and half a surrogate pair writable.
        return self._encode(line).encode("ascii") + b"\n"

    def _write(self, line: bytes) -> str | None:
        """Write one line; return why that failed, or None."""
        with self._lock:
            if self._closed:
                return "closed"
            before = self._file.path
            try:
                self._file.write(line)
            except OSError as error:
                return reason_of(error)
            is_another_file = self._file.path is not before
        if is_another_file:
            self._expiry.begin(self.path)
        return None

    def _lose(self) -> None:
        with self._lock:
            self._losses += 1
        with suppress(Exception):
            self._on_loss()

    def _tell(self, failure: str | None) -> None:
        """Say once that records are lost, and once that they no longer are; once that a file goes on beyond its end."""
        trouble = self._file.trouble
        if self._failing == (failure is not None) and self._stuck == bool(trouble):
            return
        log = structlog.get_logger(__name__)
        with suppress(Exception):
            if self._stuck != bool(trouble):
                self._stuck = bool(trouble)
                if trouble:
                    log.warning("decision_log_not_rotated", file=str(self.path), reason=trouble)
            if self._failing != (failure is not None):
                self._failing = failure is not None
                if failure is not None:
                    log.error("decision_log_failed", file=str(self.path), reason=failure)
                else:
                    log.warning("decision_log_recovered", file=str(self.path), losses=self._losses)
