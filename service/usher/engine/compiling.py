"""What every part of a policy needs while it is compiled: expressions, values, problems with their place.

Owns the compilation of one expression and the names it may use where it stands. Collects, never raises. Used while
loading, by one thread.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from usher import cel
from usher.domain.place import Place, Problem, Severity
from usher.domain.suggestions import did_you_mean
from usher.engine.policy import Literal, PlacedExpression, Value
from usher.engine.profiles import Profiles
from usher.engine.reads import NAMES, ReadChecks
from usher.engine.stores import Namespace
from usher.engine.yaml_text import Mapping as MappingNode
from usher.engine.yaml_text import Node, Scalar, plain


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a policy may speak about beyond its own file."""

    profiles: Profiles
    tables: Mapping[str, object] = field(default_factory=dict)
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    indexed: frozenset[str] | None = None
    limits: cel.Limits = cel.DEFAULT_LIMITS


class Compiling:
    """The compilation of one file; `problems` is the list everything is appended to."""

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        constants: Collection[str],
        variables: Collection[str],
        problems: list[Problem],
    ) -> None:
        self.surroundings = surroundings
        self.problems = problems
        self.checks = ReadChecks(
            surroundings.profiles,
            known={"constants": constants, "variables": variables, "tables": surroundings.tables},
            problems=problems,
        )

    def expression(
        self,
        node: Node | None,
        *,
        boolean: bool = False,
        guards_required: bool = False,
        earlier: Collection[str] | None = None,
        extra_names: frozenset[str] = frozenset(),
    ) -> PlacedExpression | None:
        """Compile a CEL expression; None when there is none, or none that can be compiled."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return None
        try:
            expression = cel.compile(
                node.value, names=NAMES | extra_names, limits=self.surroundings.limits, boolean=boolean
            )
        except cel.CompileError as error:
            for found in error.problems:
                self.problem(self.place(node, found.line, found.column), found.code, found.message)
            return None
        placed = PlacedExpression(expression, node.place, node.positions)
        self.checks.reads(placed, earlier=earlier, guards_required=guards_required)
        self._check_lookups(placed)
        return placed

    def value(
        self, node: Node | None, *, earlier: Collection[str] | None = None, extra_names: frozenset[str] = frozenset()
    ) -> Value | None:
        """Compile an expression or take a literal."""
        if isinstance(node, MappingNode):
            literal = node.get("value")
            return Literal(plain(literal)) if literal is not None else None
        return self.expression(node, earlier=earlier, extra_names=extra_names)

    def problem(self, place: Place, code: str, message: str, *, warning: bool = False) -> None:
        """Note a problem."""
        self.problems.append(Problem(place, code, message, Severity.WARNING if warning else Severity.ERROR))

    @staticmethod
    def place(node: Scalar, line: int, column: int) -> Place:
        """Return the file's place for one within an expression."""
        file_line, file_column = (
            node.positions.at(line, column) if node.positions else (node.place.line, node.place.column)
        )
        return Place(node.place.file, file_line, file_column)

    def namespace(self, name: str, place: Place) -> bool:
        """Check that the settings declare a namespace."""
        declared = self.surroundings.namespaces
        if name not in declared:
            hint = did_you_mean(name, declared)
            self.problem(place, "unknown-namespace", f"the settings declare no namespace {name}{hint}")
        return name in declared

    def _check_lookups(self, placed: PlacedExpression) -> None:
        """Check the literal first arguments of `directory` and `taken`."""
        for call in placed.expression.contextual_calls:
            first = call.literal_arguments[0] if call.literal_arguments else None
            place = Place(placed.place.file, *placed.at(call.line, call.column))
            if call.function == "taken" and isinstance(first, str):
                self.namespace(first, place)
            if call.function == "directory" and isinstance(first, str):
                self._check_look_up(first, place)

    def _check_look_up(self, attribute: str, place: Place) -> None:
        if attribute not in {"id", "status"}:
            self.checks.attribute("user", attribute, place)
        indexed = self.surroundings.indexed
        if indexed is not None and attribute not in indexed:
            message = f"the directory is not indexed by {attribute}; add it to directory.indexed and load it again"
            self.problem(place, "not-indexed", message)
