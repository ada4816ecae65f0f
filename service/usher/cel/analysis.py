"""What an expression uses: names, functions, field paths and whether they are guarded, arguments of contextual calls.

Owns no judgement: the caller compares paths with schemas. An `Analysis` lives for one compilation on one thread.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from usher.cel.guards import Path, key_of, literal_key, when_false, when_true
from usher.cel.signatures import Functions
from usher.cel.syntax import Bind, Call, Choice, Index, Junction, Literal, Local, Macro, Name, Node, Select, children

ELEMENT = "*"  # in a path: some item of a list


@dataclass(frozen=True, slots=True)
class PathRead:
    """A field read from a free name: `('user', 'manager', 'name')`; `'*'` stands for any item of a list.

    `guarded`: the expression is protected against the absence of this field. Every prefix of two or more is a read of
    its own.
    """

    path: tuple[str, ...]
    guarded: bool
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ContextualCall:
    """A call of a contextual function; an argument that is no literal is None."""

    function: str
    literal_arguments: tuple[object | None, ...]
    line: int
    column: int


class Analysis:
    """Walks the tree once."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.names: set[str] = set()
        self.calls: set[str] = set()
        self.reads: dict[PathRead, None] = {}
        self.contextual_calls: list[ContextualCall] = []
        self.variables: dict[int, tuple[str, ...] | None] = {}

    def path_of(self, node: Node) -> tuple[str, ...] | None:
        """Return the path from a free name, as far as it can be proved."""
        match node:
            case Name():
                return (node.name,)
            case Local():
                return self.variables.get(node.slot)
            case Select() if not node.test:
                return self._extended(node.operand, node.field)
            case Index():
                key = literal_key(node.index)
                return None if key is None else self._extended(node.operand, key if isinstance(key, str) else ELEMENT)
            case Macro() if node.macro == "filter":
                return self.path_of(node.source)
            case Call() if node.name == "get":
                key = literal_key(node.arguments[1])
                return self._extended(node.arguments[0], key) if isinstance(key, str) else None
            case Call() if node.name == "dyn":
                return self.path_of(node.arguments[0])
        return None

    def _extended(self, node: Node, step: str) -> tuple[str, ...] | None:
        path = self.path_of(node)
        return None if path is None else (*path, step)

    def walk(self, node: Node, present: frozenset[Path]) -> None:
        """Note what a node uses, given the fields known to be `present` (or irrelevant) where it stands."""
        match node:
            case Name():
                self.names.add(node.name)
            case Junction():
                self._junction(node, present)
            case Choice():
                self.walk(node.condition, present)
                self.walk(node.then, present | when_true(node.condition))
                self.walk(node.otherwise, present | when_false(node.condition))
            case Macro() | Bind():
                self._scope(node, present)
            case _:
                self._plain(node, present)

    def _junction(self, node: Junction, present: frozenset[Path]) -> None:
        # The other operands decide, whatever this one does: errors are absorbed on either side.
        facts = when_true if node.operator == "&&" else when_false
        known = [facts(operand) for operand in node.operands]
        counts = Counter(path for paths in known for path in paths)
        everything = present.union(counts)
        for operand, own in zip(node.operands, known, strict=True):
            alone = {path for path in own - present if counts[path] == 1}
            self.walk(operand, everything - alone if alone else everything)

    def _scope(self, node: Macro | Bind, present: frozenset[Path]) -> None:
        if isinstance(node, Bind):
            self.walk(node.value, present)
            self.variables[node.slot] = self.path_of(node.value)
            self.walk(node.body, present)
            return
        self.walk(node.source, present)
        path = self.path_of(node.source)
        self.variables[node.slot] = None if path is None else (*path, ELEMENT)
        if node.keep is not None:
            self.walk(node.keep, present)
            present |= when_true(node.keep)
        self.walk(node.body, present)

    def _plain(self, node: Node, present: frozenset[Path]) -> None:
        if isinstance(node, Call):
            self._called(node)
        if isinstance(node, Call) and node.name == "blank":
            present |= _prefixes(key_of(node.arguments[0]))
        if isinstance(node, Select | Index) or (isinstance(node, Call) and node.name == "get"):
            self._read(node, present)
        for part in children(node):
            self.walk(part, present)

    def _called(self, node: Call) -> None:
        self.calls.add(node.name)
        if self.functions[node.name].contextual:
            literals = tuple(part.value if isinstance(part, Literal) else None for part in node.arguments)
            self.contextual_calls.append(ContextualCall(node.name, literals, node.line, node.column))

    def _read(self, node: Select | Index | Call, present: frozenset[Path]) -> None:
        test = isinstance(node, Select) and node.test
        path = self._extended(node.operand, node.field) if isinstance(node, Select) else self.path_of(node)
        if path is None or path[-1] == ELEMENT or len(path) == 1:
            return
        guarded = test or isinstance(node, Call) or key_of(node) in present
        self.reads[PathRead(path, guarded, node.line, node.column)] = None


def _prefixes(path: Path | None) -> frozenset[Path]:
    return frozenset() if path is None else frozenset(path[:length] for length in range(2, len(path) + 1))
