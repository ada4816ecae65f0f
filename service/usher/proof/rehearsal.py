"""The line for every door but `serve`: the same steps, with nothing written and nothing kept beyond the rehearsal.

Owns the throw-away collaborators. A `Kept` belongs to the thread that rehearses.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.record import DecisionRecord
from usher.answer.replay import ReplayStore
from usher.domain.request import ImportRequest
from usher.engine import Clock, PolicySet, Stores
from usher.errors import UsherError
from usher.proof.fixtures import Wire
from usher.proof.found import Found, found_in
from usher.proof.world import World
from usher.shapes import Shape

OnFault = Callable[[str, Exception], None]


class NoDecisionError(UsherError):
    """What was to be decided cannot be read as a request, so there is no decision of it."""


class Kept:
    """A decision log and a meter with state one can look at."""

    def __init__(self) -> None:
        self.records: list[DecisionRecord] = []

    def append(self, record: DecisionRecord) -> None:
        """Keep the record."""
        self.records.append(record)

    def decided(self, record: DecisionRecord) -> None:
        """Count nothing."""

    def replayed(self, decision_id: str) -> None:
        """Count nothing."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a line needs beside policies: schemas, stores, how it answers, the clock, and where faults go."""

    request: Shape
    response: Shape
    stores: Stores
    options: AnswerOptions
    clock: Clock
    on_fault: OnFault

    def line(self, policy_set: PolicySet, kept: Kept) -> AnswerLine:
        """Return a line that answers as the service would and leaves its records in `kept`."""
        return AnswerLine(
            policies=lambda: policy_set,
            request_shape=self.request,
            response_shape=self.response,
            decision_log=kept,
            meter=kept,
            replay=ReplayStore(keep_seconds=0, limit_bytes=0),
            options=self.options,
            stores=self.stores,
            on_fault=self.on_fault,
            clock=self.clock,
        )


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One request decided without a service: its record, and what came out in the words of a policy test."""

    record: DecisionRecord
    found: Found


def rehearse(policy_set: PolicySet, wire: Wire, world: World, *, now: int, stores: Stores) -> Rehearsed:
    """Decide one request; `now` is in nanoseconds since 1970. Raises `NoDecisionError`."""
    kept = Kept()
    options = AnswerOptions(world.decision_seconds, limits=world.limits)
    rehearsal = Rehearsal(world.request, world.response, stores, options, lambda: now, lambda *_: None)
    reply = rehearsal.line(policy_set, kept).answer(json.dumps(wire).encode(), time.monotonic())
    if not kept.records:  # answered before anybody was asked
        raise NoDecisionError("its input is no JSON that the service would read")
    record = kept.records[-1]
    return Rehearsed(record, found_in(record, reply, ImportRequest.from_wire(wire)))
