"""Marks in the state folder that a store was there, so that an empty one never takes its place unnoticed.

Owns their files. Main thread, at a start or for a command.
"""

import json
from contextlib import suppress
from pathlib import Path

from usher.adapters.files import replace_file
from usher.adapters.sql.database import Database, StoreSetupError


def mark(state: Path, database: Database) -> None:
    """Note that there is such a store, and where; raises `StoreSetupError`."""
    content = json.dumps({database.store: database.place}, ensure_ascii=False).encode("utf-8")
    file = _file(state, database)
    with suppress(OSError):
        if file.read_bytes() == content:
            return
    try:
        state.mkdir(parents=True, exist_ok=True)
        replace_file(file, content)
    except OSError as error:
        raise StoreSetupError(f"the state folder {state} cannot be written: {error.strerror}") from None


def is_there(database: Database) -> bool:
    """Say whether there is something at the database's place; of a server that is for the schema to say."""
    file = database.file
    try:
        return file is None or file.stat().st_size > 0
    except OSError:
        return False


def was_there(state: Path, database: Database) -> bool:
    """Say whether such a store was noted, here or elsewhere."""
    return _file(state, database).exists()


def _file(state: Path, database: Database) -> Path:
    return state / f"{database.store}.json"
