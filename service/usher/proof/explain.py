"""The account of one decision in words: which rules fired and why, which did not and where.

Owns the wording. It shows values, as the person at the terminal asked for them; nothing here reaches a log.
"""

from collections.abc import Iterator

from usher.answer.record import DecisionRecord
from usher.cel import Budget, BudgetExceeded, EvaluationError
from usher.domain.decision import RuleTrace, Verdict
from usher.domain.request import ImportRequest
from usher.engine import Policy, PolicySet, Rule
from usher.engine.decide import policy_bindings, request_bindings


def explain(policy_set: PolicySet, record: DecisionRecord, *, now: int) -> Iterator[str]:
    """Yield lines; `now` is the moment of the decision in nanoseconds since 1970."""
    circumstances = f"policies {policy_set.revision}, {record.milliseconds} ms"
    yield f"decision {record.decision_id}: {record.outcome.value} ({circumstances})"
    yield from (f"  request: {fault}" for fault in record.faults)
    # An error in `match` stands under the policy's own name.
    owners: dict[str, tuple[Policy, Rule | None]] = {policy.name: (policy, None) for policy in policy_set.policies}
    owners |= {rule.name: (policy, rule) for policy in policy_set.policies for rule in policy.rules}
    for trace in record.trace:
        policy, rule = owners.get(trace.rule, (None, None))
        yield f"  {_account(trace, policy, rule)}"
        if trace.verdict is Verdict.FIRED and policy and rule and rule.because:
            yield f"    because {_because(policy, rule, record, now)}"
    for conflict in record.conflicts:
        yield f"  {conflict.target}: no command, these rules want different values: {', '.join(conflict.rules)}"
    for fault in record.errors:
        if fault.target:
            yield f"  {fault.target}: no command, the value of {fault.rule} breaks the profile schema"
    for command in record.commands:
        yield f"  {command.type.value}: {dict(command.value)}"


def _account(trace: RuleTrace, policy: Policy | None, rule: Rule | None) -> str:
    place = rule.place if rule else policy.place if policy else None
    where = f"{place.file}:{trace.line}:{trace.column}" if place else f"{trace.line}:{trace.column}"
    match trace.verdict:
        case Verdict.FIRED:
            return f"{trace.rule}: fired ({where})"
        case Verdict.FALSE:
            return f"{trace.rule}: not fired, false at {where}"
        case Verdict.ERROR:
            return f"{trace.rule}: not fired, {trace.code} at {where}"


def _because(policy: Policy, rule: Rule, record: DecisionRecord, now: int) -> str:
    """Return the rule's own words; where they fail, the rule's name stands in."""
    if rule.because is None or not isinstance(record.input, dict):
        return rule.name
    budget = Budget()
    bindings = policy_bindings(policy, request_bindings(ImportRequest.from_wire(record.input), now), budget)
    try:
        return str(rule.because.expression.evaluate(bindings, budget=budget))
    except (EvaluationError, BudgetExceeded):
        return rule.name
