"""Why a condition was false, from the record alone: the part at the recorded place, and the values on record.

Owns the way from a part of an expression to the attributes it reads, through variables. On record personal values are
hashes, so nothing can be evaluated again: what is shown is what was read, not what it came to. Pure functions.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from usher.answer.record import DecisionRecord
from usher.cel import CompileError, Expression, PathRead, Reason, Sight
from usher.cel.analysis import ELEMENT, Analysis
from usher.cel.expression import Understood, understood
from usher.cel.syntax import Arithmetic, Index, Junction, Literal, Local, Name, Node, Select, children, start_of
from usher.domain.decision import RuleTrace, Verdict
from usher.domain.request import ImportRequest
from usher.engine import Policy, Rule
from usher.engine.policy import PlacedExpression
from usher.proof.pseudonyms import is_hash
from usher.proof.scene import PlacedReason
from usher.proof.vocabulary import values_of

_MAX_SIGHTS: Final = 8
_PATH: Final = 2
_ROOTS: Final = frozenset({"user", "appuser", "context"})
_APPLICATION: Final = ("context", "application")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""Names of attributes that stand readable on record."""
_NOTHING_THERE: Final = frozenset({"no-such-key", "no-such-name", "no-such-index"})

Step = tuple[str, ...]


def recorded_match(policy: Policy, match: PlacedExpression, record: DecisionRecord) -> tuple[PlacedReason, ...]:
    """Return a `match` that was false, as a whole: no record says which part of it decided."""
    found = _understood(match.expression)
    if found is None:
        return ()
    return (_placed_reason(policy, match, found, found.node, RuleTrace("", Verdict.FALSE), record),)


def recorded_reasons(
    policy: Policy, rule: Rule | None, entry: RuleTrace, record: DecisionRecord
) -> tuple[PlacedReason, ...]:
    """Return the part at the recorded place, with what the record holds of its attributes.

    What was false is an operand of the outermost `&&` of a condition; what failed may lie deeper, in whatever a rule
    evaluates, and in a variable.
    """
    when = policy.match if rule is None else rule.when
    placed_ones = [when] if when is not None else []
    if entry.verdict is Verdict.ERROR:
        placed_ones += _evaluated(policy, rule)
    for placed in placed_ones:
        found = _understood(placed.expression)
        node = None if found is None else _node_at(found, placed, entry)
        if found is not None and node is not None:
            return (_placed_reason(policy, placed, found, node, entry, record),)
    return ()


def _evaluated(policy: Policy, rule: Rule | None) -> Iterator[PlacedExpression]:
    """Yield what may have failed beside a condition: what the rule does, and the variables of its policy."""
    for value in (*(values_of(rule) if rule else ()), *(value for _, value in policy.variables)):
        if isinstance(value, PlacedExpression):
            yield value


def _understood(expression: Expression) -> Understood | None:
    """Return the tree of an expression, read as it was when it was compiled; None leaves its parts untold."""
    try:
        return understood(expression.text, expression.basis)
    except (CompileError, RecursionError):
        return None


def _node_at(found: Understood, placed: PlacedExpression, entry: RuleTrace) -> Node | None:
    """Return the part at the recorded place."""
    recorded = (entry.line, entry.column)
    root = found.node
    operands = root.operands if isinstance(root, Junction) and root.operator == "&&" else (root,)
    there = [node for node in operands if placed.at(*start_of(node)) == recorded]
    if entry.verdict is Verdict.FALSE:
        return there[0] if there else None
    failed = [node for node in _all(root) if _can_fail(node, entry.code) and recorded in _places(node, placed)]
    if failed:
        return max(failed, key=lambda node: len(found.source(node)))  # `1 / a()` fails also where `a()` does
    if there:
        return there[0]
    return root if (placed.place.line, placed.place.column) == recorded else None


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from _all(child)


def _can_fail(node: Node, code: str) -> bool:
    """Say whether an error with this code may be of a node: two may have one place, `1 / a` and `a`."""
    if code in _NOTHING_THERE:
        return isinstance(node, (Name, Select, Index))
    return not isinstance(node, (Literal, Local, Name))


def _places(node: Node, placed: PlacedExpression) -> set[tuple[int, int]]:
    """Return where in the file an error of a node is told."""
    places = {placed.at(node.line, node.column)}
    if isinstance(node, Arithmetic):
        places |= {placed.at(operand.line, operand.column) for _, operand in node.rest}
    return places


def _placed_reason(
    policy: Policy, placed: PlacedExpression, found: Understood, node: Node, entry: RuleTrace, record: DecisionRecord
) -> PlacedReason:
    analysis = Analysis(placed.expression.basis.functions)
    analysis.walk(node, frozenset())
    line, column = start_of(node)
    value = False if entry.verdict is Verdict.FALSE else None
    sights = tuple(_sights(policy, analysis.reads, record))[:_MAX_SIGHTS]
    reason = Reason(found.source(node), line, column, value, entry.code, sights)
    at = (entry.line, entry.column) if entry.line else placed.at(line, column)
    return PlacedReason(placed.place.file, *at, reason)


def _sights(policy: Policy, reads: Iterable[PathRead], record: DecisionRecord) -> Iterator[Sight]:
    roots = _on_record(record)
    paths = list(dict.fromkeys(_paths(policy, reads, frozenset())))
    for path in paths:
        if not any(path == longer[: len(path)] for longer in paths if len(longer) > len(path)):
            yield from _sight(path, roots)


def _on_record(record: DecisionRecord) -> Mapping[Step, object]:
    """Return what the record holds of a request, by the path that leads there: without one, its application alone."""
    if isinstance(record.input, dict):
        request = ImportRequest.from_wire(record.input)
        return {("user",): request.user, ("appuser",): request.app_user, ("context",): request.context}
    return {_APPLICATION: dict(record.application)} if record.application else {}


def _sight(path: Step, roots: Mapping[Step, object]) -> Iterator[Sight]:
    """Yield what is on record at a path, or above it where a hash stands for the whole; nothing where nobody knows."""
    root = next((root for root in roots if path[: len(root)] == root), None)
    if root is None:
        return
    here = roots[root]
    for length in range(len(root), len(path)):
        if not isinstance(here, dict):
            yield Sight(".".join(path[:length]), here)
            return
        if path[length] not in here:
            # In what a log hides, names are hashes, too: one may be this.
            named = length == len(root) and _NAME.fullmatch(path[length])
            if named or not any(is_hash(name) for name in here):
                yield Sight(".".join(path), None, "absent")
            return
        here = here[path[length]]
    yield Sight(".".join(path), here)


def _paths(policy: Policy, reads: Iterable[PathRead], seen: frozenset[str]) -> Iterator[Step]:
    """Yield the fields of the request that are read, directly or through variables; as far as the first list."""
    for read in reads:
        root, member = read.path[0], read.path[1] if len(read.path) >= _PATH else ""
        if root in _ROOTS:
            yield read.path[: read.path.index(ELEMENT)] if ELEMENT in read.path else read.path
        elif root == "variables" and member not in seen:
            variable = dict(policy.variables).get(member)
            if isinstance(variable, PlacedExpression):
                yield from _paths(policy, variable.expression.reads, seen | {member})
