"""All policy tests of a folder, as loaded: every file read, every problem found.

Owns that a folder without tests is a fault. Reads what `load_policies` has read already, so tests and policies are of
one moment. Used while loading, by one thread; what it returns is immutable.
"""

from dataclasses import dataclass

from usher.domain.place import Place, Problem, Severity
from usher.engine import LoadedPolicies, PolicySet
from usher.engine.folder import SourceFile
from usher.engine.trees import Trees
from usher.proof.cases import CaseFile, counted
from usher.proof.reading import read_cases
from usher.proof.running import run_files
from usher.proof.world import World

_DATA = "testdata"


@dataclass(frozen=True, slots=True)
class Suite:
    """The test files of a folder that can be run, and the problems of all of them, sorted by file and place."""

    policy_set: PolicySet
    files: tuple[CaseFile, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that fail a run."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def case_count(self) -> int:
        """How many cases there are."""
        return counted(self.files)


def load_suite(loaded: LoadedPolicies, policy_set: PolicySet, world: World, *, trees: Trees | None = None) -> Suite:
    """Read every test file beside the policies of a set."""
    trees = trees or Trees()
    payloads = {file.name: file for file in loaded.files if _DATA in file.name.split("/")[:-1]}
    problems: list[Problem] = []
    files = [
        made
        for file in loaded.files
        if file.is_test and (made := read_cases(file, policy_set, world, payloads, problems, trees))
    ]
    if not files and not problems:
        place = Place(_folder(loaded))
        problems.append(Problem(place, "no-tests", "there is no policy test (*_test.yaml) in this folder"))
    return Suite(policy_set, tuple(files), tuple(sorted(set(problems))))


def _folder(loaded: LoadedPolicies) -> str:
    """Return the folder as the admin named it."""
    for file in loaded.files:
        return file.shown.removesuffix(file.name).rstrip("/") or "."
    return "."


def passes(text: str, name: str, policy_set: PolicySet, world: World) -> bool:
    """Say whether a test file passes as written; `name` stands for its path below the folder."""
    problems: list[Problem] = []
    made = read_cases(SourceFile(name, name, text.encode()), policy_set, world, {}, problems, Trees())
    return made is not None and all(result.passed for result in run_files([made], world))
