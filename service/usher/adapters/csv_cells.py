"""Cells of CSV files: how lines are written, and what keeps a spreadsheet from running a cell. Pure; any thread."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CELL_STARTS: Final = re.compile(r"(^|[;\t\r\n])(?=\s*[=+\-@\t\r\n＝＋－＠])")  # noqa: RUF001 - these, too
"""Before what OWASP's page on CSV injection lists; also where a spreadsheet that splits at `;` or tabs has a cell."""


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows in UTF-8, by RFC 4180."""
    text = io.StringIO(newline="")
    # CRLF, as RFC 4180 has it: with any other line end Python before 3.13 leaves a carriage return in a value unquoted.
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: where one would begin stands an apostrophe."""
    return _CELL_STARTS.sub(r"\1'", cell)
