"""The names of the decision log's files: which belong to a log, in which order they were begun.

Owns the form `decisions.20260301T090000Z-4711.jsonl`: the moment the file was begun and the id of its process; `_001`
and so on behind it for those that one process begins in one second. Opens no file; any thread.
"""

import glob
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_MIDDLE: Final = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([0-9]+)(?:_([0-9]+))?")
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, order=True)
class LogFile:
    """One file of a log; files sort by when they were begun, `began` being UTC to the second, as in the name."""

    began: str
    process: int
    number: int
    path: Path

    @property
    def began_at(self) -> str:
        """When it was begun, as lines spell it."""
        began = self.began
        return f"{began[:4]}-{began[4:6]}-{began[6:11]}:{began[11:13]}:{began[13:15]}.000Z"


def files_of(stem: Path) -> tuple[LogFile, ...]:
    """Return the files of a log, the oldest first; `decisions.jsonl` stands for `decisions.….jsonl`."""
    if not stem.parent.is_dir():
        return ()
    found = stem.parent.glob(f"{glob.escape(stem.stem)}.*{glob.escape(stem.suffix)}")
    return tuple(sorted(file for path in found if (file := _parsed(stem, path)) is not None))


def stamp(seconds: float) -> str:
    """Return a moment, in seconds since 1970, as it stands in names."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_STAMP)


def named(stem: Path, began: str, process: int, number: int = 0) -> Path:
    """Return the path of a log's file."""
    behind = f"_{number:03}" if number else ""
    return stem.with_name(f"{stem.stem}.{began}-{process}{behind}{stem.suffix}")


def _parsed(stem: Path, path: Path) -> LogFile | None:
    """Return what a name tells; None for what only looks like a file of this log."""
    middle = path.name[len(stem.stem) + 1 : len(path.name) - len(stem.suffix)]
    told = _MIDDLE.fullmatch(middle)
    if told is None:
        return None
    try:
        datetime.strptime(told[1], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return LogFile(told[1], int(told[2]), int(told[3] or 0), path)
