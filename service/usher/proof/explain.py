"""The account of one decision in words: which rules fired and why, which did not and where, what was claimed and held.

Owns the wording. It shows values, as the person at the terminal asked for them; nothing here reaches a log.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from usher.answer.debug_context import published
from usher.answer.record import DecisionRecord
from usher.cel import Budget, BudgetExceeded, EvaluationError
from usher.domain.decision import (
    ACTION,
    ClaimTrace,
    Conflict,
    Ending,
    Lookup,
    Outcome,
    RuleFault,
    RuleTrace,
    Tried,
    Verdict,
)
from usher.domain.request import ImportRequest
from usher.engine import Ladder, Policy, PolicySet, Rule, Stores, owner_of
from usher.engine.lookups import Lookups
from usher.engine.scope import Scope, policy_scope, request_scope
from usher.engine.settle import CLAIM_PREFIX

MAX_REFUSED: Final = 10
"""How many refused candidates of a claim are told one by one."""
_BECOMES: Final = {Ending.CREATE: "created", Ending.LINK: "linked"}
_REFUSALS: Final = {
    "unfit": "unfit: a target's profile schema refuses it",
    "conflict": "conflict: Okta reports it as taken",
    "reserved": "reserved: the policy never gives it out",
    "held": "held: the ledger has it for somebody else",
    "known": "known: somebody else has it in the directory",
}


def explain(policy_set: PolicySet, record: DecisionRecord, *, now: int, stores: Stores) -> Iterator[str]:
    """Yield lines; `now` is the moment of the decision in nanoseconds since 1970, `stores` what it asked."""
    circumstances = f"policies {policy_set.revision}, {record.milliseconds} ms"
    yield f"decision {record.decision_id}: {_ended(record)} ({circumstances})"
    yield from (f"  request: {fault}" for fault in record.faults)
    yield from _judged(policy_set, record, now, stores)
    for kept in record.remembered:
        somebody = ", which somebody else holds: a collision" if kept.collision else ""
        yield f"  remembered: {kept.namespace} {kept.value}{somebody}"
    yield from (f"  {command.type.value}: {dict(command.value)}" for command in record.commands)


def explain_shadow(policy_set: PolicySet, record: DecisionRecord, *, now: int, stores: Stores) -> Iterator[str]:
    """Yield what the shadow policies would have done; `record` holds their decision, of which nothing was answered."""
    yield f"shadow, not answered: {_ended(record)}"
    yield from _judged(policy_set, record, now, stores)
    yield from (f"  would send {command.type.value}: {dict(command.value)}" for command in record.commands)


def _ended(record: DecisionRecord) -> str:
    if record.ending is None:
        return record.outcome.value
    becomes = "would be" if record.outcome is Outcome.HOLD else "is"
    return f"{record.outcome.value}, the row {becomes} {_BECOMES[record.ending]}"


def _judged(policy_set: PolicySet, record: DecisionRecord, now: int, stores: Stores) -> Iterator[str]:
    """Yield what rules came to, in the order of the steps of a decision."""
    yield from _rules(policy_set, record, now, stores)
    yield from (f"  {_looked_up(lookup)}" for lookup in record.lookups)
    if record.vetoed:
        yield f"  vetoed: {', '.join(record.vetoed)}"
    yield from (f"  {_conflicting(conflict)}" for conflict in record.conflicts)
    yield from (f"  held by {hold.rule}: {hold.text}" for hold in record.holds)
    for claim in record.claims:
        yield from _claimed(claim)
    failed = {trace.rule for trace in record.trace if trace.verdict is Verdict.ERROR}
    yield from (f"  {_fault(fault)}" for fault in record.errors if _adds(fault, failed))
    if record.debug:
        yield f"  debug: {published(record.debug)}"


def _rules(policy_set: PolicySet, record: DecisionRecord, now: int, stores: Stores) -> Iterator[str]:
    known = _known(policy_set)
    base = _scope(policy_set, record, now, stores)
    for trace in record.trace:
        policy, rule = known.get(trace.rule, (None, None))
        yield f"  {_account(trace, policy, rule)}"
        if trace.verdict is Verdict.FIRED and policy and rule and rule.because and base:
            yield f"    because {_because(policy, rule, base)}"


def _known(policy_set: PolicySet) -> Mapping[str, tuple[Policy, Rule | None]]:
    """Return policies, ladders and rules by the name a trace gives them."""
    known: dict[str, tuple[Policy, Rule | None]] = {}
    for policy in policy_set.policies:
        known[policy.name] = (policy, None)
        known.update({item.gate.name: (policy, item.gate) for item in policy.items if isinstance(item, Ladder)})
        known.update({rule.name: (policy, rule) for rule in policy.rules})
    return known


def _account(trace: RuleTrace, policy: Policy | None, rule: Rule | None) -> str:
    place = rule.place if rule else policy.place if policy else None
    where = f"{place.file}:{trace.line}:{trace.column}" if place else f"{trace.line}:{trace.column}"
    match trace.verdict:
        case Verdict.FIRED:
            return f"{trace.rule}: fired ({where})"
        case Verdict.FALSE:
            return f"{trace.rule}: not fired, false at {where}"
        case Verdict.ERROR:
            return f"{trace.rule}: failed, {trace.code} at {where}"
        case Verdict.UNFIT:
            return f"{trace.rule}: not applied, it is for rows that end otherwise"
        case Verdict.EXHAUSTED:
            return f"{trace.rule}: not fired, no candidate of its claim is free ({where})"


def _scope(policy_set: PolicySet, record: DecisionRecord, now: int, stores: Stores) -> Scope | None:
    """Return what a `because` sees; None when the request could not be read."""
    if not isinstance(record.input, dict) or not record.trace:
        return None
    request = ImportRequest.from_wire(record.input)
    functions = Lookups(request, stores, owner_of(request)).functions
    return request_scope(policy_set, request, now=now, budget=Budget(), functions=functions)


def _because(policy: Policy, rule: Rule, base: Scope) -> str:
    """Return the rule's own words; where they fail, the rule's name stands in."""
    if rule.because is None:
        return rule.name
    try:
        return str(policy_scope(policy, base).value(rule.because))
    except (EvaluationError, BudgetExceeded):
        return rule.name


def _conflicting(conflict: Conflict) -> str:
    rules = ", ".join(conflict.rules)
    if conflict.target == ACTION:
        return f"{conflict.target}: these rules disagree: {rules}"
    if conflict.target.startswith(CLAIM_PREFIX):
        return f"{conflict.target}: nothing is claimed, these rules want it: {rules}"
    return f"{conflict.target}: no command, these rules want different values: {rules}"


def _looked_up(lookup: Lookup) -> str:
    if isinstance(lookup.found, bool):
        found = "held by somebody else" if lookup.found else "free"
    else:
        found = ", ".join(map(str, lookup.found)) or "nobody"
    return f"{lookup.function}({lookup.name!r}, {lookup.value!r}): {found}"


def _claimed(claim: ClaimTrace) -> Iterator[str]:
    """Yield what a claim tried; a long search is told by its beginning and its length."""
    refused = [tried for tried in claim.tried if tried.refused]
    yield f"  {claim.rule} claims:"
    for tried in refused[:MAX_REFUSED]:
        yield f"    {_values(tried)}: {_REFUSALS.get(tried.refused, tried.refused)}"
    if len(refused) > MAX_REFUSED:
        yield f"    and {len(refused) - MAX_REFUSED} more, all refused"
    if claim.granted is not None:
        yield f"    {_values(claim.tried[-1])}: granted"
    elif len(refused) < len(claim.tried):
        yield f"    {_values(claim.tried[-1])}: free, and given back because another claim found none"
    else:
        yield "    none is free"


def _values(tried: Tried) -> str:
    return ", ".join(f"{namespace} {value}" for namespace, value in tried.values.items())


def _adds(fault: RuleFault, failed: set[str]) -> bool:
    """Say whether a fault tells more than the trace of its rule does."""
    return bool(fault.target) or fault.closed or fault.rule not in failed


def _fault(fault: RuleFault) -> str:
    if fault.target:
        return f"{fault.target}: no command, the value of {fault.rule} breaks the profile schema"
    if fault.closed:
        return f"{fault.rule}: applies because it could not be judged ({fault.code})"
    return f"{fault.rule}: its text or its debug failed ({fault.code}), its name stands in"
