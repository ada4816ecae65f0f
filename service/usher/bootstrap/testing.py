"""Policy tests as a command or a gate runs them: folder, schemas and tests loaded together, then run.

Owns what a run brings back. One thread.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from usher.bootstrap.policies import PolicySource, load_source, world_of
from usher.domain.place import Problem, Severity
from usher.proof.cases import CaseFile
from usher.proof.coverage import Coverage, Covered
from usher.proof.mutation import Judged, judge, mutants
from usher.proof.running import CaseResult, run_files
from usher.proof.suite import Suite, load_suite
from usher.proof.world import World
from usher.settings import LoadedSettings


@dataclass(frozen=True, slots=True)
class LoadedTests:
    """A policy folder with its tests. `suite` is None when the policies have errors: then nothing can be tested."""

    source: PolicySource
    world: World
    suite: Suite | None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem of policies and tests, sorted by file and place."""
        return tuple(sorted({*self.source.loaded.problems, *(self.suite.problems if self.suite else ())}))


@dataclass(frozen=True, slots=True)
class ProofRun:
    """What a run came to: problems, results in the order of the files, what was covered, which mutants were caught."""

    problems: tuple[Problem, ...]
    results: tuple[CaseResult, ...] = ()
    covered: Covered | None = None
    judged: tuple[Judged, ...] | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """The cases that failed."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def passes(self) -> bool:
        """Whether every case passed and no file has an error."""
        return not self.failed and all(problem.severity is not Severity.ERROR for problem in self.problems)


def load_tests(loaded: LoadedSettings, folder: Path | None = None) -> LoadedTests:
    """Load a folder's policies and tests; raises `SchemaFolderError` and `SettingsError`."""
    source = load_source(loaded, folder)
    world = world_of(loaded.settings, source.schemas)
    policy_set = source.loaded.policy_set
    return LoadedTests(source, world, None if policy_set is None else load_suite(source.loaded, policy_set, world))


def run_tests(tests: LoadedTests, *, name: str = "", covering: bool = False, mutating: bool = False) -> ProofRun:
    """Run the cases whose name contains `name`, every case if it is ''."""
    suite = tests.suite
    if suite is None:
        return ProofRun(tests.source.loaded.errors)
    began = time.monotonic()
    files = tuple(_chosen(suite.files, name))
    coverage = Coverage(suite.policy_set) if covering else None
    results = tuple(run_files(files, tests.world, watcher=coverage))
    judged = None
    if mutating and results and all(result.passed for result in results):
        judged = tuple(judge(mutant, files, tests.world) for mutant in mutants(suite.policy_set))
    covered = coverage.covered() if coverage else None
    return ProofRun(suite.problems, results, covered, judged, time.monotonic() - began)


def _chosen(files: tuple[CaseFile, ...], name: str) -> Iterator[CaseFile]:
    for file in files:
        cases = tuple(case for case in file.cases if name in case.name)
        yield (
            CaseFile(file.file, file.subject, file.policy_set, file.now, file.directory, file.held, cases)
            if name
            else file
        )
