"""A ledger's holdings as CSV: UTF-8, RFC 4180, one header line, nothing lost.

Owns the columns, which `ledger_lists` reads again, and what keeps a spreadsheet from running a cell. Pure; any thread.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from usher.adapters.sql.ledger_admin import Holding
from usher.cel import Timestamp
from usher.cel.time_values import timestamp_text

COLUMNS: Final = ("namespace", "value", "application", "subject", "source", "since", "seen")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_RUN_BY_SPREADSHEETS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - these, too
"""OWASP's page on CSV injection lists them."""


def as_csv(pages: Iterable[Sequence[Holding]]) -> Iterator[bytes]:
    """Yield the file piece by piece. `since` and `seen` are RFC 3339 in UTC, `seen` is '' for never."""
    return _pieces(pages, str)


def as_spreadsheet(pages: Iterable[Sequence[Holding]]) -> Iterator[bytes]:
    """Yield the file as Excel and its like may open it: marked as UTF-8, and no cell of it is a formula.

    A cell that would be one begins with an apostrophe, so such a file is to be looked at, not to be read by programs.
    """
    yield BYTE_ORDER_MARK
    yield from _pieces(pages, _harmless)


@lru_cache(maxsize=1_000)
def moment(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 by RFC 3339, in UTC, to the last digit; one load or list gives many values one."""
    return timestamp_text(Timestamp(nanoseconds))


def _pieces(pages: Iterable[Sequence[Holding]], cell: Callable[[str], str]) -> Iterator[bytes]:
    yield _lines([COLUMNS])
    for page in pages:
        yield _lines([tuple(map(cell, _cells(holding))) for holding in page])


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    # CRLF, as RFC 4180 has it: with any other line end Python before 3.13 leaves a carriage return in a value unquoted.
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8")


def _cells(holding: Holding) -> tuple[str, ...]:
    owner = holding.owner
    times = (moment(holding.since), "" if holding.seen is None else moment(holding.seen))
    return (holding.namespace, holding.value, owner.application, owner.subject, holding.source, *times)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_RUN_BY_SPREADSHEETS) else cell
