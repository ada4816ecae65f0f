"""Problems of one test file while it is read, and the questions that are asked of every name in it.

Owns the wording for names that nobody declared. Collects, never raises; one thread.
"""

from collections.abc import Collection, Iterator

from usher.domain.place import Place, Problem, Severity
from usher.domain.suggestions import did_you_mean
from usher.engine import Profiles
from usher.engine.nodes import entries, items, text
from usher.engine.yaml_text import Node, Scalar

_ROOTS = ("user", "appuser")


class Notes:
    """The list of problems of a file, and what adds to it."""

    def __init__(self, profiles: Profiles) -> None:
        self.problems: list[Problem] = []
        self._profiles = profiles

    @property
    def has_errors(self) -> bool:
        """Whether something was found that keeps the file from being run."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def add(self, place: Place, code: str, message: str, *, warning: bool = False) -> None:
        """Note a problem."""
        self.problems.append(Problem(place, code, message, Severity.WARNING if warning else Severity.ERROR))

    def known(self, name: str, among: Collection[str], place: Place, code: str, where: str) -> bool:
        """Say whether a name is known; if not, note it."""
        if name not in among:
            self.add(place, code, f"{name} is not in {where}{did_you_mean(name, among)}")
        return name in among

    def attribute(self, path: str, place: Place, *, warning: bool = False) -> None:
        """Check that a profile schema declares the attribute of `user.<attribute>` or `appuser.<attribute>`."""
        root, _, attribute = path.partition(".")
        if root not in _ROOTS or not attribute:
            return
        declared = self._profiles.declared(root)
        if attribute not in declared:
            hint = did_you_mean(attribute, declared)
            message = f"{attribute} is not in the {root} profile schema{hint}"
            self.add(place, "unknown-attribute", message, warning=warning)


def texts(node: Node | None) -> Iterator[tuple[str, Place]]:
    """Yield the texts of a list with their places."""
    for item in items(node):
        if isinstance(item, Scalar) and isinstance(item.value, str):
            yield text(item), item.place


def named(node: Node | None) -> Iterator[tuple[str, Place, Node]]:
    """Yield the members of a mapping: name, the name's place, value."""
    for key, value in entries(node):
        yield str(key.value), key.place, value
