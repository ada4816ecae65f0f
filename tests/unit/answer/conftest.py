"""The line with collaborators that keep what they saw, and fail when they are told to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.record import DecisionRecord
from usher.answer.replay import ReplayStore
from usher.bootstrap.schemas import Schemas
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, PolicySet, Stores

NOW = 1_772_442_000_123_456_789  # 2026-03-02T09:00:00.123Z


@dataclass
class Kept:
    """A decision log and a meter; `fault` stands for a full disk or a bug."""

    records: list[DecisionRecord] = field(default_factory=list)
    counted: list[DecisionRecord] = field(default_factory=list)
    replays: int = 0
    log_fault: Exception | None = None
    meter_fault: Exception | None = None

    def append(self, record: DecisionRecord) -> None:
        """Keep the record or fail."""
        if self.log_fault is not None:
            raise self.log_fault
        self.records.append(record)

    def decided(self, record: DecisionRecord) -> None:
        """Count the record or fail."""
        if self.meter_fault is not None:
            raise self.meter_fault
        self.counted.append(record)

    def replayed(self, _decision_id: str) -> None:
        """Count a replay or fail."""
        if self.meter_fault is not None:
            raise self.meter_fault
        self.replays += 1


@dataclass
class World:
    """A line and everything around it. `policies` is the set in force, or what asking for it raises."""

    line: AnswerLine
    kept: Kept
    faults: list[tuple[str, Exception]]
    policies: list[PolicySet | Exception]
    asked: list[int]
    ledger: MemoryLedger


@pytest.fixture(scope="session")
def world(schemas: Schemas, policy_set: Callable[..., PolicySet]) -> Callable[..., World]:
    """Return a maker of lines."""

    def make(
        files: Any,
        *,
        options: AnswerOptions | None = None,
        replay: ReplayStore | None = None,
        on_fault: Callable[[str, Exception], None] | None = None,
        stores: Stores | None = None,
    ) -> World:
        ledger = MemoryLedger()
        stores = stores or Stores(ledger, MemoryDirectory(), DEFAULT_NAMESPACES)
        kept, faults, asked = Kept(), list[tuple[str, Exception]](), list[int]()
        policies: list[PolicySet | Exception] = [policy_set(files, namespaces=stores.namespaces)]

        def in_force() -> PolicySet:
            asked.append(1)
            if isinstance(policies[0], Exception):
                raise policies[0]
            return policies[0]

        line = AnswerLine(
            policies=in_force,
            request_shape=schemas.request,
            response_shape=schemas.response,
            decision_log=kept,
            meter=kept,
            replay=replay or ReplayStore(keep_seconds=600, limit_bytes=1_000_000),
            options=options or AnswerOptions(),
            stores=stores,
            on_fault=on_fault or (lambda decision_id, error: faults.append((decision_id, error))),
            clock=lambda: NOW,
        )
        return World(line, kept, faults, policies, asked, ledger)

    return make
