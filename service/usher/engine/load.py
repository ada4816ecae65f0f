"""A policy folder, loaded whole: every file compiled, every problem found, or no set at all.

Owns what makes a folder a `PolicySet`: at least one policy, names unique across files, no error anywhere. Reads the
folder once. Used by one thread at a time; what it returns is immutable.
"""

from collections.abc import Hashable, Iterable, Mapping
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
from usher.engine.trees import Trees, digest
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
    indexed: frozenset[str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> LoadedPolicies:
    """Load a folder against the policy schema's shape, the profile schemas and what the settings declare.

    `indexed` are the attributes `directory()` can look up; None: any.
    """
    files, found = read_folder(folder)
    return compiled_policies(
        files,
        found,
        folder.as_posix(),
        shape=shape,
        profiles=profiles,
        namespaces=namespaces,
        indexed=indexed,
        limits=limits,
    )


def compiled_policies(  # noqa: PLR0913 - what a set is made of, and with what
    files: tuple[SourceFile, ...],
    found: tuple[Problem, ...],
    shown: str,
    *,
    shape: Shape,
    profiles: LoadedProfiles,
    namespaces: Mapping[str, Namespace],
    indexed: frozenset[str] | None,
    limits: Limits,
    trees: Trees | None = None,
) -> LoadedPolicies:
    """Compile files as read; `found` are the problems of reading, `shown` is the folder as the admin knows it."""
    trees = trees or Trees()
    problems = [*profiles.problems, *found]
    sources = [file for file in files if file.is_policy]
    policies: list[Policy] = []
    tables = load_tables(files, problems)
    if profiles.profiles is not None:
        surroundings = Surroundings(profiles.profiles, tables, namespaces, indexed, limits)
        # Beside its own text, all that a policy's compilation depends on; of tables it is their names.
        around = (revision_of(profiles.sources), tuple(sorted(tables)), tuple(namespaces.items()), indexed, limits)
        compiling = _Compiling(shape, surroundings, trees, around)
        compiled = [policy for file in sources if (policy := compiling.policy(file, problems))]
        check_names(compiled, problems)
        policies = with_resolved_overrides(compiled, problems)
        check_competition(policies, problems)
    if not sources and not problems:
        problems.append(Problem(Place(shown), "no-policies", "no policy file (*.yaml, *.yml) in this folder"))
    loaded = LoadedPolicies(None, tuple(sorted(set(problems))), len(sources), files)
    if loaded.errors or profiles.profiles is None:
        return loaded
    revision = set_revision(files, profiles)
    policy_set = PolicySet(revision, tuple(policies), profiles.profiles, tables)
    return replace(loaded, policy_set=policy_set)


def set_revision(files: Iterable[SourceFile], profiles: LoadedProfiles) -> str:
    """Return the revision of a set made of these files."""
    return revision_of([*((file.name, file.content) for file in files), *profiles.sources])


@dataclass(frozen=True, slots=True)
class _Compiling:
    """The compilation of the policies of one load; `around` says what all of them depend on."""

    shape: Shape
    surroundings: Surroundings
    trees: Trees
    around: Hashable

    def policy(self, file: SourceFile, problems: list[Problem]) -> Policy | None:
        """Compile a file, or take what it was compiled to before."""
        text = file.text()
        if isinstance(text, Problem):
            problems.append(text)
            return None
        key = ("policy", *digest(text, file.shown), self.around)
        policy, found = self.trees.made(key, lambda: self._compiled(text, file.shown))
        problems.extend(found)
        return policy

    def _compiled(self, text: str, shown: str) -> tuple[Policy | None, tuple[Problem, ...]]:
        root, found = self.trees.read(text, shown)
        problems = [*found]
        if root is not None:
            made = compile_policy(root, shape=self.shape, surroundings=self.surroundings, problems=problems)
            return made, tuple(problems)
        if not found:
            problems.append(
                Problem(Place(shown), "empty-file", "this policy file is empty; write a policy or remove it")
            )
        return None, tuple(problems)
