"""Which smallest part of a condition made it what it is, and the values that made it so.

Owns the way down from the whole to that part: through `&&`, `||`, `!`, `?:`, `all` and `exists` to a comparison or a
call, the operands of which are then shown. What it returns holds values of the request: it is for the person who asks
and reaches no log. Pure functions over what was seen; belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from usher.cel.building import Builder
from usher.cel.errors import EvaluationError, Fault
from usher.cel.frames import NOTHING, Frame
from usher.cel.syntax import (
    Bind,
    Call,
    Choice,
    Index,
    Junction,
    Literal,
    Local,
    Macro,
    Name,
    Node,
    Not,
    Select,
    children,
    start_of,
)

if TYPE_CHECKING:
    from usher.cel.expression import Understood

MAX_SIGHTS: Final = 8
_ABSENT: Final = frozenset({"no-such-key", "no-such-name"})
_QUIET_ROOTS: Final = frozenset({"tables", "input"})  # whole tables and requests say nothing in a line


@dataclass(frozen=True, slots=True)
class Sight:
    """One operand as its text, and its value. `note` says where the value came from: absent, null, or ''."""

    text: str
    value: object
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """The part that decided: its text, its place within the expression, and what it came to.

    `value` is None and `code` the error's where it failed. `variable` names the policy variable that the part is.
    """

    text: str
    line: int
    column: int
    value: object
    code: str
    sights: tuple[Sight, ...]
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one evaluation left: values and errors by the id of a node, and which node each error came from."""

    found: Understood
    frame: Frame
    values: dict[int, object]
    failures: dict[int, EvaluationError]
    origins: Mapping[EvaluationError, Node]

    def value(self, node: Node) -> object:
        """Return what a node came to; asked again where the closure of its parent did not need it as a value."""
        if isinstance(node, Literal):
            return node.value
        known = self.values.get(id(node), NOTHING)
        if known is not NOTHING or id(node) in self.failures:
            return known
        try:
            return Builder(self.found.inference).build(node)(self.frame)
        except EvaluationError as error:
            self.failures[id(node)] = error
        except (Fault, RecursionError, MemoryError):
            pass
        return NOTHING

    def failed(self, error: Fault) -> Node:
        """Return the smallest part that failed; turns of a macro after that one are forgotten."""
        node = self.origins.get(error) if isinstance(error, EvaluationError) else None
        if node is None or not isinstance(error, EvaluationError):
            return self.found.node
        self.values.pop(id(node), None)
        self.failures[id(node)] = error
        return node

    def is_absent(self, node: Node) -> bool:
        """Say whether a path failed because what it names is not there."""
        error = self.failures.get(id(node))
        return error is not None and error.origin is None and error.kind in _ABSENT


def reason_for(seen: Seen, error: Fault | None) -> Reason:
    """Return which part made the whole what it is."""
    node = _decisive(seen, seen.found.node) if error is None else seen.failed(error)
    line, column = start_of(node)
    if error is not None and error.origin is None and error.line:
        line, column = error.line, error.column
    value = seen.value(node)
    return Reason(
        seen.found.source(node),
        line,
        column,
        None if value is NOTHING or error is not None else value,
        "" if error is None else error.code,
        _first_of_each(_sights(seen, node)),
        _variable(node),
    )


def _decisive(seen: Seen, node: Node) -> Node:
    while (inner := _inner(seen, node)) is not None:
        node = inner
    return node


def _inner(seen: Seen, node: Node) -> Node | None:
    """Return the part that alone made the node what it is; None when no single one did."""
    value = seen.value(node)
    if value is NOTHING:
        return None
    match node:
        case Not():
            return node.operand
        case Bind():
            return node.body
        case Local():
            return _bound(seen.found.node, node.slot)
        case Junction() if value is (node.operator == "||"):
            return next(operand for operand in node.operands if seen.value(operand) is value)
        case Choice():
            chosen = node.then if seen.value(node.condition) is True else node.otherwise
            return node.condition if isinstance(chosen, Literal) else chosen
        case Macro() if (node.macro == "all" and value is False) or (node.macro == "exists" and value is True):
            return node.body
    return None


