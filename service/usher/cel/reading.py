"""From lark's tree to ours: chains flattened, names and literals resolved, macros recognised.

Owns the meaning of the grammar's rules and nothing about values at run time. A `Reader` lives for one compilation, on
one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from usher.cel.limits import Limits
from usher.cel.scanning import Scanned
from usher.cel.signatures import Functions
from usher.cel.syntax import (
    Arithmetic,
    Bind,
    Call,
    Choice,
    Comparison,
    Index,
    Junction,
    ListNode,
    Literal,
    Macro,
    MapNode,
    Name,
    Negate,
    Node,
    Not,
    Select,
)
from usher.cel.terms import Scope, Terms, place_of_tree, token_in, trees_in, unwrapped

if TYPE_CHECKING:
    from lark import Token, Tree

    LarkTree = Tree[Token]

_RELATIONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "in": "in"}
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}
MACROS = {
    "all": "all",
    "exists": "exists",
    "exists_one": "exists_one",
    "existsOne": "exists_one",
    "filter": "filter",
    "map": "map",
}
_WITH_FILTER = 3  # `map(x, keep, value)`, and `cel.bind(x, value, body)`


class Reader(Terms):
    """Reads one expression; `problems` fills up on the way."""

    def __init__(self, scanned: Scanned, names: Collection[str] | None, functions: Functions, limits: Limits) -> None:
        super().__init__(scanned, names, functions, limits)
        self.rules: dict[str, Callable[[LarkTree, Scope, int], Node]] = {
            "expr": self._choice,
            "conditionalor": self._junction,
            "conditionaland": self._junction,
            "relation": self._comparison,
            "addition": self._arithmetic,
            "multiplication": self._arithmetic,
            "unary": self._unary,
            "ident": self.ident,
            "dot_ident": self.ident,
            "ident_arg": self._call,
            "dot_ident_arg": self._call,
            "list_lit": self._list,
            "map_lit": self._map,
            "literal": self.literal,
        }

    def read(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        """Return the node of a tree. Raises `CompileError` when it is too deep to be read or run safely."""
        tree = unwrapped(tree)
        self.bounded(level, tree)
        rule = self.rules.get(tree.data, self._chain)
        return self.spanned(rule(tree, scope, level + 1), tree)

    def _choice(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        condition, then, otherwise = (self.read(part, scope, level) for part in trees_in(tree))
        return Choice(*place_of_tree(tree), condition, then, otherwise)

    def _junction(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        place, rule = place_of_tree(tree), tree.data
        operator = "||" if rule == "conditionalor" else "&&"
        parts = []
        while tree.data == rule:
            left, right = trees_in(tree)
            parts.append(right)
            tree = unwrapped(left)
        operands: list[Node] = []
        for part in (tree, *reversed(parts)):
            node = self.read(part, scope, level)
            same = isinstance(node, Junction) and node.operator == operator
            operands += node.operands if isinstance(node, Junction) and same else (node,)
        return Junction(*place, operator, tuple(operands))

    def _comparison(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        relation, right = trees_in(tree)
        operator = _RELATIONS[relation.data.removeprefix("relation_")]
        return Comparison(
            *place_of_tree(tree),
            operator,
            self.read(trees_in(relation)[0], scope, level),
            self.read(right, scope, level),
        )

    def _arithmetic(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        place, rule = place_of_tree(tree), tree.data
        parts = []
        while tree.data == rule:
            step, right = trees_in(tree)
            parts.append((_ARITHMETIC[step.data.removeprefix(rule + "_")], right))
            tree = unwrapped(trees_in(step)[0])
        first = self.read(tree, scope, level)
        return Arithmetic(
            *place, first, tuple((operator, self.read(right, scope, level)) for operator, right in reversed(parts))
        )

    def _unary(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        operator, operand = trees_in(tree)
        node = Not if operator.data == "unary_not" else Negate
        return node(*place_of_tree(tree), self.read(operand, scope, level))

    def _list(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        return ListNode(*place_of_tree(tree), self._arguments(tree, scope, level))

    def _map(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        parts = [self.read(part, scope, level) for inits in trees_in(tree) for part in trees_in(inits)]
        return MapNode(*place_of_tree(tree), tuple(zip(parts[::2], parts[1::2], strict=True)))

    def _arguments(self, tree: LarkTree, scope: Scope, level: int) -> tuple[Node, ...]:
        return tuple(self.read(part, scope, level) for part in self._argument_trees(tree))

    @staticmethod
    def _argument_trees(tree: LarkTree) -> list[LarkTree]:
        return [part for inner in trees_in(tree) if inner.data == "exprlist" for part in trees_in(inner)]

    def _call(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        name, place = str(token_in(tree)), place_of_tree(tree)
        arguments = self._arguments(tree, scope, level)
        if name != "has":
            return Call(*place, name, arguments)
        if len(arguments) == 1 and isinstance(arguments[0], Select):
            tested = arguments[0]
            return Select(tested.line, tested.column, tested.operand, tested.field, test=True)
        return self.problem("bad-macro", "has() takes one field, as in has(a.b)", place)

    def _chain(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        """Read a value followed by `.field`, `.method(…)` and `[index]`, however long."""
        steps = []
        while tree.data.startswith("member_"):
            steps.append(tree)
            tree = unwrapped(trees_in(tree)[0])
        level += len(steps)
        self.bounded(level, tree)
        steps.reverse()
        node, steps = self._head(tree, steps, scope, level)
        for step in steps:
            node = self.spanned(self._step(node, step, scope, level), step)
        return node

    def _head(self, tree: LarkTree, steps: list[LarkTree], scope: Scope, level: int) -> tuple[Node, list[LarkTree]]:
        """Return what the chain begins with.

        A dotted name or a function in a namespace as far as there is one, else a plain value.
        """
        absolute = tree.data == "dot_ident"
        if not absolute and (tree.data != "ident" or str(token_in(tree)) in scope):
            return self.read(tree, scope, level), steps
        plain = next((count for count, step in enumerate(steps) if step.data != "member_dot"), len(steps))
        parts = [str(token_in(tree)), *(str(token_in(step)) for step in steps[:plain])]
        if plain < len(steps) and steps[plain].data == "member_dot_arg":
            name = ".".join([*parts, str(token_in(steps[plain]))])
            if name == "cel.bind" or name in self.functions:
                called = self.spanned(self._namespaced(name, steps[plain], scope, level), steps[plain])
                return called, steps[plain + 1 :]
        for count in range(plain, 0, -1):
            if ".".join(parts[: count + 1]) in self.dotted:
                whole = Name(*place_of_tree(tree), ".".join(parts[: count + 1]))
                return self.spanned(whole, steps[count - 1]), steps[count:]
        return self.spanned(self.name(parts[0], tree, scope), tree), steps

    def _step(self, node: Node, step: LarkTree, scope: Scope, level: int) -> Node:
        if step.data == "member_object":
            return self.problem(
                "cel-syntax", "messages cannot be built: this language has maps only", place_of_tree(step)
            )
        if step.data == "member_index":
            index = self.read(trees_in(step)[1], scope, level)
            return Index(index.line, index.column, node, index)
        token = token_in(step)
        place = (token.line or 1, token.column or 1)
        name = self.scanned.quoted.get(token.start_pos or 0, str(token))
        if step.data == "member_dot":
            return Select(*place, node, name)
        if name in MACROS and name not in self.functions:
            return self._macro(MACROS[name], node, step, scope, level)
        return Call(*place, name, (node, *self._arguments(step, scope, level)))

    def _macro(self, macro: str, source: Node, step: LarkTree, scope: Scope, level: int) -> Node:
        token, parts = token_in(step), self._argument_trees(step)
        place = (token.line or 1, token.column or 1)
        if len(parts) != _WITH_FILTER - 1 and (macro != "map" or len(parts) != _WITH_FILTER):
            return self.problem("bad-macro", f"{token}() takes a variable and an expression", place)
        variable = self.variable(parts[0], scope)
        if variable is None:
            return Literal(*place, None)
        slot, inner = variable
        *keep, body = (self.read(part, inner, level) for part in parts[1:])
        return Macro(*place, macro, source, slot, body, keep[0] if keep else None)

    def _namespaced(self, name: str, step: LarkTree, scope: Scope, level: int) -> Node:
        token, parts = token_in(step), self._argument_trees(step)
        place = (token.line or 1, token.column or 1)
        if name != "cel.bind":
            return Call(*place, name, self._arguments(step, scope, level))
        if len(parts) != _WITH_FILTER:
            return self.problem("bad-macro", "cel.bind() takes a variable, its value and an expression", place)
        value = self.read(parts[1], scope, level)
        variable = self.variable(parts[0], scope)
        if variable is None:
            return Literal(*place, None)
        slot, inner = variable
        return Bind(*place, slot, value, self.read(parts[2], inner, level))
