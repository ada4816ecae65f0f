"""From the tree to closures, choosing the fastest closure that is still exact.

A `Builder` lives for one compilation on one thread; what it builds is immutable and serves every thread.
"""

from __future__ import annotations

from usher.cel import calls, frames, logic, macros
from usher.cel.arithmetic import addition, arithmetic, negation
from usher.cel.frames import Run
from usher.cel.inference import Inference
from usher.cel.operators import ARITHMETIC
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
    start_of,
)
from usher.cel.values import TYPE_VALUES

Place = tuple[int, int]
_NODES_PER_STEP = 64  # of a macro's body: more than anybody writes, so that a turn is mostly one step


def _size(node: Node) -> int:
    return 1 + sum(map(_size, children(node)))


class Builder:
    """Builds the closures of one expression."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference
        self.bound: set[int] = set()

    def build(self, node: Node) -> Run:
        """Return the closure for a node."""
        match node:
            case Literal():
                return frames.constant(node.value)
            case Name():
                return self._name(node)
            case Local():
                return macros.bound_variable(node.slot) if node.slot in self.bound else frames.local(node.slot)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case Macro():
                return self._macro(node)
            case Bind():
                self.bound.add(node.slot)
                return macros.bound(node.slot, self.build(node.value), self.build(node.body))
            case Comparison():
                return self._comparison(node, (node.line, node.column))
            case Arithmetic():
                return self._arithmetic(node)
        return self._operation(node, (node.line, node.column))

    def _operation(self, node: Node, place: Place) -> Run:
        match node:
            case Index():
                return frames.index(self.build(node.operand), self.build(node.index), *place)
            case Not():
                return logic.negation(self.build(node.operand), place)
            case Negate():
                return negation(self.build(node.operand), place)
            case Junction():
                starts = tuple(start_of(operand) for operand in node.operands)
                return logic.junction(node.operator, self._all(node.operands), starts)
            case Choice():
                condition, then, otherwise = self._all((node.condition, node.then, node.otherwise))
                return logic.choice(condition, then, otherwise, place)
            case ListNode():
                return frames.list_literal(self._all(node.items))
            case MapNode():
                entries = tuple((self.build(key), self.build(value)) for key, value in node.entries)
                return frames.map_literal(entries, *place)
        message = f"no closure for {type(node).__name__}"
        raise TypeError(message)

    def _all(self, nodes: tuple[Node, ...]) -> tuple[Run, ...]:
        return tuple(self.build(node) for node in nodes)

    def _name(self, node: Name) -> Run:
        if self.inference.is_type_name(node.name):
            return frames.type_name(node.name, TYPE_VALUES[node.name])
        return frames.name(node.name, node.line, node.column)

    def _select(self, node: Select) -> Run:
        place = (node.line, node.column)
        if node.test:
            return frames.has(self.build(node.operand), node.field, *place)
        if isinstance(node.operand, Name) and not self.inference.is_type_name(node.operand.name):
            return frames.select_from_name(node.operand.name, node.field, *place)
        return frames.select(self.build(node.operand), node.field, *place)

    def _comparison(self, node: Comparison, place: Place) -> Run:
        left, right = node.left, node.right
        if node.operator in {"==", "!="}:
            return self._equality(left, right, place, wanted=node.operator == "==")
        if node.operator != "in":
            return logic.order(node.operator, self.build(left), self.build(right), place)
        if isinstance(left, Literal) and isinstance(left.value, str):
            return logic.membership_of_text(left.value, self.build(right), place)
        if isinstance(right, ListNode):
            texts = [item.value for item in right.items if isinstance(item, Literal) and isinstance(item.value, str)]
            if len(texts) == len(right.items):
                return logic.membership_in_texts(self.build(left), frozenset(texts))
        return logic.membership(self.build(left), self.build(right), place)

    def _equality(self, left: Node, right: Node, place: Place, *, wanted: bool) -> Run:
        for one, other in ((left, right), (right, left)):
            if isinstance(one, Literal) and (one.value is None or isinstance(one.value, str)):
                return logic.equality_with_text(self.build(other), one.value, wanted=wanted)
        return logic.equality(self.build(left), self.build(right), place, wanted=wanted)

    def _arithmetic(self, node: Arithmetic) -> Run:
        if all(operator == "+" for operator, _ in node.rest):
            parts = [(self.build(operand), (operand.line, operand.column)) for _, operand in node.rest]
            return addition(self.build(node.first), tuple(parts))
        return arithmetic(
            self.build(node.first),
            tuple(
                (ARITHMETIC[operator], self.build(operand), (operand.line, operand.column))
                for operator, operand in node.rest
            ),
        )

    def _macro(self, node: Macro) -> Run:
        source, body, place = self.build(node.source), self.build(node.body), (node.line, node.column)
        cost = 1 + (_size(node.body) + (_size(node.keep) if node.keep else 0)) // _NODES_PER_STEP
        if node.macro in {"all", "exists"}:
            return macros.quantifier(node.macro, source, node.slot, body, place, cost)
        if node.macro == "exists_one":
            return macros.exists_one(source, node.slot, body, place, cost)
        if node.macro == "filter":
            return macros.filtered(source, node.slot, body, place, cost)
        return macros.mapped(source, node.slot, body, self.build(node.keep) if node.keep else None, place, cost)

    def _call(self, node: Call) -> Run:
        place = (node.line, node.column)
        function = self.inference.functions[node.name]
        if node.name == "get":
            return self._get(node, place)
        if node.name == "blank":
            return self._blank(node, place)
        arguments = self._all(node.arguments)
        overloads = function.fitting(tuple(self.inference.known[id(argument)] for argument in node.arguments))
        if function.contextual:
            return calls.contextual_call(node.name, overloads[0], arguments, place)
        if function.pattern is not None and function.pattern < len(arguments):
            arguments = self._with_pattern(node, arguments, function.pattern)
        fixed = self.inference.patterns.get(id(node.arguments[1])) if node.name == "matches" else None
        if fixed:
            return calls.matching(arguments[0], fixed, place)
        return calls.call(node.name, overloads, arguments, place, function.pattern)

    def _with_pattern(self, node: Call, arguments: tuple[Run, ...], position: int) -> tuple[Run, ...]:
        argument = node.arguments[position]
        fixed = self.inference.patterns.get(id(argument))
        place = (argument.line, argument.column)
        dynamic = calls.pattern(arguments[position], self.inference.limits, place)
        run = frames.constant(fixed) if fixed else dynamic
        return (*arguments[:position], run, *arguments[position + 1 :])

    def _get(self, node: Call, place: Place) -> Run:
        mapping, key, default = node.arguments
        if isinstance(key, Literal) and isinstance(key.value, str):
            return calls.get_text(self.build(mapping), key.value, self.build(default), place)
        return calls.get(self.build(mapping), self.build(key), self.build(default), place)

    def _blank(self, node: Call, place: Place) -> Run:
        (argument,) = node.arguments
        fields: list[str] = []
        while isinstance(argument, Select) and not argument.test:
            fields.insert(0, argument.field)
            argument = argument.operand
        if fields:
            return calls.blank_field(self.build(argument), tuple(fields), place)
        return calls.blank(self.build(argument), place)
