"""`pytest DIR` runs policy tests: a file of them is a collector, each of its cases an item.

Owns which files are policy tests, which policy folder and settings a file belongs to, and how pytest shows a case.
What a test means is `usher.proof`'s, which is imported when the first policy test is collected: every pytest run in
this environment loads this module, most have no use for the rest. One thread; with pytest-xdist, one in each process.

The verdict depends on files alone. Settings come from the nearest `usher.toml` between the test file and rootdir, else
they are the defaults; no `USHER_*` variable counts, `USHER_CONFIG` neither: it names what is served, here any policies
are tested. A `*_test.yaml` that does not say `tests_for` is somebody else's, unless it lies in the folder of the ini
option `usher_policies`.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pytest

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr
    from _pytest._io import TerminalWriter

    from usher.bootstrap.testing import LoadedTests
    from usher.domain.place import Problem
    from usher.engine.folder import SourceFile
    from usher.proof.cases import Case, CaseFile
    from usher.proof.running import CaseResult
    from usher.proof.scene import Observers
    from usher.settings import LoadedSettings

_INI: Final = "usher_policies"
_USUAL_FOLDER: Final = "policies"
_DATA: Final = "testdata"
_SETTINGS_FILE: Final = "usher.toml"
_MAX_BYTES: Final = 1024 * 1024
"""As large as a file of a policy folder may be."""
_SUBJECT: Final = re.compile(rb"""(?m)^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(?:\{\s*)?["']?tests_for["']?\s*:""")
"""The key at the top, behind the marks that editors begin a file with."""


class CaseFailedError(Exception):
    """A case did not come out as expected; `result` says in what."""

    def __init__(self, result: "CaseResult") -> None:
        self.result = result
        super().__init__(result.case.name)


class _BrokenFileError(Exception):
    """A test file cannot be run; the text lists the problems, one a line."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option."""
    parser.addini(_INI, "Folder of Usher's policies, relative to rootdir; their tests are *_test.yaml.", default="")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "PolicyTestFile | None":
    """Take the files that are policy tests."""
    if not file_path.stem.endswith("_test") or file_path.suffix.lower() not in {".yaml", ".yml"}:
        return None
    if not _is_policy_test(file_path, parent.config):
        return None
    return PolicyTestFile.from_parent(parent, path=file_path)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the other tests run when nothing but policy tests could not be collected; the run fails all the same."""
    if session.testsfailed and session.testsfailed == session.config.stash.get(_BROKEN, 0):
        session.config.option.continue_on_collection_errors = True


class PolicyTestFile(pytest.File):
    """A file of policy tests."""

    def collect(self) -> Iterator["PolicyTestItem"]:
        """Yield the file's cases in their order."""
        stash = self.config.stash
        folders = stash.setdefault(_FOLDERS, _Folders(self.config))
        try:
            folder = folders.of(self.path)
            cases = folder.cases(self.path)
        except _BrokenFileError as error:
            stash[_BROKEN] = stash.get(_BROKEN, 0) + 1
            raise self.CollectError(str(error)) from None
        if cases is None:
            return
        for case in cases.cases:
            yield PolicyTestItem.from_parent(self, name=case.name, folder=folder, cases=cases, case=case)


class PolicyTestItem(pytest.Item):
    """One case."""

    def __init__(
        self, name: str, parent: PolicyTestFile, *, folder: "_Folder", cases: "CaseFile", case: "Case"
    ) -> None:
        # pytest 9.2 sets brackets apart in ids that it reads, not in those it makes; `--lf` compares the two.
        super().__init__(name, parent, nodeid=f"{parent.nodeid}::{name}")
        self._folder = folder
        self._cases = cases
        self._case = case

    def runtest(self) -> None:
        """Run the case; raises `CaseFailedError`."""
        from usher.proof.running import run_case  # noqa: PLC0415 - imported already, by the file's collection

        folder = self._folder
        result = run_case(self._cases, self._case, folder.tests.world, observers=folder.observers)
        if not result.passed:
            raise CaseFailedError(result)

    # The further parameter of pytest's own is private; its documentation leaves it out, too.
    def repr_failure(  # type: ignore[override]
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> "str | TerminalRepr":
        """Return what `usher test` prints about the case; a traceback for what nobody expected."""
        if isinstance(excinfo.value, CaseFailedError):
            # pytest asks no more of it than `toterminal`, and importing its private base could fail one day.
            return cast("TerminalRepr", _Told(excinfo.value.result))
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return file, line counted from 0, and name."""
        line = self._case.place.line
        return self.path, line - 1 if line else None, self.name


@dataclass(frozen=True, slots=True)
class _Crash:
    """Where and what, for the one-line forms of pytest's reports."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.message}"


@dataclass(frozen=True, slots=True)
class _Told:
    """A failed case as pytest shows it: in colour on a terminal, plain in files and between processes."""

    result: "CaseResult"

    def __str__(self) -> str:
        from usher.proof.run_words import failed_lines  # noqa: PLC0415 - only when a case failed

        return "\n".join(failed_lines(self.result))

    @property
    def reprcrash(self) -> _Crash:
        """The first difference."""
        difference = self.result.failures[0].difference
        return _Crash(difference.place.file, difference.place.line, difference.what)

    def toterminal(self, tw: "TerminalWriter") -> None:
        """Write it."""
        from usher.proof.run_words import Colours, failed_lines  # noqa: PLC0415 - only when a case failed

        colours = Colours(good=lambda text: tw.markup(text, green=True), bad=lambda text: tw.markup(text, red=True))
        for line in failed_lines(self.result, colours):
            tw.line(line)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A policy folder as loaded. `observers` are shared by its cases: they hold what was compiled for explanations."""

    folder: Path
    tests: "LoadedTests"
    observers: "Observers"

    def cases(self, file: Path) -> "CaseFile | None":
        """Return the file's cases; None when the folder counts it as data. Raises `_BrokenFileError`."""
        loaded, suite = self.tests.source.loaded, self.tests.suite
        name = file.relative_to(self.folder).as_posix()
        source = next((known for known in loaded.files if known.name == name), None)
        if source is not None and not source.is_test:
            return None
        if suite is None:
            raise _BrokenFileError("\n".join(map(str, loaded.errors)))
        if source is None:  # hidden
            return None
        cases = next((found for found in suite.files if found.file == source.shown), None)
        if cases is None:
            raise _BrokenFileError("\n".join(map(str, _problems_of(source, loaded.files, suite.errors))))
        return cases


class _Folders:
    """The policy folders of a session, each loaded once for all its test files."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._loaded: dict[tuple[Path, Path | None], _Folder] = {}

    def of(self, file: Path) -> _Folder:
        """Return the folder that a test file belongs to; raises `_BrokenFileError`."""
        from usher.errors import UsherError  # noqa: PLC0415 - the first policy test of the session

        settings_file = self._settings_file(file)
        try:
            settings = _settings(settings_file, file.parent)
            folder = self._folder_of(file, settings.settings.policies.folder)
            key = (folder, settings_file)
            if key not in self._loaded:
                self._loaded[key] = _load(settings, folder)
        except UsherError as error:
            raise _BrokenFileError(str(error)) from None
        return self._loaded[key]

    def _settings_file(self, file: Path) -> Path | None:
        """Return the nearest settings file between the test file and rootdir."""
        for folder in file.parents:
            found = folder / _SETTINGS_FILE
            if found.exists() or found.is_symlink():
                return found
            if folder == self._config.rootpath:
                break
        return None

    def _folder_of(self, file: Path, served: Path | None) -> Path:
        """Return the ini option's folder, else the served one, if the file lies in it; else what the names suggest."""
        for said in (_declared(self._config), served):
            folder = Path(os.path.abspath(said)) if said else None  # noqa: PTH100 - links stay as pytest has them
            if folder and folder in file.parents:
                return folder
        return next((folder for folder in file.parents if folder.name == _USUAL_FOLDER), file.parent)


def _problems_of(
    source: "SourceFile", files: "tuple[SourceFile, ...]", errors: "tuple[Problem, ...]"
) -> "tuple[Problem, ...]":
    """Return what is wrong with one test file, and with the payloads it names: those problems stand at the payload."""
    data = (known for known in files if not known.is_test)
    own = {source.shown, *(known.shown for known in data if Path(known.name).name.encode() in source.content)}
    return tuple(problem for problem in errors if problem.place.file in own) or errors


_FOLDERS: Final = pytest.StashKey[_Folders]()
_BROKEN: Final = pytest.StashKey[int]()
"""How many test files could not be collected."""


def _is_policy_test(file: Path, config: pytest.Config) -> bool:
    """Look at name and bytes only."""
    root = config.rootpath
    if _DATA in (file.relative_to(root) if root in file.parents else file).parts:
        return False
    declared = _declared(config)
    if declared and declared in file.parents:
        return True
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES)
    except OSError:
        return False
    # Without its zeros, UTF-16 reads like the rest: it is refused with a reason, not passed over.
    return bool(_SUBJECT.search(content.replace(b"\0", b"")))


def _declared(config: pytest.Config) -> Path | None:
    said = str(config.getini(_INI))
    return config.rootpath / said if said else None


def _settings(file: Path | None, folder: Path) -> "LoadedSettings":
    """Load a settings file, else the defaults: `folder` is one that holds none. Raises `SettingsError`."""
    from usher.settings import load  # noqa: PLC0415 - the first policy test of the session

    # The path is put below the folder, and shown in problems.
    return load(_shown(file) if file else None, environ={}, overrides={}, folder=Path.cwd() if file else folder)


def _load(settings: "LoadedSettings", folder: Path) -> _Folder:
    from usher.bootstrap.testing import load_tests  # noqa: PLC0415 - the first policy test of the session
    from usher.proof.scene import Observers  # noqa: PLC0415

    return _Folder(folder, load_tests(settings, _shown(folder)), Observers())


def _shown(path: Path) -> Path:
    """Return the path from the working directory, as pytest shows it: what is read by it is reported by it."""
    try:
        return Path(os.path.relpath(path))
    except ValueError:  # another drive
        return path
