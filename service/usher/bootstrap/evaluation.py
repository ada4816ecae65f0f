"""Requests decided for the person who asks, without a service: answers, accounts, what shadow policies would do.

Owns the one ledger a row of requests is decided on, and the overlay for shadow policies. One evaluation at a time.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from usher.answer.line import AnswerOptions
from usher.answer.record import DecisionRecord
from usher.answer.reply import Reply
from usher.answer.shadow import shadow_record
from usher.bootstrap.schemas import Schemas
from usher.cel import DEFAULT_LIMITS, Budget, Limits
from usher.domain.request import ImportRequest
from usher.engine import Circumstances, PolicySet, Stores
from usher.engine.overlay import overlaid
from usher.proof.accounts import Accounts, RuleAccount
from usher.proof.found import DECIDED
from usher.proof.rehearsal import Kept, OnFault, Rehearsal
from usher.proof.scene import Observers, Scene
from usher.settings import HoldSettings

EVALUATION_SECONDS: Final = 30.0
"""A person waits at the terminal: longer than the service would, short enough to see a runaway policy."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One answer with its account; `record` is None for what could not be parsed, `shadow` without shadow policies.

    `now` is the moment of the decision in nanoseconds since 1970.
    """

    reply: Reply
    record: DecisionRecord | None
    shadow: DecisionRecord | None
    now: int


class Evaluation:
    """Answers requests one after the other on one ledger, in memory or not: each finds it as the one before left it."""

    def __init__(
        self,
        policy_set: PolicySet,
        schemas: Schemas,
        on_fault: OnFault,
        *,
        stores: Stores,
        hold: HoldSettings,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._policies = policy_set
        self._kept = Kept()
        self._limits = limits
        self._observers = Observers()
        self._stores = stores
        options = AnswerOptions(EVALUATION_SECONDS, hold=hold.answer, quarantine=hold.quarantine, limits=limits)
        rehearsal = Rehearsal(schemas.request, schemas.response, self._stores, options, time.time_ns, on_fault)
        self._line = rehearsal.line(policy_set, self._kept)

    def evaluate(self, body: bytes, *, with_shadow: bool = False) -> Evaluated:
        """Answer one request; `with_shadow` also asks the shadow policies, of which nothing stays."""
        self._kept.records.clear()
        now = self._line.clock()
        line = replace(self._line, clock=lambda: now)
        reply = line.answer(body, time.monotonic())
        record = self._kept.records[-1] if self._kept.records else None
        asked = with_shadow and record is not None and record.outcome in DECIDED
        return Evaluated(reply, record, self._shadow(record, now) if asked and record else None, now)

    def accounts(self, evaluated: Evaluated) -> Iterator[tuple[DecisionRecord, tuple[RuleAccount, ...]]]:
        """Yield the record of the answer, and then of the shadow policies, each with an account of its rules."""
        for record, shadow in ((evaluated.record, False), (evaluated.shadow, True)):
            if record is not None:
                scene = None
                if isinstance(record.input, dict) and not record.faults:
                    scene = Scene(
                        self._policies,
                        record,
                        now=evaluated.now,
                        stores=self._stores,
                        observers=self._observers,
                        limits=self._limits,
                    )
                yield record, tuple(Accounts(self._policies, record, scene).all(shadow=shadow))

    def _shadow(self, record: DecisionRecord, now: int) -> DecisionRecord | None:
        """Return what the shadow policies would have decided, after the answer and on an overlay."""
        if not self._policies.has_shadows or not isinstance(record.input, dict):
            return None
        request = ImportRequest.from_wire(record.input)
        budget = Budget(deadline=time.monotonic() + EVALUATION_SECONDS, limits=self._limits)
        return shadow_record(self._policies, request, record, Circumstances(now, budget, overlaid(self._stores)))
