"""One policy file: from nodes to a compiled `Policy`, with every problem found on the way.

Owns the structure of a policy, checked through the policy schema. Collects, never raises: the admin sees all problems
at once. Used while loading, by one thread.
"""

from typing import Final

from usher.domain.place import Problem
from usher.engine.compile_rule import RuleCompiler
from usher.engine.compiling import Compiling, Surroundings
from usher.engine.nodes import entries, keys, text
from usher.engine.policy import Policy, Value
from usher.engine.structure import fault_message, follow, path_text, structure_problem
from usher.engine.yaml_text import Mapping, Node, Scalar, plain
from usher.shapes import Fault, Shape

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
    return structure_problem(root, fault, shape, message=_own_words(root, fault, shape))


def _own_words(root: Node, fault: Fault, shape: Shape) -> str:
    """Return what is said where the schema's own words are no help; else ''."""
    where = path_text(fault.path)
    if fault.code == "propertyNames" and "set" in fault.path:
        return f"{fault.key}: a target is user.<attribute> or appuser.<attribute>"
    if fault.code == "type":
        return fault_message(fault, shape) + _type_hint(fault, follow(root, fault.path)[0])
    if fault.code == "pattern" and fault.path[-1] == "action":
        return f"{where}: must be create or {{link: …}}"
    if fault.code == "pattern" and "veto" in fault.path:
        return f"{where}: must be user.<attribute>, appuser.<attribute>, action.link or action.create"
    return ""


def _type_hint(fault: Fault, node: Node) -> str:
    """Say how a value is written where an expression may stand; nothing where the key itself takes no value."""
    if not _EXPRESSION_KEYS & set(fault.path) or fault.path[-1] in _CONTAINERS or not isinstance(node, Scalar):
        return ""
    return _TEXT_HINT if _TEXT_ONLY & set(fault.path) else _LITERAL_HINT
