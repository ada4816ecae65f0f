"""A policy folder, loaded whole: every file compiled, every problem found, or no set at all.

Owns what makes a folder a `PolicySet`: at least one policy, names unique across files, no error anywhere. Reads the
folder once. Used by one thread at a time; what it returns is immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from usher.cel import DEFAULT_LIMITS, Limits
from usher.domain.place import Place, Problem, Severity
from usher.engine.compile import compile_policy
from usher.engine.compiling import Surroundings
from usher.engine.cross_checks import check_competition, check_names, with_resolved_overrides
from usher.engine.folder import SourceFile, read_folder, revision_of
from usher.engine.policy import Policy, PolicySet
from usher.engine.profiles import LoadedProfiles
from usher.engine.stores import DEFAULT_NAMESPACES, Namespace
from usher.engine.tables import load_tables
from usher.engine.yaml_text import read_yaml
from usher.shapes import Shape


@dataclass(frozen=True, slots=True)
class LoadedPolicies:
    """What a folder holds: a set when nothing is wrong with it, and every problem, sorted by file and place.

    `files` are all files as they were read, for whoever reads more of them: the revision covers these bytes.
    """

    policy_set: PolicySet | None
    problems: tuple[Problem, ...]
    file_count: int
    files: tuple[SourceFile, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the set from being served."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


def load_policies(
    folder: Path,
    *,
    shape: Shape,
    profiles: LoadedProfiles,
    namespaces: Mapping[str, Namespace] = DEFAULT_NAMESPACES,
    limits: Limits = DEFAULT_LIMITS,
) -> LoadedPolicies:
    """Load a folder against the policy schema's shape, the profile schemas and the namespaces the settings declare."""
    files, found = read_folder(folder)
    problems = [*profiles.problems, *found]
    sources = [file for file in files if file.is_policy]
    policies: list[Policy] = []
    tables = load_tables(files, problems)
    if profiles.profiles is not None:
        surroundings = Surroundings(profiles.profiles, tables, namespaces, limits)
        compiled = [policy for file in sources if (policy := _compile(file, shape, surroundings, problems))]
        check_names(compiled, problems)
        policies = with_resolved_overrides(compiled, problems)
        check_competition(policies, problems)
    if not sources and not problems:
        problems.append(
            Problem(Place(folder.as_posix()), "no-policies", "no policy file (*.yaml, *.yml) in this folder")
        )
    loaded = LoadedPolicies(None, tuple(sorted(set(problems))), len(sources), files)
    if loaded.errors or profiles.profiles is None:
        return loaded
    revision = revision_of([*((file.name, file.content) for file in files), *profiles.sources])
    policy_set = PolicySet(revision, tuple(policies), profiles.profiles, tables)
    return replace(loaded, policy_set=policy_set)


def _compile(file: SourceFile, shape: Shape, surroundings: Surroundings, problems: list[Problem]) -> Policy | None:
    text = file.text()
    if isinstance(text, Problem):
        problems.append(text)
        return None
    root, found = read_yaml(text, file.shown)
    problems.extend(found)
    if root is None:
        if not found:
            problems.append(
                Problem(Place(file.shown), "empty-file", "this policy file is empty; write a policy or remove it")
            )
        return None
    return compile_policy(root, shape=shape, surroundings=surroundings, problems=problems)
