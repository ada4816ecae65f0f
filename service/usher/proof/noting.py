"""Problems of one test file while it is read, and the questions that are asked of every name in it.

Owns the wording for names that nobody declared. Collects, never raises; one thread.
"""

from collections.abc import Collection, Iterator

from usher.domain.place import Place, Problem, Severity
from usher.domain.suggestions import did_you_mean
from usher.engine import Profiles
from usher.engine.nodes import entries, items, text
from usher.engine.yaml_text import Node, Scalar, plain
from usher.shapes import Shape

_ROOTS = ("user", "appuser")
_QUOTE = "; quote it, if it is a text"


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

    def known_value(self, attribute: str, place: Place, value: Node) -> None:
        """Check that a known user can have a value: Okta has checked it. null and '' stand for none."""
        shape = self._profiles.user.attributes.get(attribute)
        said = plain(value)
        if shape is not None and said not in (None, "") and (faults := shape.faults(said, limit=1)):
            self.add(place, "bad-value", f"{attribute} {faults[0].message}{_hint(said)}")

    def sent_value(self, path: str, place: Place, value: Node) -> None:
        """Warn of a value whose type no profile schema takes: Okta may send it, more often quotes are missing.

        For fixtures only: whoever tests such a value on purpose says so in `with`.
        """
        root, _, attribute = path.partition(".")
        said = plain(value)
        if said is None:
            return
        refused = [
            next((fault for fault in shape.faults(said) if fault.code == "type"), None)
            for shape in self._shapes(root, attribute)
        ]
        if refused and refused[0] is not None and None not in refused:
            self.add(place, "bad-value", f"{attribute} {refused[0].message}{_hint(said)}", warning=True)

    def _shapes(self, root: str, attribute: str) -> list[Shape]:
        """Return what the profile schemas say of an attribute: every application's, since a test names any."""
        own = (self._profiles.app_user, *self._profiles.by_application.values())
        among = {"user": (self._profiles.user,), "appuser": own}.get(root, ())
        return [profile.attributes[attribute] for profile in among if attribute in profile.attributes]


def _hint(value: object) -> str:
    return _QUOTE if isinstance(value, (int, float)) else ""


def texts(node: Node | None) -> Iterator[tuple[str, Place]]:
    """Yield the texts of a list with their places."""
    for item in items(node):
        if isinstance(item, Scalar) and isinstance(item.value, str):
            yield text(item), item.place


def named(node: Node | None) -> Iterator[tuple[str, Place, Node]]:
    """Yield the members of a mapping: name, the name's place, value."""
    for key, value in entries(node):
        yield str(key.value), key.place, value
