"""A policy set that wants to go into force: read whole, then judged by the gate.

Owns what each gate demands and how a verdict is told. Reading and judging are apart, so that a folder that is still
being written is never judged. One thread at a time.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from usher.adapters.last_good import Kept
from usher.bootstrap.policies import limits_of, world_of
from usher.bootstrap.schemas import Schemas
from usher.bootstrap.setting_checks import check_attributes
from usher.bootstrap.stores import indexed_of, namespaces_of
from usher.domain.place import Place, Problem, Severity
from usher.engine import LoadedPolicies, PolicySet
from usher.engine.expressions import tables_of
from usher.engine.folder import SourceFile, read_folder
from usher.engine.load import compiled_policies, set_revision
from usher.engine.profiles import SOURCE_PREFIX, LoadedProfiles, compiled_profiles, read_profiles
from usher.engine.tables import is_table, table_name
from usher.engine.trees import Trees
from usher.proof.cases import WHOLE_FOLDER, CaseFile
from usher.proof.running import UNDECIDED, CaseResult, OutOfTimeError, run_files
from usher.proof.suite import Suite, load_suite
from usher.settings import LoadedSettings, SettingsError
from usher.settings.reloading import Gate

_TEST_FAILED: Final = "policy-test"
TOO_SLOW: Final = "tests-too-slow"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Everything a set is made of, as read; `folder` as the admin knows it."""

    folder: str
    files: tuple[SourceFile, ...]
    found: tuple[Problem, ...]
    profile_files: tuple[SourceFile | Problem, ...]

    @property
    def revision(self) -> str:
        """Return the revision of these bytes; what could not be read counts, too."""
        unreadable = [SourceFile(f"?{problem}", "", b"") for problem in (*self.found, *self._profile_problems)]
        read = [file for file in self.profile_files if isinstance(file, SourceFile)]
        return set_revision((*self.files, *read, *unreadable), LoadedProfiles(None, (), ()))

    @property
    def sources(self) -> tuple[SourceFile, ...]:
        """Return every file that was read."""
        return (*self.files, *(file for file in self.profile_files if isinstance(file, SourceFile)))

    @property
    def _profile_problems(self) -> tuple[Problem, ...]:
        return tuple(file for file in self.profile_files if isinstance(file, Problem))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says: a set to put into force, or None, and every problem, warnings included."""

    candidate: Candidate
    policy_set: PolicySet | None
    problems: tuple[Problem, ...]
    case_count: int = 0
    seconds: float = 0.0

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems for which a set is rejected."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


def read_candidate(policies: Path, schemas: Path) -> Candidate:
    """Read a policy folder and the profile schemas beside it; raises nothing."""
    files, found = read_folder(policies)
    return Candidate(policies.as_posix(), files, found, read_profiles(schemas / "profiles"))


def kept_candidate(kept: Kept) -> Candidate:
    """Return the candidate that was kept in the state folder."""
    files = [SourceFile(file.name, file.shown, file.content) for file in kept.files]
    profiles = tuple(file for file in files if file.name.startswith(SOURCE_PREFIX))
    return Candidate(kept.folder, tuple(file for file in files if file not in profiles), (), profiles)


class Memory:
    """What one judgement leaves for the next: files that have not changed need not be read or compiled again."""

    def __init__(self) -> None:
        self.trees = Trees()
        self._profiles: tuple[tuple[SourceFile | Problem, ...], LoadedProfiles] | None = None

    def profiles(self, files: tuple[SourceFile | Problem, ...]) -> LoadedProfiles:
        """Return compiled profile schemas."""
        if self._profiles is None or self._profiles[0] != files:
            self._profiles = (files, compiled_profiles(files))
        return self._profiles[1]


def judge(
    candidate: Candidate,
    loaded: LoadedSettings,
    schemas: Schemas,
    *,
    gate: Gate,
    memory: Memory | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> Verdict:
    """Load a candidate and put it through the gate; raises nothing that a file could cause.

    Raises `NoLongerWantedError` when `wanted` says no while the tests run.
    """
    began = time.monotonic()
    memory = memory or Memory()
    memory.trees.turn()
    verdict = _judged(candidate, loaded, schemas, gate, memory, wanted)
    return replace(verdict, seconds=time.monotonic() - began)


def _judged(
    candidate: Candidate,
    loaded: LoadedSettings,
    schemas: Schemas,
    gate: Gate,
    memory: Memory,
    wanted: Callable[[], bool],
) -> Verdict:
    profiles = memory.profiles(candidate.profile_files)
    policies = compiled_policies(
        candidate.files,
        candidate.found,
        candidate.folder,
        shape=schemas.policy,
        profiles=profiles,
        namespaces=namespaces_of(loaded.settings.ledger),
        indexed=indexed_of(loaded.settings.directory),
        limits=limits_of(loaded.settings.cel),
        trees=memory.trees,
    )
    problems = [*policies.problems, *_against_settings(loaded, profiles)]
    policy_set = policies.policy_set
    if policy_set is None or _has_errors(problems):
        return Verdict(candidate, None, tuple(sorted({*problems})))
    if gate == "off":
        return Verdict(candidate, policy_set, tuple(sorted({*problems})))
    suite = load_suite(policies, policy_set, world_of(loaded.settings, schemas), trees=memory.trees)
    problems.extend(_tolerant(suite, policies))
    if gate == "tests" and not _has_errors(problems):
        problems.extend(_tested(suite, candidate, loaded, schemas, memory, wanted))
    accepted = None if _has_errors(problems) else policy_set
    return Verdict(candidate, accepted, tuple(sorted({*problems})), suite.case_count)


def _against_settings(loaded: LoadedSettings, profiles: LoadedProfiles) -> tuple[Problem, ...]:
    """Return what settings say about attributes that the profile schemas no longer have."""
    if profiles.profiles is None:
        return ()
    try:
        check_attributes(loaded, profiles.profiles)
    except SettingsError as error:
        return error.problems
    return ()


def _tolerant(suite: Suite, policies: LoadedPolicies) -> tuple[Problem, ...]:
    """Return the problems of the tests; that there are none is said, and no reason to stop answering."""
    if any(file.is_test for file in policies.files):
        return suite.problems
    return tuple(replace(problem, severity=Severity.WARNING) for problem in suite.problems)


def _tested(
    suite: Suite,
    candidate: Candidate,
    loaded: LoadedSettings,
    schemas: Schemas,
    memory: Memory,
    wanted: Callable[[], bool],
) -> list[Problem]:
    """Run the tests within their time; return the first difference of each case that fails.

    A file that has passed is not run again while nothing has changed that its cases depend on.
    """
    seconds = loaded.settings.policies.gate_seconds
    world = replace(world_of(loaded.settings, schemas), decision_seconds=seconds)
    until = time.monotonic() + seconds
    failed: list[Problem] = []
    for file in suite.files:
        key = _depends_on(file, candidate)
        if memory.trees.known(key) is not None:
            continue
        try:
            results = list(run_files([file], world, until=until, wanted=wanted))
        except OutOfTimeError:
            message = f"the policy tests take longer than {seconds:g} s (policies.gate_seconds)"
            return [*failed, Problem(Place(file.file), TOO_SLOW, message)]
        found = [_failed(result) for result in results if not result.passed]
        failed.extend(found)
        if not found:
            memory.trees.keep(key, True)  # noqa: FBT003 - that it passed is all there is to know
    return failed


def _depends_on(file: CaseFile, candidate: Candidate) -> Hashable:
    """Return what decides how the cases of a test file end, within one process, whose settings do not change.

    A policy tested alone depends on its own file, the test file, the tables it looks at, payloads and profile schemas;
    tests of the whole folder depend on all of it.
    """
    if file.subject == WHOLE_FOLDER:
        return ("passed", file.file, candidate.revision)
    alone = {file.file, *(policy.place.file for policy in file.policy_set.policies)}
    looked_at = [tables_of(policy) for policy in file.policy_set.policies]
    sources = [
        source
        for source in candidate.sources
        if source.shown in alone
        or (is_table(source) and any(names is None or table_name(source) in names for names in looked_at))
        or not (source.is_policy or source.is_test or is_table(source))
    ]
    return ("passed", file.file, set_revision(sources, LoadedProfiles(None, (), ())))


def _failed(result: CaseResult) -> Problem:
    first = result.failures[0].difference
    # APPSEC: no values: this reaches the log and /status, and a fixture may be a real payload.
    came = str(first.actual) if first.key == UNDECIDED else "not as expected; `usher test` shows both"
    told = f"{result.case.name}: {first.what}: {came}"
    return Problem(first.place, _TEST_FAILED, told)


def _has_errors(problems: list[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)
