"""Steps 2 to 4 of a decision: how it ends, which rules fit that ending, what each target gets, what holds the row.

Owns vetoes, overrides and conflicts, each applied to all rules at once, so that their order never matters. Works on
what fired; evaluates nothing but the texts of holds. Belongs to one decision and one thread.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from usher.cel import EvaluationError
from usher.domain.decision import ACTION, Assignment, Conflict, Ending, Hold, RuleFault, RuleTrace, Verdict
from usher.domain.request import LINK_USER, ImportRequest
from usher.engine.firing import Fired, Firing
from usher.engine.values import same_value

ACTION_CONFLICT: Final = "action-conflict"
NOBODY_TO_LINK_TO: Final = "create-vetoed"
CLAIM_PREFIX: Final = "claim."


@dataclass(slots=True)
class Settled:
    """What steps 2 to 4 leave: the ending, the rules that stand, the targets' values, and what holds the row."""

    ending: Ending
    link_id: str
    standing: list[Fired]
    assignments: dict[str, Assignment] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    vetoed: set[str] = field(default_factory=set)


def settle(request: ImportRequest, firing: Firing) -> Settled:
    """Settle everything that needs no claim."""
    settled = _decide_ending(request, firing.fired)
    _drop_unfit(settled, firing)
    _apply_vetoes(settled)
    _apply_overrides(settled.standing)
    _resolve_targets(settled)
    settled.holds.extend(_held(fired, firing) for fired in settled.standing if fired.rule.hold is not None)
    return settled


def _decide_ending(request: ImportRequest, fired: list[Fired]) -> Settled:
    """Step 2: the rules' actions against vetoes and each other, and against what Okta proposes."""
    vetoed = {target for entry in fired for target in entry.rule.veto if target.startswith(f"{ACTION}.")}
    for entry in fired:
        if entry.action is not None and f"{ACTION}.{entry.action}" in vetoed:
            _fall(entry)
    actors = [entry for entry in fired if entry.action is not None]
    overridden = {name for entry in actors for name in entry.rule.overrides}
    for entry in actors:
        if entry.rule.name in overridden:
            _fall(entry)
    wanted = {(entry.action, entry.link_id) for entry in actors if entry.action is not None}
    settled = Settled(Ending.CREATE, "", fired, vetoed=vetoed)
    if len(wanted) > 1:
        settled.holds.append(Hold(ACTION_CONFLICT, "rules disagree on whom to link this person to"))
        settled.conflicts.append(Conflict(ACTION, tuple(sorted(entry.rule.name for entry in actors if entry.action))))
        for entry in actors:
            _fall(entry)
    elif wanted:
        settled.ending, settled.link_id = next((ending, link) for ending, link in wanted)
        return settled
    if request.action == LINK_USER and f"{ACTION}.link" not in vetoed:
        settled.ending, settled.link_id = Ending.LINK, request.matched_user_id
    elif f"{ACTION}.create" in vetoed:
        settled.holds.append(Hold(NOBODY_TO_LINK_TO, "creating this person is vetoed and there is nobody to link to"))
    return settled


def _fall(entry: Fired) -> None:
    """Take everything from a rule: its action and its sets stand or fall together."""
    entry.action = None
    entry.link_id = ""
    entry.values.clear()
    entry.claims = False


def _drop_unfit(settled: Settled, firing: Firing) -> None:
    """Step 3: rules that speak of another ending drop out."""
    unfit = {entry.rule.name for entry in settled.standing if entry.rule.ending not in {None, settled.ending}}
    if unfit:
        firing.trace[:] = [
            RuleTrace(entry.rule, Verdict.UNFIT) if entry.rule in unfit and entry.verdict is Verdict.FIRED else entry
            for entry in firing.trace
        ]
        settled.standing = [entry for entry in settled.standing if entry.rule.name not in unfit]


def _apply_vetoes(settled: Settled) -> None:
    settled.vetoed.update(target for entry in settled.standing for target in entry.rule.veto)
    for entry in settled.standing:
        _lose(entry, settled.vetoed)


def _lose(entry: Fired, targets: Iterable[str]) -> None:
    """Take targets and namespaces from a rule; a claim falls whole when something it feeds is lost."""
    lost = set(targets)
    for target in lost & entry.values.keys():
        del entry.values[target]
    if entry.claims and lost & _claim_keys(entry):
        entry.claims = False


def _claim_keys(entry: Fired) -> set[str]:
    """Return what a rule's claim competes for: its namespaces and the targets it feeds."""
    if not entry.claims or entry.rule.claim is None:
        return set()
    fed = {target for target, _ in entry.rule.claimed_sets}
    return fed | {f"{CLAIM_PREFIX}{namespace}" for namespace in entry.rule.claim.namespaces}


def _apply_overrides(standing: list[Fired]) -> None:
    """When both fire, the overridden rule loses what both have, and nothing else."""
    keys = {entry.rule.name: entry.values.keys() | _claim_keys(entry) for entry in standing}
    by_name = {entry.rule.name: entry for entry in standing}
    losses = [
        (by_name[name], keys[entry.rule.name] & keys[name])
        for entry in standing
        for name in entry.rule.overrides
        if name in by_name
    ]
    for entry, shared in losses:
        _lose(entry, shared)


def _resolve_targets(settled: Settled) -> None:
    """Step 4: one value for each target, or none. A target fed by a claim tolerates no second rule."""
    claimants: dict[str, list[Fired]] = {}
    proposals: dict[str, list[tuple[Fired, object]]] = {}
    for entry in settled.standing:
        for key in _claim_keys(entry):
            claimants.setdefault(key, []).append(entry)
        for target, value in entry.values.items():
            proposals.setdefault(target, []).append((entry, value))
    contested = {key for key, entries in claimants.items() if len(entries) > 1 or key in proposals}
    for key in sorted(contested):
        rules = [entry.rule.name for entry in claimants[key]] + [entry.rule.name for entry, _ in proposals.get(key, ())]
        settled.conflicts.append(Conflict(key, tuple(sorted(rules))))
        for entry in claimants[key]:
            entry.claims = False
    for target, values in proposals.items():
        rules = [entry.rule.name for entry, _ in values]
        if target in contested:
            continue
        if all(same_value(values[0][1], value) for _, value in values):
            settled.assignments[target] = Assignment(target, values[0][1], tuple(rules))
        else:
            settled.conflicts.append(Conflict(target, tuple(sorted(rules))))


def _held(entry: Fired, firing: Firing) -> Hold:
    """Return the hold with its text; the rule's name stands in for a text that fails."""
    name = entry.rule.name
    if entry.rule.hold is None:
        return Hold(name, name)
    try:
        text = entry.scope.value(entry.rule.hold)
    except EvaluationError as error:
        firing.faults.append(RuleFault(name, error.code))
        return Hold(name, name)
    return Hold(name, text if isinstance(text, str) and text else name)
