"""What lies in a policy folder: which files are policies, and their text.

Owns the rules of naming (design: one policy per file, `_test.yaml` are tests, `testdata/` and `tables/` hold data)
and the refusal of what cannot be read as UTF-8 text. Reads the folder once, keeps nothing. Any thread.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usher.domain.place import Place, Problem

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_FILES: Final = 5000
_POLICY_SUFFIXES: Final = frozenset({".yaml", ".yml"})
_DATA_SUFFIXES: Final = _POLICY_SUFFIXES | {".json", ".csv"}
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as read: `name` is the path below the folder with forward slashes, `shown` what the admin knows."""

    name: str
    shown: str
    content: bytes

    @property
    def is_policy(self) -> bool:
        """Whether the file is a policy rather than a test, a table or test data."""
        return self._holds_yaml and not self._stem.endswith("_test")

    @property
    def is_test(self) -> bool:
        """Whether the file holds policy tests."""
        return self._holds_yaml and self._stem.endswith("_test")

    @property
    def _stem(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def _holds_yaml(self) -> bool:
        """Whether the file is YAML and no data."""
        *folders, last = self.name.split("/")
        suffix = last.rpartition(".")[2].lower()
        return f".{suffix}" in _POLICY_SUFFIXES and "testdata" not in folders and folders[:1] != ["tables"]

    def text(self) -> str | Problem:
        """Return the file's text, or why it is none."""
        if self.content.startswith(_UTF16_MARKS):
            return Problem(Place(self.shown), "not-utf8", "this file is UTF-16; save it as UTF-8")
        content = self.content.removeprefix(_UTF8_MARK)
        try:
            return content.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            before = content[: error.start].decode("utf-8")
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            return Problem(
                Place(self.shown, line, column), "not-utf8", "this byte is not UTF-8; save the file as UTF-8"
            )


def read_folder(folder: Path) -> tuple[tuple[SourceFile, ...], tuple[Problem, ...]]:
    """Read every file a policy set is made of, sorted by name.

    Hidden files and folders, and other suffixes, are passed over.
    """
    files: list[SourceFile] = []
    problems: list[Problem] = []
    try:
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            return (), (
                Problem(Place(folder.as_posix()), "no-folder", f"the policy folder {what}; create it or name another"),
            )
        paths = sorted(itertools.islice(_listed(folder, ()), MAX_FILES + 1))
    except OSError as error:
        return (), (_unreadable(Path(error.filename or folder), error),)
    if len(paths) > MAX_FILES:
        return (), (
            Problem(
                Place(folder.as_posix()), "too-many-files", f"more than {MAX_FILES} files; is this the right folder?"
            ),
        )
    for path in paths:
        read = _read(path, folder)
        if isinstance(read, SourceFile):
            files.append(read)
        else:
            problems.append(read)
    return tuple(files), tuple(problems)


def _listed(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Yield data files below the folder; a folder named x.yaml is a folder, one that leads back to itself is passed."""
    real = folder.resolve()
    if real in above:
        return
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_dir():
            yield from _listed(path, (*above, real))
        elif path.suffix.lower() in _DATA_SUFFIXES:
            yield path


def _read(path: Path, folder: Path) -> SourceFile | Problem:
    name = path.relative_to(folder).as_posix()
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited on for ever
            return Problem(Place(path.as_posix()), "unreadable", "cannot be read: not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return _unreadable(path, error)
    if len(content) > MAX_FILE_BYTES:
        return Problem(
            Place(path.as_posix()),
            "file-too-large",
            f"larger than {MAX_FILE_BYTES // 1024} KiB; split it into several policies",
        )
    return SourceFile(name, path.as_posix(), content)


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem(Place(path.as_posix()), "unreadable", f"cannot be read: {error.strerror or type(error).__name__}")


def revision_of(sources: Iterable[tuple[str, bytes]]) -> str:
    """Return the revision over path and bytes of all sources: 16 hexadecimal digits, whatever the order."""
    total = hashlib.sha256()
    for name, content in sorted(sources):
        total.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:16]
