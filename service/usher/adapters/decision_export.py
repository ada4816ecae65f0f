"""Decisions as files for other programs: the lines as they are, or a table with a row for each.

Owns the table's columns. Pure; any thread.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from usher.adapters.csv_cells import BYTE_ORDER_MARK, csv_lines, harmless
from usher.adapters.decision_filter import application, fired, held
from usher.adapters.decision_reading import Line

COLUMNS: Final = (
    "timestamp",
    "decision_id",
    "event_id",
    "shadow",
    "outcome",
    "ending",
    "application_id",
    "application_label",
    "subject",
    "fired",
    "hold",
    "vetoed",
    "conflicts",
    "errors",
    "milliseconds",
    "revision",
    "key",
)
Item = TypeVar("Item")
_AT_ONCE: Final = 256
"""Lines that are written together: some hundred kilobytes."""


def as_jsonl(lines: Iterable[Line]) -> Iterator[bytes]:
    """Yield the lines as the log has them, piece by piece."""
    for some in _batched(line.content for line in lines):
        yield b"\n".join((*some, b""))


def as_csv(lines: Iterable[Line]) -> Iterator[bytes]:
    """Yield the table piece by piece; what a cell has several of stands with blanks between, as names have none."""
    return _table(lines, str)


def as_spreadsheet(lines: Iterable[Line]) -> Iterator[bytes]:
    """Yield the table as Excel and its like may open it: marked as UTF-8, and no cell of it is a formula."""
    yield BYTE_ORDER_MARK
    yield from _table(lines, harmless)


def _table(lines: Iterable[Line], cell: Callable[[str], str]) -> Iterator[bytes]:
    yield csv_lines([COLUMNS])
    for some in _batched(tuple(cell(text) for text in _cells(line.data)) for line in lines):
        yield csv_lines(some)


def _batched(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield some at a time. What is kept is small: whole lines as data would keep the garbage collector busy."""
    rest = iter(items)
    while some := list(itertools.islice(rest, _AT_ONCE)):
        yield some


def _cells(data: Mapping[str, object]) -> Iterator[str]:
    told = application(data)
    several = {
        "fired": fired(data),
        "hold": held(data),
        "vetoed": _texts(data.get("vetoed")),
        "conflicts": tuple(target for (target,) in _members(data.get("conflicts"), "target")),
        "errors": tuple(f"{rule}:{code}" for rule, code in _members(data.get("errors"), "rule", "code")),
    }
    single = {"application_id": told.get("id"), "application_label": told.get("label")}
    for column in COLUMNS:
        if column in several:
            yield " ".join(several[column])
        else:
            yield _text(single[column] if column in single else data.get(column))


def _text(value: object) -> str:
    """Return a cell; what has no value and what was dropped is empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _members(value: object, *names: str) -> Iterator[tuple[str, ...]]:
    entries = value if isinstance(value, list) else []
    yield from (tuple(_text(entry.get(name)) for name in names) for entry in entries if isinstance(entry, Mapping))
