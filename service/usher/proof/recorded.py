"""Why a condition was false, from the record alone: the part at the recorded place, and the values on record.

Owns the way from a part of a condition to the attributes it reads, through variables. On record personal values are
hashes, so nothing can be evaluated again: what is shown is what was read, not what it came to. Pure functions.
"""

from collections.abc import Iterator

from usher.answer.record import DecisionRecord
from usher.cel import Reason, Sight, compile, observe  # noqa: A004 - the word every reader of `re` knows
from usher.cel.analysis import ELEMENT
from usher.domain.decision import RuleTrace, Verdict
from usher.domain.request import ImportRequest
from usher.engine import Policy
from usher.engine.policy import PlacedExpression
from usher.proof.scene import PlacedReason

_MAX_SIGHTS = 8
_PATH = 2
_ROOTS = frozenset({"user", "appuser", "context"})


def recorded_reasons(
    policy: Policy, when: PlacedExpression, entry: RuleTrace, record: DecisionRecord
) -> tuple[PlacedReason, ...]:
    """Return the part of a condition at the recorded place, with what the record holds of its attributes."""
    observed = observe(when.expression)
    # What a record calls false is an operand of the outermost `&&`; what failed may lie deeper.
    among = observed.conjuncts if entry.verdict is Verdict.FALSE else (*observed.parts, *observed.conjuncts)
    here = [part for part in among if when.at(part.line, part.column) == (entry.line, entry.column)]
    if not here:
        return ()
    part = min(here, key=lambda found: len(found.text))
    value = False if entry.verdict is Verdict.FALSE else None
    sights = tuple(_sights(policy, part.text, record))[:_MAX_SIGHTS]
    reason = Reason(part.text, part.line, part.column, value, entry.code, sights)
    return (PlacedReason(when.place.file, entry.line, entry.column, reason),)


def _sights(policy: Policy, text: str, record: DecisionRecord) -> Iterator[Sight]:
    request = ImportRequest.from_wire(record.input if isinstance(record.input, dict) else {})
    roots = {"user": request.user, "appuser": request.app_user, "context": request.context}
    paths = list(dict.fromkeys(_paths(policy, text, frozenset())))
    for path in paths:
        if not any(path == longer[: len(path)] for longer in paths if len(longer) > len(path)):
            yield _sight(path, roots[path[0]])


def _sight(path: tuple[str, ...], here: object) -> Sight:
    shown = ".".join(path)
    for name in path[1:]:
        if not isinstance(here, dict) or name not in here:
            return Sight(shown, None, "absent")
        here = here[name]
    return Sight(shown, here)


def _paths(policy: Policy, text: str, seen: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Yield the fields of the request that an expression reads, by itself or through variables."""
    for read in compile(text, names=None).reads:
        root, member = read.path[0], read.path[1] if len(read.path) >= _PATH else ""
        if root in _ROOTS:
            yield tuple(name for name in read.path if name != ELEMENT)
        elif root == "variables" and member not in seen:
            variable = dict(policy.variables).get(member)
            if isinstance(variable, PlacedExpression):
                yield from _paths(policy, variable.expression.text, seen | {member})
