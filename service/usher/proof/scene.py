"""A decision looked at once more: its conditions evaluated under observation, with what the decision saw.

Owns the second look. It asks directory and clock of the first, and hears of `taken()` what the first heard, so claims
made since change nothing. Nothing is written. A `Scene` and its `Observers` belong to one thread.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from usher.answer.record import DecisionRecord
from usher.cel import (
    DEFAULT_LIMITS,
    Budget,
    BudgetExceeded,
    EvaluationError,
    Expression,
    Limits,
    Observed,
    Reason,
    Sighting,
    observe,
)
from usher.domain.request import ImportRequest
from usher.engine import Policy, PolicySet, Rule, Stores, owner_of
from usher.engine.firing import BAD_LINK
from usher.engine.lookups import Lookups
from usher.engine.policy import PlacedExpression
from usher.engine.scope import Scope, policy_scope, request_scope

_SECONDS = 5.0
_MAX_VARIABLES = 5
_NO_ERROR_OF_CEL = frozenset({"not-boolean", BAD_LINK})  # the value is there, and is not what it must be


@dataclass(frozen=True, slots=True)
class PlacedReason:
    """A reason at its place in a policy file."""

    file: str
    line: int
    column: int
    reason: Reason


class Observers:
    """Expressions under observation, each compiled once; kept as long as somebody looks at the same policies."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Expression, Observed]] = {}

    def of(self, expression: Expression) -> Observed:
        """Return the expression under observation."""
        found = self._kept.get(id(expression))
        if found is None:
            found = self._kept[id(expression)] = (expression, observe(expression))
        return found[1]


class Scene:
    """What the rules of one decision saw. `now` in nanoseconds since 1970; `stores` as the decision found them."""

    def __init__(
        self,
        policy_set: PolicySet,
        record: DecisionRecord,
        *,
        now: int,
        stores: Stores,
        observers: Observers,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.policy_set = policy_set
        self._request = ImportRequest.from_wire(record.input if isinstance(record.input, dict) else {})
        self._lookups = Lookups(self._request, stores, owner_of(self._request, stores), answered=record.lookups)
        self._now = now
        self._observers = observers
        self._limits = limits
        self._scopes: dict[str, Scope] = {}

    def look(self, policy: Policy, placed: PlacedExpression) -> Sighting:
        """Evaluate a condition of a policy under observation."""
        scope = self._scope(policy)
        observed = self._observers.of(placed.expression)
        # A budget of its own: the decision evaluated the condition once, here it is looked at again and again.
        return observed.look(scope.bindings, budget=self._budget(), functions=scope.functions)

    def parts(self, placed: PlacedExpression) -> Observed:
        """Return a condition under observation, with its parts."""
        return self._observers.of(placed.expression)

    def reasons(self, policy: Policy, placed: PlacedExpression) -> tuple[PlacedReason, ...]:
        """Return the part that made a condition false or failed, and on through the variables it is made of."""
        variables: Mapping[str, object] = dict(policy.variables)
        reasons: list[PlacedReason] = []
        here: object = placed
        while isinstance(here, PlacedExpression) and len(reasons) < _MAX_VARIABLES:
            reason = self.look(policy, here).reason
            reasons.append(PlacedReason(here.place.file, *here.at(reason.line, reason.column), reason))
            here = variables.get(reason.variable)
        return tuple(reasons)

    def failing(self, policy: Policy, rule: Rule, code: str) -> PlacedExpression | None:
        """Return the expression of a rule that fails with a code: its condition, else a value it sets or links to."""
        link = rule.action.link if rule.action else None
        if code in _NO_ERROR_OF_CEL:
            value: object = link if code == BAD_LINK else rule.when
            return value if isinstance(value, PlacedExpression) else None
        for value in (rule.when, *(value for _, value in rule.sets), link):
            if isinstance(value, PlacedExpression) and self.look(policy, value).error is not None:
                return value
        return None

    def because(self, policy: Policy, rule: Rule) -> str:
        """Return the rule's own words; its name stands in where they fail, '' where there are none."""
        if rule.because is None:
            return ""
        try:
            return str(self._scope(policy).value(rule.because))
        except (EvaluationError, BudgetExceeded):
            return rule.name

    def _scope(self, policy: Policy) -> Scope:
        scope = self._scopes.get(policy.name)
        if scope is None:
            base = request_scope(
                self.policy_set, self._request, now=self._now, budget=self._budget(), functions=self._lookups.functions
            )
            scope = self._scopes[policy.name] = policy_scope(policy, base)
        return scope

    def _budget(self) -> Budget:
        return Budget(deadline=time.monotonic() + _SECONDS, limits=self._limits)
