"""Policy tests as pytest finds them, file by file: which folder and settings each belongs to, and its cases.

Owns what a file gets when something is wrong with it, its folder or its settings. Settings come from the file that the
caller found, else they are the defaults; no `USHER_*` variable counts, `USHER_CONFIG` neither: it names what is served,
here any policies are tested. One thread; a folder is loaded once for all its test files.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from usher.bootstrap.testing import LoadedTests, load_tests
from usher.domain.place import Problem
from usher.engine.folder import SourceFile
from usher.errors import UsherError
from usher.proof.cases import CaseFile
from usher.proof.scene import Observers
from usher.settings import LoadedSettings, SettingsError, load

_T = TypeVar("_T")


class BrokenFileError(Exception):
    """A test file cannot be run; the text lists the problems, one a line."""

    def __init__(self, text: str) -> None:
        # Half of a character, which a message may quote, cannot be sent from process to process.
        super().__init__(text.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """A policy folder as loaded. `observers` are shared by its cases: they hold what was compiled for explanations."""

    folder: Path
    tests: LoadedTests
    observers: Observers

    def cases(self, file: Path) -> CaseFile | None:
        """Return the file's cases; None when the folder counts it as data. Raises `BrokenFileError`."""
        loaded, suite = self.tests.source.loaded, self.tests.suite
        name = file.relative_to(self.folder).as_posix()
        source = next((known for known in loaded.files if known.name == name), None)
        if source is not None and not source.is_test:
            return None
        if suite is None:
            raise BrokenFileError("\n".join(map(str, loaded.errors)))
        if source is None:  # hidden
            return None
        cases = next((found for found in suite.files if found.file == source.shown), None)
        if cases is None:
            raise BrokenFileError("\n".join(map(str, _problems_of(source, loaded.files, suite.errors))))
        return cases


class PolicyFolders:
    """The policy folders of a session, each loaded once, and so each settings file."""

    def __init__(self, declared: Path | None, usual: str) -> None:
        """Take the folder that the caller's own options declare, and the usual name of a policy folder."""
        self._declared = declared
        self._usual = usual
        self._settings: dict[Path, LoadedSettings] = {}
        self._loaded: dict[tuple[Path, Path | None], PolicyFolder] = {}

    def of(self, file: Path, settings_file: Path | None) -> PolicyFolder:
        """Return the folder that a test file belongs to; raises `BrokenFileError`."""
        return _told(lambda: self._of(file, settings_file), file)

    def served(self, settings_file: Path) -> Path | None:
        """Return the policy folder that a settings file names; None where it cannot be read, which `of` tells."""
        try:
            folder = self._read(settings_file).settings.policies.folder
        except SettingsError:
            return None
        return _absolute(folder) if folder else None

    def _of(self, file: Path, settings_file: Path | None) -> PolicyFolder:
        settings = self._read(settings_file) if settings_file else _defaults(file.parent)
        folder = self._folder_of(file, settings.settings.policies.folder)
        key = (folder, settings_file)
        if key not in self._loaded:
            self._loaded[key] = PolicyFolder(folder, load_tests(settings, _shown(folder)), Observers())
        return self._loaded[key]

    def _read(self, file: Path) -> LoadedSettings:
        """Load a settings file. Raises `SettingsError`."""
        if file not in self._settings:
            # The path is put below the folder, and shown in problems.
            self._settings[file] = load(_shown(file), environ={}, overrides={}, folder=Path.cwd())
        return self._settings[file]

    def _folder_of(self, file: Path, served: Path | None) -> Path:
        """Return the declared folder, else the served one, if the file lies in it; else what the names suggest."""
        for said in (self._declared, served):
            folder = _absolute(said) if said else None
            if folder and folder in file.parents:
                return folder
        return next((folder for folder in file.parents if folder.name == self._usual), file.parent)


def _told(load: Callable[[], _T], file: Path) -> _T:
    try:
        return load()
    except UsherError as error:
        raise BrokenFileError(str(error)) from None
    except Exception as error:  # noqa: BLE001 - a defect of ours fails this file, not the run of everybody's tests
        message = f"{_shown(file)}: its policy folder cannot be loaded: {type(error).__name__}: {error}"
        raise BrokenFileError(f"{message}; this is a defect of Usher") from None


def _problems_of(source: SourceFile, files: tuple[SourceFile, ...], errors: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return what is wrong with one test file, and with the payloads it names: those problems stand at the payload."""
    data = (known for known in files if not known.is_test)
    own = {source.shown, *(known.shown for known in data if Path(known.name).name.encode() in source.content)}
    return tuple(problem for problem in errors if problem.place.file in own) or errors


def _defaults(folder: Path) -> LoadedSettings:
    """Return the default settings; `folder` is one that holds no settings file."""
    return load(None, environ={}, overrides={}, folder=folder)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - links stay as pytest has them


def _shown(path: Path) -> Path:
    """Return the path from the working directory, as pytest shows it: what is read by it is reported by it."""
    try:
        return Path(os.path.relpath(path))
    except ValueError:  # another drive
        return path
