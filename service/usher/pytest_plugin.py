"""`pytest DIR` runs policy tests: a file of them is a collector, each of its cases an item.

Owns which files are policy tests and how pytest shows a case. `usher.bootstrap.policy_folders` knows what belongs to a
file, `usher.proof` what a test means; both are imported when the first policy test is collected: every pytest run in
this environment loads this module, most have no use for the rest. One thread; with pytest-xdist, one in each process.

The verdict depends on files alone. In a folder known to hold policies every `*_test.yaml` is a policy test, as it is to
`usher test`: that of the ini option `usher_policies`, that of the nearest `usher.toml`, the nearest one named
`policies`. Elsewhere a file that does not say `tests_for` is somebody else's.
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

    from usher.bootstrap.policy_folders import PolicyFolder, PolicyFolders
    from usher.proof.cases import Case, CaseFile
    from usher.proof.running import CaseResult

_INI: Final = "usher_policies"
_USUAL_FOLDER: Final = "policies"
_DATA: Final = "testdata"
_TABLES: Final = "tables"
_SETTINGS_FILE: Final = "usher.toml"
_MAX_BYTES: Final = 1024 * 1024
"""As large as a file of a policy folder may be."""
_MARKS: Final = re.compile(rb"\A(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?")
"""What editors begin a file with."""
_LINES: Final = re.compile(rb"^([ \t]*)(?:---[ \t]*)?([^\s#%-].*)$", re.MULTILINE)
"""Indentation and text of what is no comment, no list and no mark between documents."""
_SUBJECT: Final = re.compile(rb"""["']?tests_for["']?\s*:""")
_SUBJECT_IN_FLOW: Final = re.compile(rb"""[{,\s]["']?tests_for["']?\s*:""")


class CaseFailedError(Exception):
    """A case did not come out as expected; `result` says in what."""

    def __init__(self, result: "CaseResult") -> None:
        self.result = result
        super().__init__(result.case.name)


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
        from usher.bootstrap.policy_folders import BrokenFileError  # noqa: PLC0415 - the first policy test of the session

        stash = self.config.stash
        try:
            folder = _folders(self.config).of(self.path, _settings_file(self.path, self.config.rootpath))
            cases = folder.cases(self.path)
        except BrokenFileError as error:
            stash[_BROKEN] = stash.get(_BROKEN, 0) + 1
            raise self.CollectError(str(error)) from None
        if cases is None:
            return
        for case in cases.cases:
            yield PolicyTestItem.from_parent(self, name=case.name, folder=folder, cases=cases, case=case)


class PolicyTestItem(pytest.Item):
    """One case."""

    def __init__(
        self, name: str, parent: PolicyTestFile, *, folder: "PolicyFolder", cases: "CaseFile", case: "Case"
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


_FOLDERS: Final = pytest.StashKey["PolicyFolders"]()
_BROKEN: Final = pytest.StashKey[int]()
"""How many test files could not be collected."""


def _is_policy_test(file: Path, config: pytest.Config) -> bool:
    """Look at name and bytes only."""
    root = config.rootpath
    known = _known_folder(file, config)
    if known is not None:
        *folders, _ = file.relative_to(known).parts
        return _DATA not in folders and folders[:1] != [_TABLES]
    if _DATA in (file.relative_to(root) if root in file.parents else file).parts:
        return False
    try:
        with file.open("rb") as opened:
            return _says_subject(opened.read(_MAX_BYTES))
    except OSError:
        return False


def _known_folder(file: Path, config: pytest.Config) -> Path | None:
    """Return the folder that is known to hold policies, if the file lies in one."""
    root = config.rootpath
    settings_file = _settings_file(file, root)
    served = _folders(config).served(settings_file) if settings_file else None
    said = next((folder for folder in (_declared(config), served) if folder in file.parents), None)
    if said is not None:
        return said
    # Above rootdir a name says nothing: somebody's project may lie below a folder of that name.
    within = [folder for folder in file.parents if folder == root or root in folder.parents]
    named = next((folder for folder in within if folder.name == _USUAL_FOLDER), None)
    return None if named is None or _DATA in named.relative_to(root).parts else named


def _says_subject(content: bytes) -> bool:
    """Say whether the key stands at the top: in the first map, whether it is indented or in braces."""
    # Without its zeros, UTF-16 reads like the rest: it is refused with a reason, not passed over.
    text = re.sub(rb"\r\n?", b"\n", _MARKS.sub(b"", content).replace(b"\0", b""))
    lines = [line.groups() for line in _LINES.finditer(text)]
    if not lines:
        return False
    indent, first = lines[0]
    if first.startswith(b"{"):
        return bool(_SUBJECT_IN_FLOW.search(text))
    return any(_SUBJECT.match(line) for blanks, line in lines if blanks == indent)


def _settings_file(file: Path, root: Path) -> Path | None:
    """Return the nearest settings file between the test file and rootdir."""
    for folder in file.parents:
        found = folder / _SETTINGS_FILE
        if found.exists() or found.is_symlink():
            return found
        if folder == root:
            break
    return None


def _declared(config: pytest.Config) -> Path | None:
    said = str(config.getini(_INI))
    return Path(os.path.abspath(config.rootpath / said)) if said else None  # noqa: PTH100 - links stay as pytest has them


def _folders(config: pytest.Config) -> "PolicyFolders":
    from usher.bootstrap.policy_folders import PolicyFolders  # noqa: PLC0415 - the first policy test of the session

    if _FOLDERS not in config.stash:
        config.stash[_FOLDERS] = PolicyFolders(_declared(config), _USUAL_FOLDER)
    return config.stash[_FOLDERS]
