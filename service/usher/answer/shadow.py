"""Shadow policies on live traffic: decided after the answer has left, on an overlay, put on record, never answered.

Owns what a shadow decision is and what it would have changed. Called on the worker thread that gave the answer, which
is free by then; nothing here may reach the caller. Holds no state of a request.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from usher.answer.record import DecisionLog, DecisionRecord, judgement
from usher.answer.render import render
from usher.cel import DEFAULT_LIMITS, Budget, BudgetExceeded, Limits
from usher.domain.command import Command, CommandType
from usher.domain.decision import ACTION, Decision, Outcome
from usher.domain.request import ImportRequest
from usher.engine import Circumstances, PolicySet, Stores, decide
from usher.engine.overlay import overlaid
from usher.engine.values import same_value

SECONDS: Final = 1.0
"""A worker that looks at a shadow answers nobody meanwhile."""
_ROOTS: Final = {CommandType.USER_PROFILE: "user", CommandType.APP_PROFILE: "appuser"}


class ShadowMeter(Protocol):
    """Counts what shadow policies would do; called from any worker thread, never raises."""

    def shadowed(self, record: DecisionRecord, targets: tuple[str, ...]) -> None:
        """Count one shadow decision and the targets it would have changed."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """Looks at answered requests with the shadow policies of the set that answered."""

    decision_log: DecisionLog
    meter: ShadowMeter
    stores: Stores
    on_fault: Callable[[str, Exception], None]
    limits: Limits = DEFAULT_LIMITS

    def after(
        self, policies: PolicySet, request: ImportRequest, record: DecisionRecord, now: int
    ) -> Callable[[], None] | None:
        """Return what is to be done once the answer has left; None without shadow policies. It never raises."""
        if not policies.has_shadows:
            return None

        def look() -> None:
            try:
                budget = Budget(deadline=time.monotonic() + SECONDS, limits=self.limits)
                made = shadow_record(policies, request, record, Circumstances(now, budget, overlaid(self.stores)))
                # What was asked stands on record once, with the answer.
                self.decision_log.append(replace(made, input=None))
                self.meter.shadowed(made, tuple(changed(record, made)))
            except Exception as error:  # noqa: BLE001 - nobody waits for this, and the next request must be served
                with suppress(Exception):
                    self.on_fault(record.decision_id, error)

        return look


def shadow_record(
    policies: PolicySet, request: ImportRequest, record: DecisionRecord, circumstances: Circumstances
) -> DecisionRecord:
    """Return what the shadow policies decide about a request that was answered; `record` is the answer's."""
    began = time.monotonic()
    try:
        decision = decide(policies, request, circumstances, shadow=True)
    except BudgetExceeded:
        return _shadow(record, Outcome.UNDECIDED, None, (), began)
    if decision.holds:
        return _shadow(record, Outcome.HOLD, decision, (), began)
    rendered = render(decision, request, policies.profiles)
    decision = replace(decision, faults=(*decision.faults, *rendered.faults))
    outcome = Outcome.COMMANDS if rendered.commands else Outcome.DEFAULT
    return _shadow(record, outcome, decision, rendered.commands, began)


def changed(answered: DecisionRecord, shadow: DecisionRecord) -> Iterator[str]:
    """Yield the targets that would have ended otherwise, `action` among them, had the shadow policies been in force."""
    if answered.holds:
        return  # a hold ends a decision, whatever else fires
    sent = _sent(answered)
    # What stands in the profile already is never sent, so what is sent differs from that.
    yield from (target for target, value in _sent(shadow).items() if not same_value(value, sent.get(target)))
    yield from (target for target in shadow.vetoed if target in sent)
    moves = _moves(shadow)
    if shadow.holds or f"{ACTION}.{answered.ending}" in shadow.vetoed or (moves and moves != _moves(answered)):
        yield ACTION


def _moves(record: DecisionRecord) -> list[Command]:
    return [command for command in record.commands if command.type in {CommandType.ACTION, CommandType.LINK}]


def _sent(record: DecisionRecord) -> dict[str, object]:
    return {
        f"{_ROOTS[command.type]}.{attribute}": value
        for command in record.commands
        if command.type in _ROOTS
        for attribute, value in command.value.items()
    }


def _shadow(
    record: DecisionRecord, outcome: Outcome, decision: Decision | None, commands: tuple[Command, ...], began: float
) -> DecisionRecord:
    milliseconds = round((time.monotonic() - began) * 1000, 3)
    return replace(
        record,
        outcome=outcome,
        commands=commands,
        milliseconds=milliseconds,
        stages={},
        shadow=True,
        **judgement(decision),
    )
