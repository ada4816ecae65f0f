"""What an expression may name: attributes of the profiles, constants, variables, fields of the context.

Owns the checks on paths that `usher.cel` reports. A name nobody declared is a typing error that would otherwise show
only on the day a person of that kind is imported. Used while loading, by one thread.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from usher.cel import PathRead
from usher.domain.place import Place, Problem, Severity
from usher.domain.suggestions import did_you_mean
from usher.engine.policy import PlacedExpression
from usher.engine.profiles import Profiles

NAMES: Final = frozenset(
    {"user", "appuser", "context", "action", "matched_user_id", "input", "tables", "constants", "variables", "now"}
)

_PROFILE_ROOTS: Final = frozenset({"user", "appuser"})
_CONTEXT_FIELDS: Final = ("application", "conflicts", "job", "matches", "policy")
_ATTRIBUTE_DEPTH: Final = 2


class ReadChecks:
    """Checks the paths and targets of one policy; appends to the list of problems it was given."""

    def __init__(self, profiles: Profiles, *, known: Mapping[str, Collection[str]], problems: list[Problem]) -> None:
        """`known` maps `constants`, `variables` and `tables` to the names they hold."""
        self._profiles = profiles
        self._known = known
        self._problems = problems

    def target(self, target: str, place: Place) -> None:
        """Check that a `set` target is an attribute some profile schema declares."""
        root, _, attribute = target.partition(".")
        if root in _PROFILE_ROOTS and attribute:
            self._declared(
                attribute, self._profiles.declared(root), "unknown-attribute", f"{root} profile schema", place
            )

    def attribute(self, root: str, attribute: str, place: Place) -> None:
        """Check that some profile schema declares an attribute."""
        self._declared(attribute, self._profiles.declared(root), "unknown-attribute", f"{root} profile schema", place)

    def reads(self, placed: PlacedExpression, *, earlier: Collection[str] | None, guards_required: bool) -> None:
        """Check every path an expression reads; `earlier` are the variables it may use, None for all of them."""
        for read, place in _placed(placed):
            root, member = read.path[0], read.path[1]
            if root in _PROFILE_ROOTS:
                self._attribute(read, place, guards_required=guards_required)
            elif root == "context":
                self._declared(member, _CONTEXT_FIELDS, "unknown-field", "context", place)
            elif root == "variables":
                self._variable(member, earlier, place)
            elif root in self._known:
                self._declared(member, self._known[root], f"unknown-{root[:-1]}", root, place)

    def _variable(self, name: str, earlier: Collection[str] | None, place: Place) -> None:
        every = self._known["variables"]
        if earlier is not None and name in every and name not in earlier:
            self._add(place, "unknown-variable", f"{name} is defined further down; a variable may use earlier ones")
        else:
            self._declared(name, every if earlier is None else earlier, "unknown-variable", "variables", place)

    def _attribute(self, read: PathRead, place: Place, *, guards_required: bool) -> None:
        root, attribute = read.path[0], read.path[1]
        if attribute not in self._profiles.declared(root):
            self.attribute(root, attribute, place)
        elif not read.guarded and attribute not in self._profiles.always_there(root):
            severity = Severity.ERROR if guards_required else Severity.WARNING
            guards = f"write get({root}, '{attribute}', '') or test has({root}.{attribute})"
            message = f"{root}.{attribute} may be absent; {guards}"
            self._problems.append(Problem(place, "unguarded-attribute", message, severity))

    def _declared(self, name: str, known: Collection[str], code: str, where: str, place: Place) -> None:
        if name not in known:
            self._add(place, code, f"{name} is not in the {where}{did_you_mean(name, known)}")

    def _add(self, place: Place, code: str, message: str) -> None:
        self._problems.append(Problem(place, code, message))


def _placed(placed: PlacedExpression) -> Iterable[tuple[PathRead, Place]]:
    for read in placed.expression.reads:
        if len(read.path) >= _ATTRIBUTE_DEPTH:
            line, column = placed.at(read.line, read.column)
            yield read, Place(placed.place.file, line, column)
