"""Files written whole or not at all. Any thread; two that write one file leave that of the last."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there in one step; raises `OSError`, and then leaves what was there."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Lend a file that takes another's place when the block ends, and that is gone when an exception ends it."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with beside.open("xb") as file:
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
