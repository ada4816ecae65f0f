"""A ledger's holdings as CSV: UTF-8, RFC 4180, one header line, nothing lost.

Owns the columns, which `ledger_lists` reads again. Pure; any thread.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from usher.adapters.csv_cells import BYTE_ORDER_MARK, csv_lines, harmless
from usher.adapters.sql.ledger_admin import Holding
from usher.cel import Timestamp
from usher.cel.time_values import timestamp_text

COLUMNS: Final = ("namespace", "value", "application", "subject", "source", "since", "seen")


def as_csv(pages: Iterable[Sequence[Holding]]) -> Iterator[bytes]:
    """Yield the file piece by piece. `since` and `seen` are RFC 3339 in UTC, `seen` is '' for never."""
    return _pieces(pages, str)


def as_spreadsheet(pages: Iterable[Sequence[Holding]]) -> Iterator[bytes]:
    """Yield the file as Excel and its like may open it: marked as UTF-8, and no cell of it is a formula.

    A cell that would be one begins with an apostrophe, so such a file is to be looked at, not to be read by programs.
    """
    yield BYTE_ORDER_MARK
    yield from _pieces(pages, harmless)


@lru_cache(maxsize=1_000)
def moment(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 by RFC 3339, in UTC, to the last digit; one load or list gives many values one."""
    return timestamp_text(Timestamp(nanoseconds))


def _pieces(pages: Iterable[Sequence[Holding]], cell: Callable[[str], str]) -> Iterator[bytes]:
    yield csv_lines([COLUMNS])
    for page in pages:
        yield csv_lines([tuple(map(cell, _cells(holding))) for holding in page])


def _cells(holding: Holding) -> tuple[str, ...]:
    owner = holding.owner
    times = (moment(holding.since), "" if holding.seen is None else moment(holding.seen))
    return (holding.namespace, holding.value, owner.application, owner.subject, holding.source, *times)
