"""The tree of an expression as this room sees it.

Small, frozen, names resolved to free names or slots of local variables.

`line` and `column` of a node are where an error in it is reported: the field, the function's name, the operand on the
right.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """Any part of an expression."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant; lists and maps are never literals."""

    value: object


@dataclass(frozen=True, slots=True)
class ListNode(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapNode(Node):
    """`{a: b}`."""

    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A free name, dotted if the caller declared it so."""

    name: str


@dataclass(frozen=True, slots=True)
class Local(Node):
    """A variable of a macro; each macro has a slot of its own, so nothing is ever shadowed at run time."""

    slot: int
    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`operand.field`; `test` for `has(operand.field)`."""

    operand: Node
    field: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`operand[index]`."""

    operand: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(arguments)`; a receiver is the first argument."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Macro(Node):
    """`source.macro(variable, body)`; `keep` is the filter of the three-argument `map`."""

    macro: str
    source: Node
    slot: int
    body: Node
    keep: Node | None = None


@dataclass(frozen=True, slots=True)
class Bind(Node):
    """`cel.bind(variable, value, body)`."""

    slot: int
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`!operand`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Negate(Node):
    """`-operand`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """A whole chain of `&&` or of `||`, parentheses within it dissolved."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`condition ? then : otherwise`."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`left operator right` for `== != < <= > >= in`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """A whole chain of sums, or of products, folded from the left."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


def children(node: Node) -> tuple[Node, ...]:  # noqa: C901  one line per shape
    """Return the parts of a node, in the order of the text."""
    match node:
        case ListNode():
            return node.items
        case MapNode():
            return tuple(part for entry in node.entries for part in entry)
        case Select() | Not() | Negate():
            return (node.operand,)
        case Index():
            return (node.operand, node.index)
        case Call():
            return node.arguments
        case Macro():
            return (node.source, node.body) if node.keep is None else (node.source, node.keep, node.body)
        case Bind():
            return (node.value, node.body)
        case Junction():
            return node.operands
        case Choice():
            return (node.condition, node.then, node.otherwise)
        case Comparison():
            return (node.left, node.right)
        case Arithmetic():
            return (node.first, *(operand for _, operand in node.rest))
        case _:
            return ()


def start_of(node: Node) -> tuple[int, int]:
    """Where the text of a node begins."""
    places = [(node.line, node.column)]
    while parts := children(node):
        node = parts[0]
        places.append((node.line, node.column))
    return min(places)
