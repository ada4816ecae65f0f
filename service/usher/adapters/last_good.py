"""The last policy set that was in force, kept in the state folder for a start whose own policies fail.

Owns the archive: every file of the set, byte for byte, in one zip that is replaced whole. One process writes it at a
time; readers see the old one or the new one.
"""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usher.adapters.files import replace_file
from usher.errors import UsherError

FILE_NAME: Final = "last-good-policies.zip"
_ABOUT: Final = "about.json"
_FILES: Final = "files/"
_MAX_BYTES: Final = 256 * 1024 * 1024
"""More than five thousand small files; a damaged archive must not fill the memory."""


class LastGoodError(UsherError):
    """The archive cannot be read or written; the text says why."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file of a set: the name under which it counts into the revision, the path an admin knew, its bytes."""

    name: str
    shown: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A set as it was kept: its revision, when it took effect (RFC 3339, UTC), its folder, its files."""

    revision: str
    since: str
    folder: str
    files: tuple[KeptFile, ...]


def save(state_folder: Path, kept: Kept) -> None:
    """Replace what is kept; raises `LastGoodError`."""
    names = {f"{_FILES}{number:05d}": file for number, file in enumerate(kept.files)}
    about = {
        "revision": kept.revision,
        "since": kept.since,
        "folder": kept.folder,
        "files": [{"entry": entry, "name": file.name, "shown": file.shown} for entry, file in names.items()],
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_ABOUT, json.dumps(about))
        for entry, file in names.items():
            archive.writestr(entry, file.content)
    try:
        state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(state_folder / FILE_NAME, packed.getvalue())
    except OSError as error:
        raise LastGoodError(
            _text(state_folder, f"cannot be written: {error.strerror or type(error).__name__}")
        ) from None


def load(state_folder: Path) -> Kept | None:
    """Return what is kept, None when nothing is; raises `LastGoodError`."""
    path = state_folder / FILE_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LastGoodError(_text(state_folder, f"cannot be read: {error.strerror or type(error).__name__}")) from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _unpacked(archive)
    except Exception:  # noqa: BLE001 - a damaged archive fails in a dozen ways, and a start must tell them all alike
        raise LastGoodError(_text(state_folder, "is damaged")) from None


def _unpacked(archive: zipfile.ZipFile) -> Kept:
    if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
        raise zipfile.BadZipFile("it claims to be larger than any policy set")
    about = json.loads(archive.read(_ABOUT))
    files = [KeptFile(entry["name"], entry["shown"], archive.read(entry["entry"])) for entry in about["files"]]
    return Kept(str(about["revision"]), str(about["since"]), str(about["folder"]), tuple(files))


def _text(state_folder: Path, what: str) -> str:
    return f"{state_folder / FILE_NAME}: the last good policy set {what}"