def _bound(node: Node, slot: int) -> Node | None:
    """Return what `cel.bind` gave a variable; None for the variable of a macro."""
    if isinstance(node, Bind) and node.slot == slot:
        return node.value
    return next((found for child in children(node) if (found := _bound(child, slot)) is not None), None)


def _sights(seen: Seen, node: Node) -> Iterator[Sight]:
    """Yield what a decisive part looked at."""
    match node:
        case Junction():
            for operand in node.operands:
                inner = _decisive(seen, operand)
                yield from _operand(seen, inner) if _is_path(inner) else _sights(seen, inner)
        case Select() if node.test:
            yield _field(seen, node)
        case Macro():
            yield from _operand(seen, node.source)
            for part in (node.body, *([node.keep] if node.keep else [])):
                for free in _free(part, node.slot):
                    yield from _operand(seen, free) if _is_path(free) else _sights(seen, free)
        case _ if _is_path(node):
            if not isinstance(seen.value(node), bool):
                yield from _operand(seen, node)
        case _:
            for child in children(node):
                yield from _operand(seen, child)


def _operand(seen: Seen, node: Node) -> Iterator[Sight]:
    """Yield an operand's value, and those of the fields it was made of."""
    if _is_constant(node):
        return
    value = seen.value(node)
    if _is_path(node):
        whole_profile = isinstance(node, Name) and isinstance(value, dict)
        if not whole_profile and (_root(node) not in _QUIET_ROOTS or not isinstance(value, dict | list)):
            if value is not NOTHING:
                yield Sight(seen.found.source(node), value, _note(seen, node))
            elif seen.is_absent(node):
                yield Sight(seen.found.source(node), None, "absent")
        return
    if value is not NOTHING:
        yield Sight(seen.found.source(node), value)
    for child in _asked(seen, node):
        yield from _operand(seen, child)


def _asked(seen: Seen, node: Node) -> tuple[Node, ...]:
    """Return the parts of an operand that were looked at: not the other branch, nor what came after the answer."""
    match node:
        case Macro():
            return (node.source,)
        case Choice():
            return (node.condition, node.then if seen.value(node.condition) is True else node.otherwise)
        case Junction():
            return tuple(part for part in node.operands if id(part) in seen.values or id(part) in seen.failures)
        case _:
            return children(node)


def _free(node: Node, slot: int) -> Iterator[Node]:
    """Yield the largest parts of a macro's body that are the same at every turn."""
    if not _reads(node, slot):
        yield node
        return
    for child in children(node):
        yield from _free(child, slot)


def _reads(node: Node, slot: int) -> bool:
    return (isinstance(node, Local) and node.slot == slot) or any(_reads(child, slot) for child in children(node))


def _note(seen: Seen, node: Node) -> str:
    """Say of `get(map, 'key', default)` whether the default stands for what is absent or null."""
    if not isinstance(node, Call):
        return ""
    held, key = seen.value(node.arguments[0]), seen.value(node.arguments[1])
    if not isinstance(held, dict) or not isinstance(key, str) or held.get(key) is not None:
        return ""
    return "null" if key in held else "absent"


def _field(seen: Seen, node: Select) -> Sight:
    """Return what `has(a.b)` looked at."""
    text, held = f"{seen.found.source(node.operand)}.{node.field}", seen.value(node.operand)
    if isinstance(held, dict) and node.field in held:
        return Sight(text, held[node.field])
    return Sight(text, None, "absent")


def _is_path(node: Node) -> bool:
    return isinstance(node, Name | Local | Select | Index) or (isinstance(node, Call) and node.name == "get")


def _is_constant(node: Node) -> bool:
    if isinstance(node, Literal):
        return True
    parts = children(node)
    return bool(parts) and all(map(_is_constant, parts))


def _root(node: Node) -> str:
    while parts := children(node):
        node = parts[0]
    return node.name if isinstance(node, Name) else ""


def _variable(node: Node) -> str:
    """Return the policy variable a part is, or ''."""
    is_variable = isinstance(node, Select) and isinstance(node.operand, Name) and node.operand.name == "variables"
    return node.field if is_variable and isinstance(node, Select) and not node.test else ""


def _first_of_each(sights: Iterator[Sight]) -> tuple[Sight, ...]:
    first: dict[str, Sight] = {}
    for sight in sights:
        first.setdefault(sight.text, sight)
    return tuple(first.values())[:MAX_SIGHTS]
