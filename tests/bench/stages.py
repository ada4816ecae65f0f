"""What each step of a decision costs, in microseconds, on the guide's case; in this process, one thread.

The steps are timed one after the other on a request that is new each time, as the line runs them: repeated by itself on
the same objects a step looks a third cheaper than it is, since everything it touches is warm.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import cast

from tests.integration.payloads import GUIDE_CASE
from usher.adapters.decision_log import DecisionLog
from usher.adapters.metrics import Metrics
from usher.adapters.redaction import Redactor
from usher.answer import wire
from usher.answer.debug_context import debug_context
from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.own_answer import checked_bytes
from usher.answer.record import DecisionRecord
from usher.answer.render import Rendered, render
from usher.answer.replay import ReplayStore
from usher.bootstrap.schemas import Schemas, load_schemas
from usher.bootstrap.shipped import shipped_policies, shipped_schemas
from usher.cel import Budget
from usher.domain.decision import Decision, Outcome
from usher.domain.request import ImportRequest
from usher.engine import (
    DEFAULT_NAMESPACES,
    Circumstances,
    MemoryDirectory,
    MemoryLedger,
    PolicySet,
    Stores,
    decide,
    load_policies,
)

CALLS = 4000
EVENT_ID = b"uxYHqVWSTrOXAE8KQiKYfQ"
_MINUTE_SECONDS = 60.0


@dataclass(slots=True)
class Case:
    """One request on its way; each step adds what it made."""

    body: bytes
    wire: dict[str, object] = field(default_factory=dict)
    request: ImportRequest = field(init=False)
    decision: Decision = field(init=False)
    rendered: Rendered = field(init=False)
    answer: dict[str, object] = field(default_factory=dict)


class Steps:
    """The steps of the line, one by one."""

    def __init__(self, policies: PolicySet, schemas: Schemas, log: DecisionLog, metrics: Metrics) -> None:
        self.policies = policies
        self.schemas = schemas
        self.log = log
        self.metrics = metrics
        self.now = time.time_ns()
        self.stores = Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES)

    def parse(self, case: Case) -> None:
        """Turn bytes into JSON."""
        case.wire = cast("dict[str, object]", wire.parse(case.body))

    def validate(self, case: Case) -> None:
        """Look at it with the request schema."""
        assert not self.schemas.request.faults(case.wire)

    def decide(self, case: Case) -> None:
        """Ask the policies."""
        case.request = ImportRequest.from_wire(case.wire)
        budget = Budget(deadline=time.monotonic() + _MINUTE_SECONDS)
        case.decision = decide(self.policies, case.request, Circumstances(self.now, budget, self.stores))

    def render(self, case: Case) -> None:
        """Make Okta's commands and what its System Log may know."""
        case.rendered = render(case.decision, case.request, self.policies.profiles)
        case.answer["commands"] = [command.to_wire() for command in case.rendered.commands]
        case.answer["debugContext"] = debug_context(case.decision, "01a206a48a2606c0dac2f75049")

    def check(self, case: Case) -> None:
        """Look at the response schema, the order of commands, the size; make bytes."""
        checked_bytes(case.answer, self.schemas.response)

    def record(self, case: Case) -> None:
        """Redact and write the decision log, count."""
        record = DecisionRecord(
            decision_id="01a206a48a2606c0dac2f75049",
            timestamp="2026-03-02T09:00:00.000Z",
            event_id=case.request.event_id,
            application=case.request.application,
            subject=str(case.request.app_user["externalId"]),
            revision=self.policies.revision,
            input=case.wire,
            trace=case.decision.trace,
            commands=case.rendered.commands,
            conflicts=(),
            errors=(),
            faults=(),
            outcome=Outcome.COMMANDS,
            milliseconds=0.321,
        )
        self.log.append(record)
        self.metrics.decided(record)

    def in_order(self) -> tuple[Callable[[Case], None], ...]:
        """Return all of them."""
        return self.parse, self.validate, self.decide, self.render, self.check, self.record


def wired(folder: Path) -> tuple[Steps, AnswerLine]:
    """Return the steps, and the line made of them as the service makes it; both write to a log in the folder."""
    schemas = load_schemas(shipped_schemas())
    policies = load_policies(shipped_policies(), shape=schemas.policy, profiles=schemas.profiles).policy_set
    assert policies is not None
    public = policies.profiles
    redactor = Redactor(bytes(32), public_user=public.user.public, public_app_user=public.app_user.public)
    metrics = Metrics(version="0", revision=policies.revision)
    log = DecisionLog(folder / "decisions.jsonl", redactor, metrics.lost)
    line = AnswerLine(
        policies=lambda: policies,
        request_shape=schemas.request,
        response_shape=schemas.response,
        decision_log=log,
        meter=metrics,
        replay=ReplayStore(keep_seconds=600, limit_bytes=64 * 1_048_576),
        options=AnswerOptions(),
        stores=Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES),
        on_fault=_raise,
    )
    return Steps(policies, schemas, log, metrics), line


def costs(steps: Steps, line: AnswerLine, *, calls: int) -> tuple[dict[str, float], float]:
    """Return the median cost of each step and of the whole line, in microseconds; the two are measured in turns."""
    before, event_id, after = GUIDE_CASE.read_bytes().partition(EVENT_ID)
    assert event_id
    clock = time.perf_counter_ns
    taken: dict[str, list[int]] = {step.__name__: [] for step in steps.in_order()}
    whole: list[int] = []
    for number in range(2 * calls):
        body = b"%s%022d%s" % (before, number, after)
        since = clock()
        if number % 2:
            line.answer(body, time.monotonic())
            whole.append(clock() - since)
            continue
        case = Case(body)
        for step in steps.in_order():
            since = clock()
            step(case)
            taken[step.__name__].append(clock() - since)
    return {name: median(times) / 1000 for name, times in taken.items()}, median(whole) / 1000


def main(*, calls: int = CALLS) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        steps, line = wired(Path(folder))
        by_step, whole = costs(steps, line, calls=calls)
        steps.log.close()
    print(f"\nCost of a decision by stage, in µs (medians of {calls})")
    for name, cost in by_step.items():
        print(f"  {name:<10}{cost:8.1f}")
    print(f"  {'the rest':<10}{whole - sum(by_step.values()):8.1f}   replay store, ids, clock, deadline")
    print(f"  {'whole line':<10}{whole:8.1f}")


def _raise(decision_id: str, error: Exception) -> None:
    raise AssertionError(decision_id) from error


if __name__ == "__main__":
    main()
