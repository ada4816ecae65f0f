"""One decision: a policy set and a request in, a `Decision` out.

Owns the semantics of rules (design, section 5): each rule sees only the request, so the order of rules and files
never matters; two rules
that want different values for one target cancel that target and nothing else; a rule that fails changes nothing.
A pure function of its arguments; any thread, any number at once.
"""

from collections.abc import Callable, Mapping

from usher.cel import Budget, EvaluationError, Lazy, Timestamp
from usher.domain.decision import Assignment, Conflict, Decision, RuleFault, RuleTrace, Verdict
from usher.domain.request import ImportRequest
from usher.engine.policy import Literal, LocatedError, PlacedExpression, Policy, PolicySet, Rule, Value

Clock = Callable[[], int]
"""Nanoseconds since 1970-01-01T00:00:00Z."""

Bindings = Mapping[str, object]


def decide(policies: PolicySet, request: ImportRequest, *, now: int, budget: Budget) -> Decision:
    """Evaluate every policy. Raises `BudgetExceeded` when time or steps run out: then there is no decision."""
    account = _Account()
    base = request_bindings(request, now)
    for policy in policies.policies:
        _evaluate_policy(policy, base, budget, account)
    return account.decision(policies.revision)


def request_bindings(request: ImportRequest, now: int) -> dict[str, object]:
    """Return the names every expression may use, as CEL sees them; `now` in nanoseconds since 1970."""
    return {
        "user": request.user,
        "appuser": request.app_user,
        "context": request.context,
        "action": request.action,
        "matched_user_id": request.matched_user_id,
        "input": request.wire,
        "now": Timestamp(now),
    }


def policy_bindings(policy: Policy, base: Bindings, budget: Budget) -> dict[str, object]:
    """Return the names of one policy's expressions: the request's, its constants, and its variables, unevaluated."""
    bindings = {**base, "constants": policy.constants}
    bindings["variables"] = {name: _lazy(value, bindings, budget) for name, value in policy.variables}
    return bindings


def value_of(value: Value, bindings: Bindings, budget: Budget) -> object:
    """Return a literal as it stands or an expression's result."""
    if isinstance(value, Literal):
        return value.value
    return value.expression.evaluate(bindings, budget=budget)


class _Account:
    """What is known so far about one decision; belongs to the thread that makes it."""

    __slots__ = ("faults", "proposals", "trace")

    def __init__(self) -> None:
        self.trace: list[RuleTrace] = []
        self.faults: list[RuleFault] = []
        self.proposals: dict[str, list[tuple[str, object]]] = {}

    def failed(self, rule: str, error: EvaluationError, line: int, column: int) -> None:
        self.trace.append(RuleTrace(rule, Verdict.ERROR, line, column, error.code))
        self.faults.append(RuleFault(rule, error.code))

    def decision(self, revision: str) -> Decision:
        assignments: dict[str, Assignment] = {}
        conflicts: list[Conflict] = []
        for target, proposals in self.proposals.items():
            rules = tuple(rule for rule, _ in proposals)
            first = proposals[0][1]
            if len(proposals) == 1 or all(same_value(first, value) for _, value in proposals):
                assignments[target] = Assignment(target, first, rules)
            else:
                conflicts.append(Conflict(target, tuple(sorted(rules))))
        return Decision(revision, assignments, tuple(self.trace), tuple(conflicts), tuple(self.faults))


def same_value(one: object, other: object) -> bool:
    """Say whether two values are the same to Okta: 1, 1.0 and true are three values."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and one == other


def _evaluate_policy(policy: Policy, base: Bindings, budget: Budget, account: _Account) -> None:
    bindings: Bindings | None = None
    if policy.match is not None:
        bindings = policy_bindings(policy, base, budget)
        try:
            if not policy.match.expression.judge(bindings, budget=budget).value:
                return
        except EvaluationError as error:
            account.failed(policy.name, error, *_located(policy.match, error, bindings))
            return
    bindings = bindings or policy_bindings(policy, base, budget)
    for rule in policy.rules:
        _evaluate_rule(rule, bindings, budget, account)


def _evaluate_rule(rule: Rule, bindings: Bindings, budget: Budget, account: _Account) -> None:
    """Fire the rule whole or not at all: an error in one of its values takes the others with it."""
    place: Value | None = rule.when
    try:
        if rule.when is not None:
            verdict = rule.when.expression.judge(bindings, budget=budget)
            if not verdict.value:
                account.trace.append(rule.false_at(rule.when, verdict.line, verdict.column))
                return
        values: list[tuple[str, object]] = []
        for target, value in rule.sets:
            place = value
            values.append((target, value_of(value, bindings, budget)))
    except EvaluationError as error:
        account.failed(rule.name, error, *_located(place, error, bindings))
        return
    account.trace.append(rule.fired)
    for target, result in values:
        if result is not None:
            account.proposals.setdefault(target, []).append((rule.name, result))


def _located(value: Value | None, error: EvaluationError, bindings: Bindings) -> tuple[int, int]:
    """Return where in the file an error was made: CEL names the place of use, a variable keeps the place in itself."""
    if not isinstance(value, PlacedExpression):
        return error.line, error.column
    variables = bindings["variables"]
    for read in value.expression.reads:
        if (read.line, read.column) == (error.line, error.column) and read.path[0] == "variables":
            lazy = variables.get(read.path[1]) if isinstance(variables, dict) else None
            known = _failure(lazy) if isinstance(lazy, Lazy) else None
            if known is not None and (known.kind, known.message) == (error.kind, error.message):
                return known.line, known.column
    return value.at(error.line, error.column)


def _failure(lazy: Lazy) -> LocatedError | None:
    """Return the error a variable keeps, if it failed."""
    try:
        lazy.force()
    except LocatedError as known:
        return known
    except EvaluationError:
        return None
    return None


def _lazy(value: Value, bindings: Bindings, budget: Budget) -> object:
    """Return a literal, or what evaluates a variable at its first use and tells an error's place in the file."""
    if isinstance(value, Literal):
        return value.value

    def compute() -> object:
        try:
            return value.expression.evaluate(bindings, budget=budget)
        except EvaluationError as error:
            line, column = _located(value, error, bindings)
            raise LocatedError(error.kind, error.message, line=line, column=column) from None

    return Lazy(compute)
