"""A policy folder, loaded whole: every file compiled, every problem found, or no set at all.

Owns what makes a folder a `PolicySet`: at least one policy, names unique across files, no error anywhere. Reads the
folder once.
Used by one thread at a time; what it returns is immutable.
"""

from dataclasses import dataclass
from pathlib import Path

from usher.domain.place import Place, Problem, Severity
from usher.engine.compile import compile_policy
from usher.engine.folder import SourceFile, read_folder, revision_of
from usher.engine.policy import Policy, PolicySet
from usher.engine.profiles import LoadedProfiles, Profiles
from usher.engine.yaml_text import read_yaml
from usher.shapes import Shape


@dataclass(frozen=True, slots=True)
class LoadedPolicies:
    """What a folder holds: a set when nothing is wrong with it, and every problem, sorted by file and place."""

    policy_set: PolicySet | None
    problems: tuple[Problem, ...]
    file_count: int

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the set from being served."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


def load_policies(folder: Path, *, shape: Shape, profiles: LoadedProfiles) -> LoadedPolicies:
    """Load a folder against the policy schema's shape and the profile schemas."""
    files, found = read_folder(folder)
    problems = [*profiles.problems, *found]
    sources = [file for file in files if file.is_policy]
    policies: list[Policy] = []
    if profiles.profiles is not None:
        policies = [policy for file in sources if (policy := _compile(file, shape, profiles.profiles, problems))]
        _check_names(policies, problems)
    if not sources and not problems:
        problems.append(
            Problem(Place(folder.as_posix()), "no-policies", "no policy file (*.yaml, *.yml) in this folder")
        )
    loaded = LoadedPolicies(None, tuple(sorted(set(problems))), len(sources))
    if loaded.errors or profiles.profiles is None:
        return loaded
    revision = revision_of([*((file.name, file.content) for file in files), *profiles.sources])
    return LoadedPolicies(PolicySet(revision, tuple(policies), profiles.profiles), loaded.problems, len(sources))


def _compile(file: SourceFile, shape: Shape, profiles: Profiles, problems: list[Problem]) -> Policy | None:
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
    return compile_policy(root, shape=shape, profiles=profiles, problems=problems)


def _check_names(policies: list[Policy], problems: list[Problem]) -> None:
    seen: dict[str, Policy] = {}
    for policy in policies:
        first = seen.setdefault(policy.name, policy)
        if first is not policy and policy.name:
            message = f"a policy named {policy.name} is in {first.place.file}; names are unique in a folder"
            problems.append(Problem(policy.place, "duplicate-policy", message))
