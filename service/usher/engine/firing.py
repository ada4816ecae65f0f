"""Step 1 of a decision: which rules fire, and with what.

Owns the polarity of errors: a rule that changes something does not fire and its ladder stops; a restriction applies,
because a veto or a hold that silently fell away would be the more dangerous mistake. Belongs to one decision and one
thread.
"""

from dataclasses import dataclass, field
from typing import Final

from usher.cel import EvaluationError
from usher.domain.decision import Ending, RuleFault, RuleTrace, Verdict
from usher.engine.policy import Ladder, PlacedExpression, Policy, Rule, Value
from usher.engine.scope import Scope, match_scope, policy_scope

BAD_LINK: Final = "bad-link-id"


@dataclass(slots=True)
class Fired:
    """A rule that fired: its values, what is left of them, and the scope its claim and texts are evaluated in.

    `action` is the ending it wants, with `link_id` for a link. The fields only ever lose entries while the decision
    settles.
    """

    rule: Rule
    scope: Scope
    values: dict[str, object] = field(default_factory=dict)
    action: Ending | None = None
    link_id: str = ""
    claims: bool = False
    debug: object = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Return every target the rule still sets."""
        fed = tuple(target for target, _ in self.rule.claimed_sets) if self.claims else ()
        return (*self.values, *fed)


@dataclass(slots=True)
class Firing:
    """Everything step 1 finds."""

    fired: list[Fired] = field(default_factory=list)
    trace: list[RuleTrace] = field(default_factory=list)
    faults: list[RuleFault] = field(default_factory=list)

    def failed(self, rule: Rule, error: EvaluationError, place: tuple[int, int], *, closed: bool = False) -> None:
        """Note an error; `closed`: the rule restricts and applies all the same."""
        self.trace.append(RuleTrace(rule.name, Verdict.ERROR, *place, error.code))
        self.faults.append(RuleFault(rule.name, error.code, closed=closed))


def fire(policy: Policy, base: Scope, firing: Firing) -> None:
    """Evaluate one policy's rules."""
    changes = True
    if policy.match is not None:
        try:
            if not match_scope(policy, base).judge(policy.match).value:
                return
        except EvaluationError as error:
            # Nothing changes, but restrictions are judged as if the policy spoke about this import.
            firing.trace.append(RuleTrace(policy.name, Verdict.ERROR, *policy.match.located(error), error.code))
            firing.faults.append(RuleFault(policy.name, error.code))
            changes = False
    scope = policy_scope(policy, base)
    for item in policy.items:
        if isinstance(item, Ladder):
            _climb(item, scope, firing, changes=changes)
        elif changes or item.restricts:
            _try_rule(item, scope, firing)


def _climb(ladder: Ladder, scope: Scope, firing: Firing, *, changes: bool) -> None:
    """Fire the first branch that is true; an error stops the climb, and every restriction from there on applies."""
    gate = _try_when(ladder.gate, scope, firing)
    if gate is None:
        _apply_restrictions(ladder.branches, scope, firing)
    if not gate:
        return
    for position, branch in enumerate(ladder.branches):
        judge = _try_rule if branch.restricts or changes else _try_in_vain
        verdict = judge(branch, scope, firing)
        if verdict is None:
            below = ladder.branches[position + 1 :]
            _apply_restrictions(below, scope, firing)
        if verdict is not False:
            return


def _apply_restrictions(branches: tuple[Rule, ...], scope: Scope, firing: Firing) -> None:
    for branch in branches:
        if branch.restricts:
            firing.faults.append(RuleFault(branch.name, "ladder-stopped", closed=True))
            firing.trace.append(branch.fired)
            firing.fired.append(Fired(branch, scope))


def _try_when(rule: Rule, scope: Scope, firing: Firing) -> bool | None:
    """Return whether the condition holds; None when it failed, which is noted."""
    if rule.when is None:
        return True
    try:
        judgement = scope.judge(rule.when)
    except EvaluationError as error:
        firing.failed(rule, error, rule.when.located(error), closed=rule.restricts)
        return None
    if not judgement.value:
        firing.trace.append(rule.false_at(rule.when, judgement.line, judgement.column))
    return judgement.value


def _try_rule(rule: Rule, scope: Scope, firing: Firing) -> bool | None:
    """Fire the rule if it is true; None when something in it failed."""
    holds = _try_when(rule, scope, firing)
    if holds is None and rule.restricts:
        firing.fired.append(Fired(rule, scope))  # a restriction that cannot be judged applies
    if not holds:
        return holds
    fired = Fired(rule, scope, claims=rule.claim is not None)
    if not _fill(fired, firing):
        return None
    firing.trace.append(rule.fired)
    firing.fired.append(fired)
    return True


def _try_in_vain(rule: Rule, scope: Scope, firing: Firing) -> bool | None:
    """Judge a branch that may change nothing, as if it might: whether the restrictions below it apply depends on it."""
    holds = _try_when(rule, scope, firing)
    return (_fill(Fired(rule, scope), firing) or None) if holds else holds


def _fill(fired: Fired, firing: Firing) -> bool:
    """Evaluate what the rule sets and where it links; it fires whole or not at all."""
    rule = fired.rule
    place: Value | None = None
    try:
        for target, place in rule.sets:
            value = fired.scope.value(place)
            if value is not None:
                fired.values[target] = value
        if rule.action is not None:
            place = rule.action.link
            fired.action = Ending.CREATE if place is None else Ending.LINK
            fired.link_id = "" if place is None else _link_id(fired.scope.value(place))
    except EvaluationError as error:
        located = place.located(error) if isinstance(place, PlacedExpression) else (rule.place.line, rule.place.column)
        firing.failed(rule, error, located)
        return False
    return True


def _link_id(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise EvaluationError(BAD_LINK, "the id to link to must be a text that is not empty")
