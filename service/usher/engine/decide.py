"""One decision: a policy set and a request in, a `Decision` out, in the six steps of the design.

Owns the order of the steps. Rules are independent: each sees only the request, so the order of rules and files never
matters. The ledger is written by the claims alone; otherwise a pure function of its arguments. Any thread, any number
at once.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from usher.cel import Budget, EvaluationError
from usher.domain.bounded import bounded
from usher.domain.decision import Decision, Lookup, RuleFault
from usher.domain.request import ImportRequest
from usher.engine.claims import Claimant, Claimed
from usher.engine.firing import Fired, Firing, fire
from usher.engine.lookups import Lookups
from usher.engine.policy import PolicySet
from usher.engine.scope import request_scope
from usher.engine.settle import Settled, settle
from usher.engine.stores import Owner, Stores

Clock = Callable[[], int]
"""Nanoseconds since 1970-01-01T00:00:00Z."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision needs beside policies and request: the moment in nanoseconds, the budget, the stores."""

    now: int
    budget: Budget
    stores: Stores


def decide(
    policies: PolicySet, request: ImportRequest, circumstances: Circumstances, *, shadow: bool = False
) -> Decision:
    """Evaluate every policy in force, or every shadow policy. Raises `BudgetExceeded` when time or steps run out."""
    subject = circumstances.stores.subject(request)
    lookups = Lookups(request, circumstances.stores, _owner(request, subject))
    if circumstances.budget.deadline is not None:
        # No store may outwait the decision: what is left of its time may be less than stores are granted.
        left = max(0.0, circumstances.budget.deadline - time.monotonic())
        lookups.patience.seconds = min(lookups.patience.seconds, left)
    base = request_scope(
        policies, request, now=circumstances.now, budget=circumstances.budget, functions=lookups.functions
    )
    firing = Firing()
    for policy in policies.policies:
        if policy.shadow is shadow:
            fire(policy, base, firing)
    settled = settle(request, firing)
    # Before the claims: what fails here must not leave claims behind that no record tells of.
    published = _published(settled.standing, firing)
    claimed = Claimed()
    began = time.monotonic()
    if not settled.holds:
        lookups.end_with(settled.link_id)
        claimed = Claimant(request, policies.profiles, lookups, firing).make(settled)
    claimed.seconds = time.monotonic() - began
    decision = _decision(policies.revision, settled, claimed, firing, lookups, published)
    return replace(decision, subject=subject)


def owner_of(request: ImportRequest, stores: Stores) -> Owner:
    """Return whom values are claimed for: the row's immutable id, else the event itself, which no two rows share."""
    return _owner(request, stores.subject(request))


def _owner(request: ImportRequest, subject: str) -> Owner:
    held_by = subject or f"event:{request.event_id}"
    return Owner(bounded(str(request.application.get("id", ""))), bounded(held_by))


def _decision(
    revision: str,
    settled: Settled,
    claimed: Claimed,
    firing: Firing,
    lookups: Lookups,
    published: Mapping[str, object],
) -> Decision:
    holds = (*settled.holds, *claimed.holds)
    standing = {entry.rule.name for entry in settled.standing}
    return Decision(
        revision=revision,
        ending=settled.ending,
        link_id=settled.link_id,
        assignments={} if holds else {**settled.assignments, **claimed.assignments},
        trace=tuple(firing.trace),
        conflicts=tuple(sorted(settled.conflicts, key=lambda conflict: conflict.target)),
        faults=tuple(firing.faults),
        holds=tuple(sorted(holds, key=lambda hold: (hold.rule, hold.text))),
        vetoed=tuple(sorted(settled.vetoed)),
        claims=tuple(claimed.traces),
        remembered=tuple(claimed.remembered),
        lookups=_asked(lookups) if lookups.asked else (),
        debug={rule: value for rule, value in published.items() if rule in standing} if published else {},
        claim_seconds=claimed.seconds,
    )


def _asked(lookups: Lookups) -> tuple[Lookup, ...]:
    """Return every question once, with its answer: ids of users, or whether a value is taken."""
    return tuple(
        Lookup(*question, tuple(found) if isinstance(found, list) else found is True)
        for question, found in sorted(lookups.asked.items(), key=lambda asked: asked[0])
    )


def _published(standing: list[Fired], firing: Firing) -> Mapping[str, object]:
    """Return what rules publish on purpose; the rule's name stands in for what fails."""
    published: dict[str, object] = {}
    for entry in standing:
        if entry.rule.debug is not None:
            try:
                published[entry.rule.name] = entry.scope.value(entry.rule.debug)
            except EvaluationError as error:
                firing.faults.append(RuleFault(entry.rule.name, error.code))
                published[entry.rule.name] = entry.rule.name
    return published
