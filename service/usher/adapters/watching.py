"""Whether something was saved below a folder: a hint, never the truth; whoever hears it reads the folder again.

The only place that knows watchfiles. Blocks the thread that asks.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_LONGEST_MILLISECONDS: Final = 500
"""Somebody who saves without a pause is heard all the same."""


def hints(folders: tuple[Path, ...], *, every_seconds: float, stop: threading.Event, polling: bool) -> Iterator[None]:
    """Yield whenever something may have changed, and at an interval, until `stop` is set.

    `polling` yields at the interval alone: network drives tell nobody of changes made elsewhere. A folder that is not
    there, or a system that has no watches left, is no error: the interval goes on.
    """
    while not stop.is_set():
        yield  # for what happened while nobody watched
        if not polling and _are_there(folders):
            with suppress(OSError, RuntimeError):
                yield from _watched(folders, every_seconds, stop)
                continue
        stop.wait(every_seconds)


def _watched(folders: tuple[Path, ...], every_seconds: float, stop: threading.Event) -> Iterator[None]:
    from watchfiles import watch  # noqa: PLC0415 - a compiled module that only those who watch need

    # What was seen says less than what became of it, which is logged.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    watched = _identities(folders)
    for _ in watch(
        *folders,
        watch_filter=None,
        debounce=_LONGEST_MILLISECONDS,
        step=50,
        stop_event=stop,
        rust_timeout=max(1, int(every_seconds * 1000)),
        yield_on_timeout=True,
        raise_interrupt=True,
    ):
        yield
        # A watch stays with a folder that was moved away, and never hears of the one that took its place.
        if _identities(folders) != watched:
            return


def _identities(folders: tuple[Path, ...]) -> tuple[tuple[int, int], ...]:
    """Return what tells these folders from others that are given their names; () when one is not there."""
    try:
        return tuple((found.st_dev, found.st_ino) for found in map(os.stat, folders))
    except OSError:
        return ()


def _are_there(folders: tuple[Path, ...]) -> bool:
    """Say whether all can be watched; a network drive that is away is an error to `Path.is_dir`, and none here."""
    return all(map(os.path.isdir, folders))
