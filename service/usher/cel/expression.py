"""`compile` and the `Expression` it gives: the door of this room.

An `Expression` is immutable and serves every thread at once; each evaluation has a frame of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from usher.cel.analysis import Analysis, ContextualCall, PathRead
from usher.cel.building import Builder
from usher.cel.errors import BudgetExceeded, CompileError, EvaluationError, ExpressionProblem, Fault
from usher.cel.frames import Frame, Run
from usher.cel.functions import STANDARD
from usher.cel.grammar import parse
from usher.cel.inference import Inference
from usher.cel.limits import DEFAULT_LIMITS, Budget, Limits
from usher.cel.reading import Reader
from usher.cel.scanning import scan
from usher.cel.signatures import Functions
from usher.cel.syntax import Junction, Node, start_of
from usher.cel.values import Kind

_WORD = re.compile(r"\S+")
_NO_FUNCTIONS: Mapping[str, Callable[..., object]] = {}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition says; if false, where its smallest false part begins."""

    value: bool
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Conjunct:
    """One operand of the outermost `&&`, or the whole condition."""

    run: Run
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Basis:
    """What an expression was compiled with: what it takes to understand its text once more."""

    names: Collection[str] | None
    functions: Functions
    limits: Limits


@dataclass(frozen=True, slots=True)
class Understood:
    """An expression's tree, read and checked, and its text by parts.

    `spans` are offsets by the id of a node; `clean` is the text of the same length that the parser saw.
    """

    node: Node
    inference: Inference
    slots: int
    text: str
    clean: str
    spans: Mapping[int, tuple[int, int]]

    def source(self, node: Node) -> str:
        """Return a node's own text on one line, without comments; what is in its strings stays as it is."""
        begin, end = self.spans.get(id(node), (0, len(self.text)))
        return " ".join(self.text[word.start() : word.end()] for word in _WORD.finditer(self.clean, begin, end))


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression."""

    text: str
    names: frozenset[str]
    reads: tuple[PathRead, ...]
    calls: frozenset[str]
    contextual_calls: tuple[ContextualCall, ...]
    literal: bool
    basis: Basis = field(repr=False)
    _run: Run = field(repr=False)
    _conjuncts: tuple[Conjunct, ...] = field(repr=False)
    _slots: int = field(repr=False)

    def evaluate(
        self,
        bindings: Mapping[str, object],
        *,
        budget: Budget | None = None,
        functions: Mapping[str, Callable[..., object]] = _NO_FUNCTIONS,
    ) -> object:
        """Return the value.

        Bindings are what `json.loads` gives, or `Lazy`, also as values of a bound map; they are never changed.

        Raises `EvaluationError`, or `BudgetExceeded` when a bound of the decision is exceeded.
        """
        frame = Frame(bindings, budget or Budget(), functions, self._slots)
        try:
            return self._run(frame)
        except (Fault, RecursionError, MemoryError) as error:
            raise _surfaced(error, self._conjuncts[0]) from None

    def judge(
        self,
        bindings: Mapping[str, object],
        *,
        budget: Budget | None = None,
        functions: Mapping[str, Callable[..., object]] = _NO_FUNCTIONS,
    ) -> Verdict:
        """Evaluate a condition. Errors as in `evaluate`; a value that is no boolean is the error `not-boolean`."""
        frame = Frame(bindings, budget or Budget(), functions, self._slots)
        try:
            return self._judged(frame)
        except (Fault, RecursionError, MemoryError) as error:
            raise _surfaced(error, self._conjuncts[0]) from None

    def _judged(self, frame: Frame) -> Verdict:
        kept: EvaluationError | None = None
        for part in self._conjuncts:
            try:
                value = part.run(frame)
            except EvaluationError as error:
                kept = kept or error.with_traceback(None)
                continue
            if value is False:
                return Verdict(value=False, line=part.line, column=part.column)
            if value is not True:
                message = "the condition is neither true nor false"
                kept = kept or EvaluationError("not-boolean", message, line=part.line, column=part.column)
        if kept is not None:
            raise kept
        return Verdict(value=True, line=self._conjuncts[0].line, column=self._conjuncts[0].column)


def _surfaced(error: Fault | RecursionError | MemoryError, start: Conjunct) -> Fault:
    """Return the error to raise: what Python itself refuses counts as an exceeded bound."""
    if not isinstance(error, Fault):
        error = BudgetExceeded("too-large", "the values are too large or too deeply nested")
    # APPSEC: what it came from inside a library may quote the request.
    error.__context__ = error.__cause__ = None
    return error.placed(start.line, start.column).with_traceback(None)


def compile(  # noqa: A001  the word every reader of `re` knows
    text: str,
    *,
    names: Collection[str] | None,
    functions: Functions = STANDARD,
    limits: Limits = DEFAULT_LIMITS,
    boolean: bool = False,
) -> Expression:
    """Compile; `names` are the free names it may use (None: any), `boolean` refuses what cannot be true or false.

    Raises `CompileError` with all problems found.
    """
    basis = Basis(names, functions, limits)
    try:
        return _assembled(text, understood(text, basis, boolean=boolean), basis)
    except RecursionError:
        message = "the expression is nested too deeply for the stack that is left"
        raise CompileError((ExpressionProblem("too-deep", message, 1, 1),)) from None


def understood(text: str, basis: Basis, *, boolean: bool = False) -> Understood:
    """Read and check a text without building anything; raises `CompileError` with all problems found."""
    scanned = scan(text, basis.limits)
    reader = Reader(scanned, basis.names, basis.functions, basis.limits)
    node = reader.read(parse(scanned.text), {}, 0)
    inference = Inference(basis.names, basis.functions, basis.limits)
    kinds = inference.kinds(node)
    problems = [*reader.problems, *inference.problems]
    if boolean and not problems and Kind.BOOL not in kinds:
        message = f"expected true or false, but this is {' or '.join(sorted(kinds))}"
        problems.append(ExpressionProblem("not-boolean", message, *start_of(node)))
    if problems:
        raise CompileError(tuple(problems))
    return Understood(node, inference, reader.slots, text, scanned.text, reader.spans)


def _assembled(text: str, found: Understood, basis: Basis) -> Expression:
    node, builder = found.node, Builder(found.inference)
    analysis = Analysis(builder.inference.functions)
    analysis.walk(node, frozenset())
    types = {
        name for name in analysis.names if builder.inference.names is not None and builder.inference.is_type_name(name)
    }
    operands = node.operands if isinstance(node, Junction) and node.operator == "&&" else (node,)
    return Expression(
        text=text,
        names=frozenset(analysis.names - types),
        reads=tuple(analysis.reads),
        calls=frozenset(analysis.calls),
        contextual_calls=tuple(analysis.contextual_calls),
        literal=not analysis.names - types and not analysis.contextual_calls,
        basis=basis,
        _run=builder.build(node),
        _conjuncts=tuple(Conjunct(builder.build(operand), *start_of(operand)) for operand in operands),
        _slots=found.slots,
    )
