"""One policy file: from nodes to a compiled `Policy`, with every problem found on the way.

Owns the structure of a policy (through the policy schema) and the compilation of its expressions; what expressions
may read is
checked in `reads`. Collects, never raises: the admin sees all problems at once. Used while loading, by one thread.
"""

from collections.abc import Collection
from typing import Final

from usher import cel
from usher.domain.place import Place, Problem
from usher.domain.suggestions import did_you_mean
from usher.engine.policy import Literal, PlacedExpression, Policy, Rule, Value
from usher.engine.profiles import Profiles
from usher.engine.reads import NAMES, ReadChecks
from usher.engine.yaml_text import Listing, Mapping, Node, Scalar, plain
from usher.shapes import Fault, Shape

_CODES: Final = {
    "required": "missing-key",
    "additionalProperties": "unknown-key",
    "propertyNames": "bad-name",
    "type": "wrong-type",
}
_LITERAL_HINT: Final = "; a literal is written {value: …}"


def compile_policy(root: Node, *, shape: Shape, profiles: Profiles, problems: list[Problem]) -> Policy | None:
    """Compile the document of one file; append what is wrong. The policy is usable only if no problem was an error."""
    content = plain(root)
    problems.extend(_structure_problem(root, fault, shape) for fault in shape.faults(content))
    if not isinstance(root, Mapping):
        return None
    return _Compilation(root, profiles, problems).policy()


class _Compilation:
    """The compilation of one file; lives as long as it takes."""

    def __init__(self, root: Mapping, profiles: Profiles, problems: list[Problem]) -> None:
        self._root = root
        self._problems = problems
        constants = root.get("constants")
        self._constants = plain(constants) if isinstance(constants, Mapping) else {}
        self._variables: list[tuple[str, Value]] = []
        self._checks = ReadChecks(
            profiles, constants=_keys(constants), variables=_keys(root.get("variables")), problems=problems
        )

    def policy(self) -> Policy:
        name = _text(self._root.get("policy"))
        match = self._expression(self._root.get("match"), boolean=True, guards_required=True)
        self._compile_variables()
        return Policy(
            name=name,
            place=self._root.place,
            match=match,
            constants=self._constants if isinstance(self._constants, dict) else {},
            variables=tuple(self._variables),
            rules=self._rules(name),
            description=_text(self._root.get("description")),
            owner=_text(self._root.get("owner")),
        )

    def _compile_variables(self) -> None:
        node = self._root.get("variables")
        earlier: list[str] = []
        for key, value in node.entries if isinstance(node, Mapping) else ():
            name = str(key.value)
            compiled = self._value(value, earlier=tuple(earlier))
            earlier.append(name)
            if compiled is not None:
                self._variables.append((name, compiled))

    def _rules(self, policy: str) -> tuple[Rule, ...]:
        node = self._root.get("rules")
        seen: set[str] = set()
        items = node.items if isinstance(node, Listing) else ()
        return tuple(self._rule(policy, item, seen) for item in items if isinstance(item, Mapping))

    def _rule(self, policy: str, node: Mapping, seen: set[str]) -> Rule:
        identifier = node.get("id")
        name = _text(identifier)
        if name in seen and identifier is not None:
            self._problem(
                identifier.place, "duplicate-id", f"a rule named {name} stands above; ids are unique in a policy"
            )
        seen.add(name)
        sets = node.get("set")
        compiled = (
            [(str(key.value), self._set(key, value)) for key, value in sets.entries]
            if isinstance(sets, Mapping)
            else []
        )
        return Rule(
            name=f"{policy}/{name}",
            place=node.place,
            when=self._expression(node.get("when"), boolean=True),
            sets=tuple((target, value) for target, value in compiled if value is not None),
            because=self._expression(node.get("because")),
            description=_text(node.get("description")),
        )

    def _set(self, key: Scalar, value: Node) -> Value | None:
        self._checks.target(str(key.value), key.place)
        return self._value(value)

    def _value(self, node: Node, earlier: Collection[str] | None = None) -> Value | None:
        if isinstance(node, Mapping):
            literal = node.get("value")
            return Literal(plain(literal)) if literal is not None else None
        return self._expression(node, earlier=earlier)

    def _expression(
        self,
        node: Node | None,
        *,
        boolean: bool = False,
        guards_required: bool = False,
        earlier: Collection[str] | None = None,
    ) -> PlacedExpression | None:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return None
        try:
            expression = cel.compile(node.value, names=NAMES, boolean=boolean)
        except cel.CompileError as error:
            for found in error.problems:
                line, column = (
                    node.positions.at(found.line, found.column)
                    if node.positions
                    else (node.place.line, node.place.column)
                )
                self._problem(Place(node.place.file, line, column), found.code, found.message)
            return None
        placed = PlacedExpression(expression, node.place, node.positions)
        self._checks.reads(placed, earlier=earlier, guards_required=guards_required)
        return placed

    def _problem(self, place: Place, code: str, message: str) -> None:
        self._problems.append(Problem(place, code, message))


def _structure_problem(root: Node, fault: Fault, shape: Shape) -> Problem:
    """Say a fault of the policy schema at its place in the file."""
    node, place = _follow(root, fault.path)
    where = ".".join(str(part) for part in fault.path if not isinstance(part, int))
    message = f"{where}: {fault.message}" if where and fault.code != "additionalProperties" else fault.message
    if fault.code == "additionalProperties":
        message += did_you_mean(fault.key, _declared(shape, fault.path[:-1]))
    elif fault.code == "propertyNames" and "set" in fault.path:
        message = f"{fault.key}: a target is user.<attribute> or appuser.<attribute>"
    elif fault.code == "type" and {"set", "variables", "when", "match"} & set(fault.path) and isinstance(node, Scalar):
        message += (
            _LITERAL_HINT if {"set", "variables"} & set(fault.path) else "; it is a CEL expression, written as text"
        )
    return Problem(place, _CODES.get(fault.code, "bad-value"), message)


def _follow(root: Node, path: tuple[str | int, ...]) -> tuple[Node, Place]:
    """Return the node at a path and the place to show: a key's own place where the value has none better."""
    node, place = root, root.place
    for part in path:
        if isinstance(node, Mapping):
            entry = next(((key, value) for key, value in node.entries if key.value == part), None)
            if entry is None:
                break
            place = entry[0].place
            node = entry[1]
        elif isinstance(node, Listing) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            place = node.place
    return node, place


def _declared(shape: Shape, path: tuple[str | int, ...]) -> list[str]:
    """Return the keys the policy schema knows at a path: the policy's own, or a rule's."""
    schema: object = shape.schema
    if path[:1] == ("rules",):
        definitions = shape.schema.get("$defs")
        schema = definitions.get("rule") if isinstance(definitions, dict) else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return list(properties) if isinstance(properties, dict) else []


def _keys(node: Node | None) -> tuple[str, ...]:
    return tuple(str(key.value) for key, _ in node.entries) if isinstance(node, Mapping) else ()


def _text(node: Node | None) -> str:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""
