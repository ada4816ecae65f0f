"""One policy file: from nodes to a compiled `Policy`, with every problem found on the way.

Owns the structure of a policy, checked through the policy schema. Collects, never raises: the admin sees all problems
at once. Used while loading, by one thread.
"""

from typing import Final

from usher.domain.place import Place, Problem
from usher.domain.suggestions import did_you_mean
from usher.engine.compile_rule import RuleCompiler
from usher.engine.compiling import Compiling, Surroundings
from usher.engine.nodes import entries, keys, text
from usher.engine.policy import Policy, Value
from usher.engine.yaml_text import Listing, Mapping, Node, Scalar, plain
from usher.shapes import Fault, Shape

_CODES: Final = {
    "required": "missing-key",
    "additionalProperties": "unknown-key",
    "propertyNames": "bad-name",
    "type": "wrong-type",
}
_LITERAL_HINT: Final = "; a literal is written {value: …}"
_TEXT_HINT: Final = "; it is a CEL expression, written as text"
_TEXT_ONLY: Final = frozenset({"when", "match", "because"})
_CONTAINERS: Final = frozenset({"set", "variables", "candidates", "action"})
_EXPRESSION_KEYS: Final = frozenset(
    {"set", "variables", "candidates", "hold", "debug", "link", "when", "match", "because"}
)


def compile_policy(root: Node, *, shape: Shape, surroundings: Surroundings, problems: list[Problem]) -> Policy | None:
    """Compile the document of one file; append what is wrong. The policy is usable only if no problem was an error."""
    problems.extend(_structure_problem(root, fault, shape) for fault in shape.faults(plain(root)))
    if not isinstance(root, Mapping):
        return None
    variables = root.get("variables")
    constants = root.get("constants")
    compiling = Compiling(surroundings, constants=keys(constants), variables=keys(variables), problems=problems)
    name = text(root.get("policy"))
    held = plain(constants) if constants is not None else {}
    return Policy(
        name=name,
        place=root.place,
        match=compiling.expression(root.get("match"), boolean=True, guards_required=True),
        constants=held if isinstance(held, dict) else {},
        variables=_variables(variables, compiling),
        items=RuleCompiler(compiling, name).rules(root.get("rules")),
        shadow=text(root.get("mode")) == "shadow",
        description=text(root.get("description")),
        owner=text(root.get("owner")),
    )


def _variables(node: Node | None, compiling: Compiling) -> tuple[tuple[str, Value], ...]:
    compiled: list[tuple[str, Value]] = []
    earlier: list[str] = []
    for key, value in entries(node):
        name = str(key.value)
        result = compiling.value(value, earlier=tuple(earlier))
        earlier.append(name)
        if result is not None:
            compiled.append((name, result))
    return tuple(compiled)


def _structure_problem(root: Node, fault: Fault, shape: Shape) -> Problem:
    """Say a fault of the policy schema at its place in the file."""
    node, place = _follow(root, fault.path)
    where = ".".join(str(part) for part in fault.path if not isinstance(part, int))
    message = f"{where}: {fault.message}" if where and fault.code != "additionalProperties" else fault.message
    if fault.code == "additionalProperties":
        message += did_you_mean(fault.key, _declared(shape, fault.path[:-1]))
    elif fault.code == "propertyNames" and "set" in fault.path:
        message = f"{fault.key}: a target is user.<attribute> or appuser.<attribute>"
    elif fault.code == "type":
        message += _type_hint(fault, node)
    elif fault.code == "pattern" and fault.path[-1] == "action":
        message = f"{where}: must be create or {{link: …}}"
    elif fault.code == "pattern" and "veto" in fault.path:
        message = f"{where}: must be user.<attribute>, appuser.<attribute>, action.link or action.create"
    return Problem(place, _CODES.get(fault.code, "bad-value"), message)


def _type_hint(fault: Fault, node: Node) -> str:
    """Say how a value is written where an expression may stand; nothing where the key itself takes no value."""
    if not _EXPRESSION_KEYS & set(fault.path) or fault.path[-1] in _CONTAINERS or not isinstance(node, Scalar):
        return ""
    return _TEXT_HINT if _TEXT_ONLY & set(fault.path) else _LITERAL_HINT


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
    """Return the keys the policy schema knows at a path: the policy's own, a rule's, a claim's."""
    schema: object = shape.schema
    definitions = shape.schema.get("$defs")
    if path and isinstance(definitions, dict):
        schema = definitions.get("claim" if "claim" in path else "rule" if path[0] == "rules" else "value")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return list(properties) if isinstance(properties, dict) else []
