"""What reading rests on: lark's trees taken apart, literals, names and their scopes, the bound on depth.

Owns the reserved words. A `Terms` is the part of a `Reader` that needs no recursion; one compilation, one thread.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from usher.cel.errors import CompileError, ExpressionProblem
from usher.cel.limits import Limits
from usher.cel.scanning import Scanned
from usher.cel.signatures import Functions
from usher.cel.syntax import Literal, Local, Name, Node
from usher.cel.values import INT_MAX, INT_MIN, TYPE_VALUES, UINT_MAX, Uint

if TYPE_CHECKING:
    from lark import Token, Tree

    LarkTree = Tree[Token]

Scope = Mapping[str, int]

_WRAPPERS = frozenset(
    ("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member", "primary")
) | {"paren_expr"}
_RESERVED = frozenset(
    ("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop", "package")
) | {"namespace", "return", "var", "void", "while"}
_LONGEST_INTEGER = 100  # leading zeros allowed; Python refuses to convert thousands of digits


def unwrapped(tree: LarkTree) -> LarkTree:
    """Skip the rules that only lead to another one, parentheses included."""
    while tree.data in _WRAPPERS and len(tree.children) == 1 and not isinstance(tree.children[0], str):
        tree = tree.children[0]
    return tree


def trees_in(tree: LarkTree) -> list[LarkTree]:
    """Return the trees among the children."""
    return [child for child in tree.children if not isinstance(child, str)]


def token_in(tree: LarkTree) -> Token:
    """Return the first token among the children."""
    return next(child for child in tree.children if isinstance(child, str))


def place_of_tree(tree: LarkTree) -> tuple[int, int]:
    """Return line and column where a tree begins."""
    return tree.meta.line, tree.meta.column


class Terms:
    """What one compilation has found so far; `problems` fills up on the way."""

    def __init__(self, scanned: Scanned, names: Collection[str] | None, functions: Functions, limits: Limits) -> None:
        self.scanned = scanned
        self.dotted = frozenset(name for name in names or () if "." in name) | TYPE_VALUES.keys()
        self.functions = functions
        self.depth_limit = limits.depth
        self.slots = 0
        self.problems: list[ExpressionProblem] = []
        self.spans: dict[int, tuple[int, int]] = {}

    def problem(self, code: str, message: str, place: tuple[int, int]) -> Literal:
        """Note a problem; what is returned stands in for the part that is wrong."""
        self.problems.append(ExpressionProblem(code, message, *place))
        return Literal(*place, None)

    def spanned(self, node: Node, tree: LarkTree) -> Node:
        """Note from where to where in the text a node stands; the tree keeps it alive, so its id stays its own."""
        self.spans[id(node)] = (tree.meta.start_pos, tree.meta.end_pos)
        return node

    def bounded(self, level: int, tree: LarkTree) -> None:
        """Raise `CompileError` when the nesting is over the limit."""
        if level > self.depth_limit:
            message = f"the expression is nested deeper than {self.depth_limit}"
            raise CompileError((ExpressionProblem("too-deep", message, *place_of_tree(tree)),))

    def literal(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        """Read a constant; one that cannot be is a problem."""
        del scope, level
        token, place = token_in(tree), place_of_tree(tree)
        if token.start_pos in self.scanned.literals:
            return Literal(*place, self.scanned.literals[token.start_pos])
        if token.type == "FLOAT_LIT":
            if "." in token and not token.partition(".")[2][:1].isdigit():
                return self.problem("cel-syntax", "a number needs a digit after its point", place)
            value = float(token)
            return (
                self.problem("cel-syntax", "the number does not fit into a double", place)
                if math.isinf(value)
                else Literal(*place, value)
            )
        if len(token) > _LONGEST_INTEGER:
            return self.problem("cel-syntax", "the number does not fit into 64 bits", place)
        number = int(token.rstrip("uU"), 16 if "x" in token else 10)
        unsigned = token.type == "UINT_LIT"
        least, most = (0, UINT_MAX) if unsigned else (INT_MIN, INT_MAX)
        if not least <= number <= most:
            return self.problem("cel-syntax", "the number does not fit into 64 bits", place)
        return Literal(*place, Uint(number) if unsigned else number)

    def ident(self, tree: LarkTree, scope: Scope, level: int) -> Node:
        """Read a lone name."""
        del level
        return self.name(str(token_in(tree)), tree, scope)

    def name(self, name: str, tree: LarkTree, scope: Scope) -> Node:
        """Read the variable of a macro, else a free name."""
        place = place_of_tree(tree)
        if name in scope and tree.data == "ident":
            return Local(*place, scope[name], name)
        if name in _RESERVED:
            return self.problem("cel-syntax", f"'{name}' is a reserved word", place)
        return Name(*place, name)

    def variable(self, tree: LarkTree, scope: Scope) -> tuple[int, Scope] | None:
        """Return a slot for the variable that a macro names, and the scope in which it is known."""
        tree = unwrapped(tree)
        if tree.data != "ident" or str(token_in(tree)) in _RESERVED:
            self.problem("bad-macro", "expected the name of a variable", place_of_tree(tree))
            return None
        self.slots += 1
        return self.slots - 1, {**scope, str(token_in(tree)): self.slots - 1}
