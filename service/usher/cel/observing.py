"""Conditions under observation: compiled once more so that every part tells what it came to.

Owns which parts of a condition are true or false by themselves, and which smallest part made the whole false. An
ordinary `Expression` knows nothing of it, so it costs nothing when nobody watches. An `Observed` is immutable and
serves every thread; a `Sighting` belongs to the thread that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from usher.cel.building import Builder
from usher.cel.errors import BudgetExceeded, EvaluationError, Fault
from usher.cel.expression import Expression, Understood, understood
from usher.cel.frames import Frame, Run
from usher.cel.inference import Inference
from usher.cel.limits import Budget
from usher.cel.reasons import Reason, Seen, reason_for
from usher.cel.signatures import BOOL
from usher.cel.syntax import Bind, Choice, Comparison, Junction, Literal, Macro, Node, Not, Select, children, start_of


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a condition that is true or false by itself; line and column count from 1 within the expression."""

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one evaluation came to.

    `value` is None after an `error`. `outcomes` holds, for each part, what it came to: a part in a macro may come to
    both. `failed` says for each part whether it failed. `reason` tells which part decided.
    """

    value: object
    error: Fault | None
    outcomes: tuple[frozenset[bool], ...]
    failed: tuple[bool, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Observed:
    """A condition, or any other expression, under observation; `conjuncts` are the operands of its outermost `&&`."""

    text: str
    parts: tuple[Part, ...]
    conjuncts: tuple[Part, ...]
    _found: Understood = field(repr=False)
    _run: Run = field(repr=False)
    _indexes: Mapping[int, int] = field(repr=False)

    def look(
        self,
        bindings: Mapping[str, object],
        *,
        budget: Budget | None = None,
        functions: Mapping[str, Callable[..., object]] | None = None,
    ) -> Sighting:
        """Evaluate and tell. Raises nothing: an error is what came of it."""
        frame = _WatchedFrame(bindings, budget or Budget(), functions or {}, self._found.slots)
        value, error = _outcome(self._run, frame)
        seen = Seen(self._found, frame, frame.values, frame.failures, frame.origins)
        outcomes: list[set[bool]] = [set() for _ in self.parts]
        for identity, index in self._indexes.items():
            outcomes[index] |= frame.outcomes.get(identity, set())
        failed = [False] * len(self.parts)
        for identity in self._indexes.keys() & frame.failures.keys():
            failed[self._indexes[identity]] = True
        return Sighting(value, error, tuple(map(frozenset, outcomes)), tuple(failed), reason_for(seen, error))


def observe(expression: Expression) -> Observed:
    """Compile an expression once more, under observation; the same text, so it cannot fail."""
    found = understood(expression.text, expression.basis)
    nodes = list(_conditions(found.node, found.inference, wanted=True))
    return Observed(
        expression.text,
        tuple(Part(found.source(node), *start_of(node)) for node in nodes),
        tuple(Part(found.source(node), *start_of(node)) for node in _operands(found.node)),
        found,
        _WatchingBuilder(found.inference).build(found.node),
        {id(node): index for index, node in enumerate(nodes)},
    )


def _operands(node: Node) -> tuple[Node, ...]:
    return node.operands if isinstance(node, Junction) and node.operator == "&&" else (node,)


def _conditions(node: Node, inference: Inference, *, wanted: bool) -> Iterator[Node]:
    """Yield every part that is true or false by itself; `wanted` says that one is expected where the node stands."""
    match node:
        case Literal():
            return
        case Not():
            yield from _conditions(node.operand, inference, wanted=True)
        case Choice():
            yield from _conditions(node.condition, inference, wanted=True)
            for branch in (node.then, node.otherwise):
                yield from _conditions(branch, inference, wanted=wanted)
        case Bind():
            yield from _conditions(node.value, inference, wanted=False)
            yield from _conditions(node.body, inference, wanted=wanted)
        case Junction():
            yield node
            for operand in node.operands:
                yield from _conditions(operand, inference, wanted=True)
        case _:
            if wanted or isinstance(node, Comparison) or inference.known.get(id(node)) == BOOL:
                yield node
            yield from _within(node, inference)


def _within(node: Node, inference: Inference) -> Iterator[Node]:
    """Yield the conditions inside a part: those of a macro, of arguments, of operands."""
    if isinstance(node, Select) and node.test:
        return
    if not isinstance(node, Macro):
        for child in children(node):
            yield from _conditions(child, inference, wanted=False)
        return
    yield from _conditions(node.source, inference, wanted=False)
    if node.keep is not None:
        yield from _conditions(node.keep, inference, wanted=True)
    yield from _conditions(node.body, inference, wanted=node.macro != "map")


class _WatchedFrame(Frame):
    """A frame that keeps, by the id of a node, what it came to: the last value, the last error, all outcomes.

    `origins` leads from an error to the innermost node that raised it.
    """

    __slots__ = ("failures", "origins", "outcomes", "values")

    def __init__(
        self, names: Mapping[str, object], budget: Budget, functions: Mapping[str, Callable[..., object]], slots: int
    ) -> None:
        super().__init__(names, budget, functions, slots)
        self.values: dict[int, object] = {}
        self.failures: dict[int, EvaluationError] = {}
        self.outcomes: dict[int, set[bool]] = {}
        self.origins: WeakKeyDictionary[EvaluationError, Node] = WeakKeyDictionary()


class _WatchingBuilder(Builder):
    """Builds closures that tell the frame what they gave."""

    def build(self, node: Node) -> Run:
        """Return the watched closure for a node."""
        run = super().build(node)
        return run if isinstance(node, Literal) else _watched(run, node)


def _watched(run: Run, node: Node) -> Run:
    identity = id(node)

    def watch(frame: Frame) -> object:
        assert isinstance(frame, _WatchedFrame)  # noqa: S101 - `look` makes the frames
        try:
            value = run(frame)
        except EvaluationError as error:
            frame.failures[identity] = error
            frame.origins.setdefault(error, node)
            frame.values.pop(identity, None)
            raise
        frame.values[identity] = value
        frame.failures.pop(identity, None)
        if value is True or value is False:
            frame.outcomes.setdefault(identity, set()).add(value)
        return value

    return watch


def _outcome(run: Run, frame: Frame) -> tuple[object, Fault | None]:
    try:
        return run(frame), None
    except Fault as error:
        return None, error
    except (RecursionError, MemoryError):
        return None, BudgetExceeded("too-large", "the values are too large or too deeply nested")
