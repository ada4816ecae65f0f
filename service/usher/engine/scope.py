"""What an expression sees while a decision is made: names, look-ups, and one budget for everything.

Owns the binding of names and of the two functions that depend on more than their arguments. Belongs to one decision
and one thread.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from usher.cel import Budget, EvaluationError, Lazy, Timestamp
from usher.cel import Verdict as Judgement
from usher.domain.request import ImportRequest
from usher.engine.policy import Literal, LocatedError, PlacedExpression, Policy, PolicySet, Value

Functions = Mapping[str, Callable[..., object]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Names, contextual functions and the budget of one decision."""

    bindings: Mapping[str, object]
    budget: Budget
    functions: Functions

    def value(self, value: Value) -> object:
        """Return a literal as it stands, or an expression's result."""
        if isinstance(value, Literal):
            return value.value
        return value.expression.evaluate(self.bindings, budget=self.budget, functions=self.functions)

    def judge(self, when: PlacedExpression) -> Judgement:
        """Return whether a condition holds and the part that decided it; raises `EvaluationError`."""
        return when.expression.judge(self.bindings, budget=self.budget, functions=self.functions)

    def with_names(self, **names: object) -> "Scope":
        """Return the scope with further names."""
        return Scope({**self.bindings, **names}, self.budget, self.functions)


def request_scope(
    policies: PolicySet, request: ImportRequest, *, now: int, budget: Budget, functions: Functions
) -> Scope:
    """Return what every expression sees; `now` in nanoseconds since 1970."""
    bindings: dict[str, object] = {
        "user": request.user,
        "appuser": request.app_user,
        "context": request.context,
        "action": request.action,
        "matched_user_id": request.matched_user_id,
        "input": request.wire,
        "tables": policies.tables,
        "now": Timestamp(now),
    }
    return Scope(bindings, budget, functions)


def policy_scope(policy: Policy, base: Scope) -> Scope:
    """Return what one policy's expressions see: the request, its constants, and its variables, unevaluated."""
    bindings: dict[str, object] = {**base.bindings, "constants": policy.constants}
    variables: dict[str, object] = {}
    scope = Scope(bindings, base.budget, base.functions)
    for name, value in policy.variables:
        variables[name] = value.value if isinstance(value, Literal) else _Variable(name, value, scope, variables)
    bindings["variables"] = variables
    return scope


def match_scope(policy: Policy, base: Scope) -> Scope:
    """Return what the `match` of a policy sees: variables only where it reads them, so that a mismatch costs little."""
    if policy.match is not None and "variables" in policy.match.expression.names:
        return policy_scope(policy, base)
    return base.with_names(constants=policy.constants)


class _Variable(Lazy):
    """A variable that is evaluated at its first use and tells an error's place in the file.

    A value takes its place among the variables, so that later uses read it like any other.
    """

    __slots__ = ("_expression", "_name", "_scope", "_variables")

    def __init__(self, name: str, value: PlacedExpression, scope: Scope, variables: dict[str, object]) -> None:
        super().__init__(self._evaluated)
        self._name, self._expression, self._scope, self._variables = name, value, scope, variables

    def _evaluated(self) -> object:
        scope = self._scope
        try:
            value = self._expression.expression.evaluate(scope.bindings, budget=scope.budget, functions=scope.functions)
        except EvaluationError as error:
            line, column = self._expression.located(error)
            raise LocatedError(error.kind, error.message, line=line, column=column) from None
        self._variables[self._name] = value
        return value
