"""The redaction key: what makes hashes in the decision log joinable for us and unreadable for everybody else.

Owns its file in the state folder, created on first use, and the public name of a key. Called at start; processes that
start at once end with the same key. APPSEC: the key is never printed and never part of an error's text.
"""

import hashlib
import os
import secrets
import stat
import time
from pathlib import Path
from typing import Final

from usher.errors import UsherError

FILE_NAME: Final = "redaction.key"
KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_FILE_BYTES: Final = 2 * KEY_BYTES + 1
_WAIT_SECONDS: Final = 2.0
_STEP_SECONDS: Final = 0.01


class KeyFileError(UsherError):
    """The key cannot be read or created; `path` is its file."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: the redaction key {reason}")


def redaction_key(state_folder: Path) -> bytes:
    """Return the key of this state folder, creating folder and key if need be; raises `KeyFileError`."""
    path = state_folder / FILE_NAME
    try:
        state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path)
        return _read(path)
    except OSError as error:
        raise KeyFileError(path, f"cannot be read or created: {error.strerror or type(error).__name__}") from None


def existing_key(state_folder: Path) -> bytes | None:
    """Return the key of this state folder, None where there is none; creates nothing. Raises `KeyFileError`."""
    path = state_folder / FILE_NAME
    try:
        return _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror or type(error).__name__}") from None


def key_id(key: bytes) -> str:
    """Return what a key is called in the log: eight hexadecimal digits from which nothing about it can be told."""
    return hashlib.blake2b(key=key, digest_size=_ID_BYTES, person=b"key-id").hexdigest()


def is_readable_by_others(state_folder: Path) -> bool:
    """Say whether everybody on this machine can read the key; mode bits mean nothing on Windows."""
    try:
        mode = (state_folder / FILE_NAME).stat().st_mode
    except OSError:
        return False
    return os.name == "posix" and bool(mode & stat.S_IROTH)


def _create(path: Path) -> None:
    """Write a new key unless there is a file: creating it exclusively decides between processes, on every platform."""
    try:
        # APPSEC: created unreadable to others rather than changed afterwards; Windows inherits the folder's rights.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(KEY_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        # A key without its bytes would be waited for at every start.
        path.unlink(missing_ok=True)
        raise


def _read(path: Path) -> bytes:
    """Read the key; a file that is still short is being written by another process."""
    give_up_at = time.monotonic() + _WAIT_SECONDS
    content = path.read_bytes()
    while len(content) < _FILE_BYTES and time.monotonic() < give_up_at:
        time.sleep(_STEP_SECONDS)
        content = path.read_bytes()
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        reason = "is damaged: restore the file, or delete it for a new key, whose hashes do not join with older ones"
        raise KeyFileError(path, reason)
    return key
