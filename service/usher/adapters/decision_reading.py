"""The decision log read line by line, all files of it in the order of time, while services write to it.

Owns what a line is to a reader, and that what is none is passed over, counted, and never shown. Holds one line of each
file that is being read: only files that overlap in time are open at once. A file is sorted but for calls that were in
work side by side, as a line tells when its call was taken up and is written when it was answered; so is what comes
out. Any thread.
"""

import heapq
import itertools
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from usher.adapters.decision_file import reason_of
from usher.adapters.decision_files import LogFile
from usher.errors import UsherError

MAX_LINE_BYTES: Final = 8 * 1024 * 1024
"""Far beyond what the service writes: only damage gets there."""
BLOCK_BYTES: Final = 65_536
_ENDS_LINES: Final = 3
"""One of a file's first and one of its last lines is whole, unless there is none."""
OVERLAP: Final = timedelta(seconds=10)
"""How much older than its file a line may be: the call was taken up before the file was begun."""
_FORM: Final = "%Y-%m-%dT%H:%M:%S.000Z"


class UnreadableLogError(UsherError):
    """A file of the decision log cannot be read."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path}: the decision log cannot be read: {reason_of(error)}")


@dataclass(frozen=True, slots=True)
class Line:
    """One decision as it stands in the log: its bytes without the line's end, and what they say."""

    timestamp: str
    content: bytes
    data: Mapping[str, object]


class Wanted(Protocol):
    """Which lines are asked for."""

    @property
    def since(self) -> str:
        """The first moment, as lines spell it; '' for all."""

    @property
    def until(self) -> str:
        """The moment after the last; '' for all."""

    def may_be(self, content: bytes) -> bool:
        """Say whether a line is worth reading, by its bytes."""

    def accepts(self, line: Line) -> bool:
        """Say whether a line is asked for."""


Broken = Callable[[Path, int, int], None]
"""Hears once of each file with lines that are none: the file, the number of the first, how many."""


def merged(files: Iterable[LogFile], wanted: Wanted, broken: Broken) -> Iterator[Line]:
    """Yield what is asked for of all files, the oldest first; raises `UnreadableLogError`."""
    waiting = deque(file for file in sorted(files) if may_hold(file, wanted))
    heap: list[tuple[str, int, Line, Iterator[Line]]] = []
    number = 0
    while heap or waiting:
        while waiting and (not heap or overlapping(waiting[0].began_at) <= heap[0][0]):
            lines = read(waiting.popleft().path, wanted, broken)
            number += 1
            if (first := next(lines, None)) is not None:
                heapq.heappush(heap, (first.timestamp, number, first, lines))
        if heap:
            _, _, line, lines = heap[0]
            yield line
            if (following := next(lines, None)) is None:
                heapq.heappop(heap)
            else:
                number += 1
                heapq.heapreplace(heap, (following.timestamp, number, following, lines))


def may_hold(file: LogFile, wanted: Wanted) -> bool:
    """Say whether a file can hold what is asked for, by its name, its ends and its last write."""
    if wanted.until and overlapping(first_moment(file)) >= wanted.until:
        return False
    return not wanted.since or last_moment(file.path) >= overlapping(wanted.since)


def first_moment(file: LogFile) -> str:
    """Return about when the first call of a file was taken up, as lines spell it.

    Names never go back; the clock may, and then lines are older than the name of their file says.
    """
    try:
        with file.path.open("rb") as opened:
            first = [parsed(content) for _, content in itertools.islice(_contents(opened), _ENDS_LINES)]
            last = _last_lines(opened)
    except FileNotFoundError:
        return file.began_at
    except OSError as error:
        raise UnreadableLogError(file.path, error) from None
    return min([file.began_at, *(line.timestamp for line in (*first, *last) if line is not None)])


def last_moment(path: Path) -> str:
    """Return about when a file was written last, as lines spell it; '' when the file is gone.

    Windows notes the time of a write when the file is closed, maybe a day later, so the last line counts as well.
    """
    try:
        with path.open("rb") as file:
            told = next((line.timestamp for line in _last_lines(file) if line is not None), "")
        return max(told, datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime(_FORM))
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UnreadableLogError(path, error) from None


def _last_lines(file: BinaryIO) -> list[Line | None]:
    size = file.seek(0, os.SEEK_END)
    return [parsed(content) for _, content in itertools.islice(backwards(file, size), _ENDS_LINES)]


def read(path: Path, wanted: Wanted, broken: Broken) -> Iterator[Line]:
    """Yield what is asked for of one file, in its order; a file that is gone has nothing."""
    first, count = 0, 0
    try:
        with path.open("rb") as file:
            for number, content in _contents(file):
                if not wanted.may_be(content) and content.endswith(b"}"):
                    continue
                if (line := parsed(content)) is None:
                    first, count = first or number, count + 1
                elif wanted.accepts(line):
                    yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnreadableLogError(path, error) from None
    if count:
        broken(path, first, count)


def decoded(content: bytes) -> Mapping[str, object] | None:
    """Return what a line says, None for a torn or damaged one."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and isinstance(data.get("decision_id"), str) else None


def parsed(content: bytes) -> Line | None:
    """Return a line that has its place in time, None for a torn or damaged one."""
    data = decoded(content)
    timestamp = None if data is None else data.get("timestamp")
    return Line(timestamp, content, data) if data is not None and isinstance(timestamp, str) else None


def backwards(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield where a line begins and the line with its end, the last first; that one may have no end."""
    position, rest = size, b""
    while position:
        length = min(BLOCK_BYTES, position)
        position -= length
        file.seek(position)
        block = file.read(length) + rest
        end = len(block)
        while (cut := block.rfind(b"\n", 0, max(0, end - 1))) >= 0:
            yield position + cut + 1, block[cut + 1 : end]
            end = cut + 1
        # What is longer than any line is damage, of which no more than the end is kept.
        rest = block[:end] if end <= MAX_LINE_BYTES else block[end - 1 : end]
    if rest:
        yield 0, rest


def _contents(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield lines with their numbers; what is longer than any line comes as nothing at all."""
    number, is_inside = 0, False
    while content := file.readline(MAX_LINE_BYTES):
        has_ended = content.endswith(b"\n")
        if not is_inside:
            number += 1
            yield number, content.rstrip(b"\r\n") if has_ended or len(content) < MAX_LINE_BYTES else b""
        is_inside = not has_ended


def overlapping(timestamp: str) -> str:
    """Return the moment so much earlier that no line before it can stand behind one of `timestamp` in a file."""
    try:
        moment = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        return (moment - OVERLAP).strftime(_FORM)
    except (ValueError, OverflowError):
        return timestamp
