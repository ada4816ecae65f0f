"""What can be proved before anything runs: unknown names and functions, wrong arguments, kinds of results.

A kind is doubted only where the text alone proves it, so `dyn` needs no annotation. An `Inference` lives for one
compilation on one thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from usher.cel.errors import EvaluationError, ExpressionProblem
from usher.cel.limits import Limits
from usher.cel.patterns import Pattern, compiled
from usher.cel.signatures import BOOL, DOUBLE, INT, LIST, MAP, NUMBER, TYPE, Function, Functions
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
    Local,
    Macro,
    MapNode,
    Name,
    Negate,
    Node,
    Not,
    Select,
    children,
)
from usher.cel.values import ANY, TYPE_VALUES, Kind, Kinds, kind_of
from usher.domain.suggestions import did_you_mean

_SUGGESTIONS = 20
_COUNTED = frozenset({Kind.INT, Kind.UINT, Kind.DOUBLE})
_TIMES = frozenset({Kind.TIMESTAMP, Kind.DURATION})
_ORDERED = _COUNTED | _TIMES | {Kind.STRING, Kind.BYTES, Kind.BOOL}
_JOINED = frozenset({Kind.STRING, Kind.BYTES, Kind.LIST})


class Inference:
    """The kinds of every node, and the problems found on the way."""

    def __init__(self, names: Collection[str] | None, functions: Functions, limits: Limits) -> None:
        self.names = names
        self.functions = functions
        self.limits = limits
        self.problems: list[ExpressionProblem] = []
        self.patterns: dict[int, Pattern] = {}
        self.known: dict[int, Kinds] = {}
        self.variables: dict[int, Kinds] = {}

    def is_type_name(self, name: str) -> bool:
        """Whether a name that no caller declared stands for a type."""
        return name in TYPE_VALUES and (self.names is None or name not in self.names)

    def kinds(self, node: Node) -> Kinds:
        """Return the kinds a node's value may have; asked once per node."""
        if isinstance(node, Bind):
            self.variables[node.slot] = self.kinds(node.value)
            found = self.kinds(node.body)
        else:
            found = self._kinds(node, [self.kinds(part) for part in children(node)])
        self.known[id(node)] = found
        return found

    def _problem(self, node: Node, code: str, message: str) -> None:
        self.problems.append(ExpressionProblem(code, message, node.line, node.column))

    def _suggestion(self, word: str, known: Collection[str]) -> str:
        if len(self.problems) > _SUGGESTIONS:
            return ""  # searching takes a millisecond, and nobody reads so far
        return did_you_mean(word, known)

    def _kinds(self, node: Node, parts: list[Kinds]) -> Kinds:  # noqa: C901, PLR0912  one line per shape
        match node:
            case Literal():
                return frozenset({kind_of(node.value)})
            case ListNode():
                return LIST
            case MapNode():
                return MAP
            case Local():
                return self.variables.get(node.slot, ANY)
            case Name():
                return self._name(node)
            case Junction():
                return BOOL
            case Not():
                return self._only(node, "'!'", parts[0], BOOL, BOOL)
            case Negate():
                return self._only(node, "'-'", parts[0], INT | DOUBLE, parts[0] & (INT | DOUBLE))
            case Choice():
                self._only(node, "'?:'", parts[0], BOOL, BOOL)
                return parts[1] | parts[2]
            case Comparison():
                return self._comparison(node, *parts)
            case Arithmetic():
                return self._arithmetic(node, parts)
            case Call():
                return self._call(node, tuple(parts))
            case Select() | Index() | Macro():
                return self._access(node, parts)
        return ANY

    def _only(self, node: Node, what: str, given: Kinds, wanted: Kinds, result: Kinds) -> Kinds:
        if not given & wanted:
            self._problem(node, "wrong-arguments", f"{what} is not defined for {_shown(given)}")
        return result or ANY

    def _name(self, node: Name) -> Kinds:
        if self.is_type_name(node.name):
            return TYPE if self.names is not None else ANY
        if self.names is not None and node.name not in self.names:
            self._problem(node, "unknown-name", f"unknown name '{node.name}'{self._suggestion(node.name, self.names)}")
        return ANY

    def _access(self, node: Node, parts: list[Kinds]) -> Kinds:
        if isinstance(node, Select):
            what = "has()" if node.test else f"'.{node.field}'"
            return self._only(node, what, parts[0], MAP, BOOL if node.test else ANY)
        if isinstance(node, Index):
            if parts[0] & MAP or (parts[0] & LIST and parts[1] & NUMBER):
                return ANY
            return self._only(node, "[ ]", parts[0] - LIST, MAP, ANY)
        if not isinstance(node, Macro):
            return ANY
        result = LIST if node.macro in {"map", "filter"} else BOOL
        conditions = parts[1:2] if node.macro != "map" or node.keep else []
        for condition in conditions:
            self._only(node, f"the condition of {node.macro}()", condition, BOOL, BOOL)
        return self._only(node, f"{node.macro}()", parts[0], LIST | MAP, result)

    def _comparison(self, node: Comparison, left: Kinds, right: Kinds) -> Kinds:
        if node.operator == "in":
            return self._only(node, "'in'", right, LIST | MAP, BOOL)
        if node.operator not in {"==", "!="} and not _comparable(left, right):
            self._problem(
                node, "wrong-arguments", f"'{node.operator}' is not defined for {_shown(left)} and {_shown(right)}"
            )
        return BOOL

    def _arithmetic(self, node: Arithmetic, parts: list[Kinds]) -> Kinds:
        total = parts[0]
        for (operator, operand), right in zip(node.rest, parts[1:], strict=True):
            result = frozenset(kind for one in total for other in right for kind in _result(operator, one, other))
            if not result:
                self._problem(
                    operand, "wrong-arguments", f"'{operator}' is not defined for {_shown(total)} and {_shown(right)}"
                )
                return ANY
            total = result
        return total

    def _call(self, node: Call, given: tuple[Kinds, ...]) -> Kinds:
        function = self.functions.get(node.name)
        if function is None:
            what = f"unknown function '{node.name}'{self._suggestion(node.name, self.functions)}"
            self._problem(node, "unknown-function", what)
            return ANY
        overloads = function.fitting(given)
        if not overloads:
            counted = function.takes(len(given))
            what = (
                f"is not defined for {', '.join(map(_shown, given))}"
                if counted
                else f"does not take {len(given)} arguments"
            )
            self._problem(node, "wrong-arguments", f"{node.name}() {what}")
            return ANY
        self._check_literals(node, function)
        return frozenset(kind for overload in overloads for kind in overload.result)

    def _check_literals(self, node: Call, function: Function) -> None:
        for position, argument in enumerate(node.arguments):
            if not isinstance(argument, Literal):
                continue
            if position == function.pattern and isinstance(argument.value, str):
                self._check_pattern(argument, argument.value)
            check = function.checks.get(position)
            complaint = check(argument.value) if check else None
            if complaint:
                self._problem(argument, "bad-argument", f"{node.name}(): {complaint}")

    def _check_pattern(self, node: Node, pattern: str) -> None:
        try:
            self.patterns[id(node)] = compiled(pattern, self.limits, trusted=True)
        except EvaluationError as error:
            self._problem(node, "bad-pattern", error.message)


def _comparable(left: Kinds, right: Kinds) -> bool:
    return bool(left & right & _ORDERED) or bool(left & _COUNTED and right & _COUNTED)


def _result(operator: str, left: Kind, right: Kind) -> Iterable[Kind]:
    """Return the kind that `left operator right` has, if any."""
    if left == right and left in _COUNTED and (operator != "%" or left != Kind.DOUBLE):
        yield left
    if left == right and left in _JOINED and operator == "+":
        yield left
    if left in _TIMES and right in _TIMES and operator in "+-":
        timestamps = (left, right).count(Kind.TIMESTAMP)
        if timestamps == 1 and (operator == "+" or right == Kind.DURATION):
            yield Kind.TIMESTAMP
        if timestamps == 0 or (timestamps > 1 and operator == "-"):
            yield Kind.DURATION


def _shown(kinds: Kinds) -> str:
    return "any" if kinds == ANY else " or ".join(sorted(kinds))
