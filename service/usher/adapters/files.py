"""Files written whole or not at all. Any thread; two that write one file leave that of the last."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there in one step; raises `OSError`, and then leaves what was there."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


def create_file(path: Path, content: bytes) -> None:
    """Write a new file; raises `FileExistsError` when there is one, and other `OSError`s."""
    with path.open("xb") as file:
        file.write(content)
