"""Which fields are known to be present once a condition is known to hold or not to hold.

Pure; any thread.
"""

from __future__ import annotations

from usher.cel.syntax import Call, Comparison, Index, Junction, Literal, Local, Name, Node, Not, Select

# A field as the text spells it: a local variable stands for one item, unlike the '*' of `analysis`.
Path = tuple[str | int, ...]
_NONE: frozenset[Path] = frozenset()


def literal_key(node: Node) -> str | int | None:
    """Return the key or index that a literal is, if it is one."""
    if isinstance(node, Literal) and isinstance(node.value, str | int) and not isinstance(node.value, bool):
        return node.value
    return None


def key_of(node: Node) -> Path | None:
    """Return the field that a node reads, as a key to compare with others."""
    match node:
        case Name():
            return (node.name,)
        case Local():
            return (node.slot,)
        case Select():
            return _extended(node.operand, node.field)
        case Index():
            return _extended(node.operand, literal_key(node.index))
        case Call() if node.name == "get":
            return _extended(node.arguments[0], literal_key(node.arguments[1]))
    return None


def _extended(node: Node, step: str | int | None) -> Path | None:
    path = key_of(node)
    return None if path is None or step is None else (*path, step)


def _one(path: Path | None) -> frozenset[Path]:
    return _NONE if path is None else frozenset({path})


def when_true(node: Node) -> frozenset[Path]:
    """Fields present if the condition is true."""
    return _facts(node, holds=True)


def when_false(node: Node) -> frozenset[Path]:
    """Fields present if the condition is false."""
    return _facts(node, holds=False)


def _facts(node: Node, *, holds: bool) -> frozenset[Path]:
    match node:
        case Not():
            return _facts(node.operand, holds=not holds)
        case Select() if node.test and holds:
            return _one(key_of(node))
        case Call() if node.name == "blank" and not holds:
            path = key_of(node.arguments[0])
            return _NONE if path is None else frozenset(path[:length] for length in range(2, len(path) + 1))
        case Junction():
            parts = [_facts(operand, holds=holds) for operand in node.operands]
            everyone = (node.operator == "&&") is holds
            return _NONE.union(*parts) if everyone else parts[0].intersection(*parts[1:])
        case Comparison():
            return _compared(node, holds=holds)
    return _NONE


def _compared(node: Comparison, *, holds: bool) -> frozenset[Path]:
    """`'x' in map`, and `get(map, 'x', '') != ''` in all its spellings."""
    if node.operator == "in" and holds:
        return _one(_extended(node.right, literal_key(node.left)))
    for one, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(one, Call) and one.name == "get" and isinstance(other, Literal):
            default = one.arguments[2]
            same = isinstance(default, Literal) and default.value == other.value
            equal = (node.operator == "==") is holds
            if node.operator in {"==", "!="} and isinstance(default, Literal) and equal is not same:
                return _one(key_of(one))
    return _NONE
