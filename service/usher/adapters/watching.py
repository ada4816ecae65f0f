"""Whether something was saved below a folder: a hint, never the truth; whoever hears it reads the folder again.

The only place that knows watchfiles. Blocks the thread that asks.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SETTLE_MILLISECONDS: Final = 200
"""An editor saves in several steps: what comes within this time is one save."""


def saves(folder: Path) -> Iterator[None]:
    """Yield after each save below the folder; Ctrl-C raises `KeyboardInterrupt`, as everywhere."""
    from watchfiles import watch  # noqa: PLC0415 - a compiled module that only those who watch need

    for _ in watch(folder, debounce=_SETTLE_MILLISECONDS, step=50):
        yield
