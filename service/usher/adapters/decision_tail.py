"""The newest lines of the decision log, and those that come.

Owns how far each file has been looked through, so that every line is told once, across files that end and begin, of
however many services. Looks at sizes again and again: what tells of changes differs between systems and is missing on
network drives. One thread.
"""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from usher.adapters.decision_files import LogFile, files_of
from usher.adapters.decision_reading import (
    BLOCK_BYTES,
    MAX_LINE_BYTES,
    Broken,
    Line,
    UnreadableLogError,
    Wanted,
    backwards,
    last_moment,
    may_hold,
    overlapping,
    parsed,
)

Places = dict[Path, int]
"""How many bytes of each file there are to look at, or have been looked at."""


def sizes(files: Iterable[LogFile]) -> Places:
    """Return where files end now; those that are gone have no place."""
    places: Places = {}
    for file in files:
        with suppress(FileNotFoundError):
            places[file.path] = file.path.stat().st_size
    return places


def ends_of_lines(files: Iterable[LogFile]) -> Places:
    """Return where the last whole line of files ends now: what stands behind it is still being written."""
    places = sizes(files)
    for path, size in places.items():
        with suppress(FileNotFoundError), path.open("rb") as file:
            at, last = next(backwards(file, size), (0, b""))
            places[path] = size if last.endswith(b"\n") else at
    return places


def newest(files: Iterable[LogFile], places: Places, wanted: Wanted, count: int, broken: Broken) -> list[Line]:
    """Return the newest lines that are asked for, the oldest of them first; raises `UnreadableLogError`."""
    heap: list[tuple[str, int, Line]] = []
    number = 0
    written = sorted(((last_moment(file.path), file) for file in files if may_hold(file, wanted)), reverse=True)
    for last, file in written:
        if len(heap) == count and (not heap or last < overlapping(heap[0][0])):
            break
        looking = _Looking(file.path, wanted, broken)
        for line in looking.backwards(places.get(file.path, 0)):
            number -= 1
            if len(heap) < count:
                heapq.heappush(heap, (line.timestamp, number, line))
            else:
                heapq.heappushpop(heap, (line.timestamp, number, line))
            if len(heap) == count:
                looking.enough = max(looking.enough, overlapping(heap[0][0]))
    return [line for _, _, line in sorted(heap)]


@dataclass(slots=True)
class Follower:
    """Finds what was written behind `places`, again and again."""

    stem: Path
    places: Places
    wanted: Wanted
    broken: Broken
    _told: set[Path] = field(default_factory=set)

    def news(self) -> tuple[list[Line], bool]:
        """Return whole lines that have come, sorted by time, and whether any file has grown."""
        found: list[Line] = []
        has_grown = False
        for file in files_of(self.stem):
            start = self.places.get(file.path, 0)
            try:
                if file.path.stat().st_size > start:
                    found += self._news(file.path, start)
                    has_grown = has_grown or self.places.get(file.path, 0) > start
            except FileNotFoundError:
                self.places.pop(file.path, None)
            except OSError as error:
                raise UnreadableLogError(file.path, error) from None
        return sorted(found, key=attrgetter("timestamp")), has_grown

    def _news(self, path: Path, start: int) -> list[Line]:
        with path.open("rb") as file:
            file.seek(start)
            content = file.read(MAX_LINE_BYTES)
        end = content.rfind(b"\n") + 1
        if not end and len(content) < MAX_LINE_BYTES:
            return []  # the first line is not whole yet
        self.places[path] = start + (end or len(content))
        found, at = [], start
        for one in content[:end].split(b"\n")[:-1]:
            if self.wanted.may_be(one) or not one.endswith(b"}"):
                line = parsed(one)
                if line is None:
                    self._tell(path, at)
                elif self.wanted.accepts(line):
                    found.append(line)
            at += len(one) + 1
        return found

    def _tell(self, path: Path, at: int) -> None:
        if path not in self._told:
            self._told.add(path)
            self.broken(path, _line_number(path, at), 1)


@dataclass(slots=True)
class _Looking:
    """One file, read from its end."""

    path: Path
    wanted: Wanted
    broken: Broken
    enough: str = ""

    def backwards(self, size: int) -> Iterator[Line]:
        """Yield what is asked for, the last line first, until lines are older than `enough`."""
        first, count = 0, 0
        try:
            with self.path.open("rb") as file:
                for at, with_end in backwards(file, size):
                    content = with_end.removesuffix(b"\n")
                    if not self.wanted.may_be(content) and content.endswith(b"}"):
                        continue
                    if (line := parsed(content)) is None:
                        first, count = at, count + 1
                        continue
                    if line.timestamp < self.enough:
                        break
                    if self.wanted.accepts(line):
                        yield line
        except FileNotFoundError:
            return
        except OSError as error:
            raise UnreadableLogError(self.path, error) from None
        if count:
            self.broken(self.path, _line_number(self.path, first), count)


def _line_number(path: Path, at: int) -> int:
    """Return the number of the line that begins at a place of a file."""
    number = 1
    with suppress(OSError), path.open("rb") as file:
        while at > 0 and (block := file.read(min(BLOCK_BYTES, at))):
            number += block.count(b"\n")
            at -= len(block)
    return number
