"""The line for every door but `serve`: the same steps, with nothing written and nothing kept beyond the evaluation.

Owns the throw-away collaborators, and what shadow policies would have done. One evaluation at a time.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.record import DecisionRecord, judgement
from usher.answer.render import render
from usher.answer.replay import ReplayStore
from usher.answer.reply import Reply
from usher.bootstrap.schemas import Schemas
from usher.cel import DEFAULT_LIMITS, Budget, BudgetExceeded, Limits
from usher.domain.decision import Outcome
from usher.domain.request import ImportRequest
from usher.engine import Circumstances, MemoryDirectory, MemoryLedger, Namespace, PolicySet, Stores, decide
from usher.settings import HoldSettings

EVALUATION_SECONDS: Final = 30.0
"""A person waits at the terminal: longer than the service would, short enough to see a runaway policy."""
DECIDED: Final = frozenset({Outcome.DEFAULT, Outcome.COMMANDS, Outcome.HOLD})

OnFault = Callable[[str, Exception], None]


class KeptInMemory:
    """A decision log and a meter with state one can look at."""

    def __init__(self) -> None:
        self.records: list[DecisionRecord] = []

    def append(self, record: DecisionRecord) -> None:
        """Keep the record."""
        self.records.append(record)

    def decided(self, record: DecisionRecord) -> None:
        """Count nothing."""

    def replayed(self) -> None:
        """Count nothing."""


def evaluation_line(
    policy_set: PolicySet,
    schemas: Schemas,
    kept: KeptInMemory,
    on_fault: OnFault,
    *,
    stores: Stores,
    hold: HoldSettings | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> AnswerLine:
    """Return a line that answers as the service would and leaves its records in `kept`."""
    hold = hold or HoldSettings()
    return AnswerLine(
        policies=lambda: policy_set,
        request_shape=schemas.request,
        response_shape=schemas.response,
        decision_log=kept,
        meter=kept,
        replay=ReplayStore(keep_seconds=0, limit_bytes=0),
        options=AnswerOptions(EVALUATION_SECONDS, hold=hold.answer, quarantine=hold.quarantine, limits=limits),
        stores=stores,
        on_fault=on_fault,
    )


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
    """Answers requests one after the other on one ledger in memory: each finds it as the one before left it."""

    def __init__(
        self,
        policy_set: PolicySet,
        schemas: Schemas,
        on_fault: OnFault,
        *,
        namespaces: Mapping[str, Namespace],
        directory: MemoryDirectory,
        hold: HoldSettings,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._policies = policy_set
        self._ledger = MemoryLedger()
        self._kept = KeptInMemory()
        self._limits = limits
        self.stores = Stores(self._ledger, directory, namespaces)
        self._line = evaluation_line(
            policy_set, schemas, self._kept, on_fault, stores=self.stores, hold=hold, limits=limits
        )

    def evaluate(self, body: bytes, *, with_shadow: bool = False) -> Evaluated:
        """Answer one request; `with_shadow` also asks the shadow policies, of which nothing stays."""
        self._kept.records.clear()
        now = self._line.clock()
        line = replace(self._line, clock=lambda: now)
        reply = line.answer(body, time.monotonic())
        record = self._kept.records[-1] if self._kept.records else None
        asked = with_shadow and record is not None and record.outcome in DECIDED
        return Evaluated(reply, record, self._shadow(record, now) if asked and record else None, now)

    def _shadow(self, record: DecisionRecord, now: int) -> DecisionRecord | None:
        """Return what the shadow policies would have decided, after the answer and on a copy of the ledger."""
        if not any(policy.shadow for policy in self._policies.policies) or not isinstance(record.input, dict):
            return None
        request = ImportRequest.from_wire(record.input)
        overlay = replace(self.stores, ledger=MemoryLedger(self._ledger.held))
        circumstances = Circumstances(
            now, Budget(deadline=time.monotonic() + EVALUATION_SECONDS, limits=self._limits), overlay
        )
        try:
            decision = decide(self._policies, request, circumstances, shadow=True)
        except BudgetExceeded:
            return replace(record, outcome=Outcome.UNDECIDED, commands=(), **judgement(None))
        if decision.holds:
            return replace(record, outcome=Outcome.HOLD, commands=(), **judgement(decision))
        rendered = render(decision, request, self._policies.profiles)
        decision = replace(decision, faults=(*decision.faults, *rendered.faults))
        outcome = Outcome.COMMANDS if rendered.commands else Outcome.DEFAULT
        return replace(record, outcome=outcome, commands=rendered.commands, **judgement(decision))
