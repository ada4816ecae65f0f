"""Files written whole or not at all. Any thread; two that write one file leave that of the last."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

# Windows translates line ends unless told not to.
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_EVERYBODYS: Final = 0o666
_OWN: Final = 0o600


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there in one step; raises `OSError`, and then leaves what was there."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Lend a file that takes another's place when the block ends, and that is gone when an exception ends it.

    A private one can be read by its owner alone, on Windows by whom its folder admits; others go by the umask.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with os.fdopen(os.open(beside, _NEW, _OWN if private else _EVERYBODYS), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def create_file(path: Path, content: bytes) -> None:
    """Write a new file; raises `FileExistsError` when there is one, and other `OSError`s."""
    with path.open("xb") as file:
        file.write(content)
