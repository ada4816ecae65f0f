"""What explains a difference: the rules that had a part in it, and what befell a value on its way.

Owns the choice of what is told below an expectation that was not met. Pure functions.
"""

from collections.abc import Callable, Iterator
from typing import Final

from usher.answer.record import DecisionRecord
from usher.domain.decision import ACTION, Verdict
from usher.domain.request import ImportRequest
from usher.engine import PolicySet, Rule
from usher.engine.values import same_value
from usher.proof.accounts import RuleAccount, Standing
from usher.proof.comparing import NOTHING, Difference
from usher.proof.words import adds, claim_lines, fault_line

MAX_RULES: Final = 5
"""Rules told about one difference; more would bury the difference."""
_IDLE: Final = frozenset({Standing.FALSE, Standing.UNREACHED, Standing.UNMATCHED, Standing.UNFIT})


def responsible(difference: Difference, policies: PolicySet, record: DecisionRecord) -> list[str]:
    """Return the rules that could have made what is missing, or that made what should not be there."""
    key, member = difference.key, difference.member
    if key in {"fired", "errors"}:
        return [member]
    if key == "conflicts" and difference.expected is NOTHING:
        return [rule for conflict in record.conflicts if conflict.target == member for rule in conflict.rules]
    able: Callable[[Rule], object] = {
        "set": lambda rule: member in rule.targets,
        "action": lambda rule: rule.action or {"action.link", "action.create"} & {*rule.veto},
        "hold": lambda rule: rule.hold or rule.claim,
        "vetoed": lambda rule: member in rule.veto,
        "conflicts": lambda rule: member in rule.targets or (member == ACTION and rule.action),
        "claims": lambda rule: rule.claim and member in rule.claim.namespaces,
        "remembered": lambda rule: rule.claim and member in rule.claim.namespaces,
    }.get(key, lambda _: False)
    return [rule.name for rule in policies.rules if able(rule)]


def says_something(account: RuleAccount, difference: Difference) -> bool:
    """Say whether a rule explains a difference; one that did nothing does not explain what came unasked."""
    if difference.expected is NOTHING:
        return account.standing not in _IDLE
    return not (difference.actual is NOTHING and difference.key == "fired") or account.standing is not Standing.FIRED


def hints(difference: Difference, policies: PolicySet, record: DecisionRecord) -> Iterator[str]:
    """Yield what befell a value although a rule fired, how a claim came out, what failed beside a condition."""
    key = difference.key
    if key == "errors" and difference.expected is NOTHING:
        failed = {entry.rule for entry in record.trace if entry.verdict is Verdict.ERROR}
        told = [fault for fault in record.errors if fault.rule == difference.member and adds(fault, failed)]
        yield from map(fault_line, told)
    if key == "fired" and difference.actual is NOTHING and _is_shadow(difference.member, policies):
        yield "its policy is in shadow mode, which tests for '*' do not ask; test it in a file of its own"
    if key == "set" and difference.actual is NOTHING:
        yield from _on_the_way(difference, policies, record)
    if key in {"set", "claims"}:
        yield from _claims(difference, policies, record)


def _on_the_way(difference: Difference, policies: PolicySet, record: DecisionRecord) -> Iterator[str]:
    """Yield why no command was sent for a target."""
    target = difference.member
    fired = _fired(policies, record)
    if record.holds:
        yield f"the row is held by {', '.join(hold.rule for hold in record.holds)}, so nothing is sent"
    elif target in record.vetoed:
        yield f"the target is vetoed by {', '.join(rule.name for rule in fired if target in rule.veto)}"
    elif target in {conflict.target for conflict in record.conflicts}:
        yield "rules want different values for it"
    elif target in {fault.target for fault in record.errors}:
        yield "the profile schema refuses the value"
    elif _stands_already(difference, record):
        yield "the profile holds this value already, so no command is needed"
    for rule in fired:
        for name in rule.overrides:
            if any(other.name == name and target in other.targets for other in fired) and target in rule.targets:
                yield f"{name} is overridden by {rule.name}"


def _claims(difference: Difference, policies: PolicySet, record: DecisionRecord) -> Iterator[str]:
    """Yield what the claims concerned have tried, where one of them decides about the value."""
    claiming = {
        rule.name
        for rule in policies.rules
        if rule.claim
        and (difference.member in rule.claim.namespaces or difference.member in {name for name, _ in rule.claimed_sets})
    }
    for claim in record.claims:
        if claim.rule in claiming:
            yield from claim_lines(claim)


def _fired(policies: PolicySet, record: DecisionRecord) -> list[Rule]:
    names = {entry.rule for entry in record.trace if entry.verdict is Verdict.FIRED}
    return [rule for rule in policies.rules if rule.name in names]


def _is_shadow(name: str, policies: PolicySet) -> bool:
    return any(policy.shadow and rule.name == name for policy in policies.policies for rule in policy.rules)


def _stands_already(difference: Difference, record: DecisionRecord) -> bool:
    request = ImportRequest.from_wire(record.input if isinstance(record.input, dict) else {})
    root, _, attribute = difference.member.partition(".")
    profile = request.user if root == "user" else request.app_user
    return attribute in profile and same_value(profile[attribute], difference.expected)
