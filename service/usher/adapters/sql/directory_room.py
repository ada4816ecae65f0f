"""Room on the disk that a load into an SQLite file leaves to others: ledger and logs are usually its neighbours.

Owns how much that is. What an SQLite file has grown it keeps: a load that filled the disk would end the service's work,
and could not even remove what it has written. Any thread.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from usher.adapters.sql.database import Database
from usher.errors import UsherError

RESERVED_BYTES: Final = 64_000_000
_RESERVED_PART: Final = 10
"""On a small disk a tenth of it is enough."""
_BYTES_PER_INDEXED_ROW: Final = 60
"""An index is built from temporary files, written to the write-ahead log, and copied from there."""
_MEGABYTE: Final = 1_000_000


Usage = Callable[[Path], tuple[int, int, int]]
"""Tells of a disk how many bytes there are, are used and are free."""


class NoRoomError(UsherError):
    """The disk has too little room for a load to go on."""


def require_room(database: Database, *, rows_to_index: int = 0, usage: Usage = shutil.disk_usage) -> None:
    """Make sure that a step of a load leaves enough; PostgreSQL's disk is its administrator's. Raises `NoRoomError`."""
    if database.file is None:
        return
    try:
        total, _, free = usage(database.file.parent)
    except OSError:
        return  # what is wrong with the folder, the next statement tells
    needed = min(RESERVED_BYTES, total // _RESERVED_PART) + rows_to_index * _BYTES_PER_INDEXED_ROW
    if free < needed:
        raise NoRoomError(
            f"the disk of {database.place} has {free // _MEGABYTE} MB left, and the load needs "
            f"{-(-needed // _MEGABYTE)} MB to go on; nothing is loaded"
        )
