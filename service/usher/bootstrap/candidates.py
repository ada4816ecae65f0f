"""A policy set that wants to go into force: read whole, then judged by the gate.

Owns what each gate demands and how a verdict is told. Reading and judging are apart, so that a folder that is still
being written is never judged. One thread at a time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from usher.adapters.last_good import Kept
from usher.bootstrap.policies import limits_of, world_of
from usher.bootstrap.schemas import Schemas
from usher.bootstrap.setting_checks import check_attributes
from usher.bootstrap.stores import namespaces_of
from usher.domain.place import Place, Problem, Severity
from usher.engine import LoadedPolicies, PolicySet
from usher.engine.folder import SourceFile, read_folder
from usher.engine.load import compiled_policies, set_revision
from usher.engine.profiles import SOURCE_PREFIX, LoadedProfiles, compiled_profiles, read_profiles
from usher.engine.trees import Trees
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
        problems.extend(_tested(suite, loaded, schemas, wanted))
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


def _tested(suite: Suite, loaded: LoadedSettings, schemas: Schemas, wanted: Callable[[], bool]) -> list[Problem]:
    """Run the tests within their time; return the first difference of each case that fails."""
    seconds = loaded.settings.policies.gate_seconds
    world = replace(world_of(loaded.settings, schemas), decision_seconds=seconds)
    try:
        results = list(run_files(suite.files, world, until=time.monotonic() + seconds, wanted=wanted))
    except OutOfTimeError:
        message = f"the policy tests take longer than {seconds:g} s (policies.gate_seconds)"
        return [Problem(Place(suite.files[0].file), TOO_SLOW, message)]
    return [_failed(result) for result in results if not result.passed]


def _failed(result: CaseResult) -> Problem:
    first = result.failures[0].difference
    # APPSEC: no values: this reaches the log and /status, and a fixture may be a real payload.
    came = str(first.actual) if first.key == UNDECIDED else "not as expected; `usher test` shows both"
    told = f"{result.case.name}: {first.what}: {came}"
    return Problem(first.place, _TEST_FAILED, told)


def _has_errors(problems: list[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)
