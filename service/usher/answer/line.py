"""The straight line: bytes → parse → validate → decide → render → check own answer → record → bytes.

Owns the order of the steps and the promise that every call is answered, in time, whatever fails. Every collaborator
is an argument. One
`AnswerLine` serves all worker threads; it holds no state of a request.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from usher.answer import wire
from usher.answer.call import Call, OutOfTimeError, WaitedTooLongError
from usher.answer.debug_context import cut_text, debug_context
from usher.answer.okta_error import ErrorCause, error_body, error_object
from usher.answer.own_answer import checked_bytes
from usher.answer.record import QUEUE, DecisionLog, DecisionRecord, Meter
from usher.answer.render import quarantine, render
from usher.answer.replay import ReplayStore
from usher.answer.reply import Reply
from usher.answer.shadow import Shadow
from usher.cel import DEFAULT_LIMITS, Budget, BudgetExceeded, Limits
from usher.domain.command import Command
from usher.domain.decision import Decision, Outcome
from usher.domain.request import EVENT_TYPE, ImportRequest
from usher.engine import Circumstances, Clock, PolicySet, Stores, decide
from usher.engine.stores import UNAVAILABLE
from usher.errors import UsherError
from usher.shapes import Fault, Shape

MAX_CAUSES: Final = 50
HOLD_SUMMARY: Final = "This import waits for a person to decide."
INVALID_SUMMARY: Final = "The import request breaks the request schema; no policy was asked."
UNDECIDED_SUMMARY: Final = "Usher could not decide this import; resolve it by hand."
NOT_PARSABLE_SUMMARY: Final = "The request could not be parsed."


class OutsideFaultError(UsherError):
    """Something failed around the line, in the web room."""


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How the line answers what is not simply decided.

    `deadline_seconds` and `queue_seconds`, which a call may wait to be taken up, count from the arrival of the body;
    `undecided` is the answer when there is none in time. A held row is answered with an error, or created with the
    attributes in `quarantine` (Okta attribute → value).
    """

    deadline_seconds: float = 2.0
    queue_seconds: float = 1.5
    undecided: Literal["error", "default"] = "error"
    hold: Literal["error", "quarantine"] = "error"
    quarantine: Mapping[str, object] = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLine:
    """Answers import requests.

    `policies` returns the set in force and is called once per request. `on_fault` hears of every failure, with the
    decision id and the cause.
    """

    policies: Callable[[], PolicySet]
    request_shape: Shape
    response_shape: Shape
    decision_log: DecisionLog
    meter: Meter
    replay: ReplayStore
    options: AnswerOptions
    stores: Stores
    on_fault: Callable[[str, Exception], None]
    shadow: Shadow | None = None
    clock: Clock = time.time_ns

    def answer(self, body: bytes, arrived: float, taken_up: float | None = None) -> Reply:
        """Answer one call. Never raises.

        By `time.monotonic()` its body was complete at `arrived`, and it was taken up at `taken_up`, now if not said.
        """
        waited = (time.monotonic() if taken_up is None else taken_up) - arrived
        call = Call(self.clock(), arrived, arrived + self.options.deadline_seconds, waited_seconds=waited)
        try:
            return self._answer(body, call)
        except Exception as error:  # noqa: BLE001 - a call without an answer creates a duplicate person
            return self._undecided(call, error)

    def undecided(self) -> Reply:
        """Answer a call that failed outside the line, whose cause was reported there. Never raises."""
        arrived = time.monotonic()
        call = Call(self.clock(), arrived, arrived)
        return self._undecided(call, OutsideFaultError("a fault outside the line"))

    def _answer(self, body: bytes, call: Call) -> Reply:
        call.check_deadline()
        policies = self.policies()
        call.revision = policies.revision
        call.policies = policies
        key = self.replay.key(body, policies.revision)
        if (known := self.replay.find(key)) is not None:
            self.meter.replayed(known.decision_id or "")
            return replace(known, replayed=True)
        call.check_wait(self.options.queue_seconds)
        try:
            call.input = wire.parse(body)
            call.input_bytes = len(body)
        except wire.NotParsableError as error:
            return Reply(400, _refusal(error), None, None)
        call.passed("parse")
        if faults := self.request_shape.faults(call.input):
            reply = self._invalid(faults, call)
        else:
            reply = self._decided(policies, call)
        # What a store kept from being decided must not be said again once it could be.
        return reply if _missed_a_store(call.decision) else self.replay.keep(key, reply)

    def _decided(self, policies: PolicySet, call: Call) -> Reply:
        call.passed("validate")
        request = ImportRequest.from_wire(call.input)  # type: ignore[arg-type]  # the request schema says it is an object
        call.request = request
        circumstances = Circumstances(call.now, Budget(deadline=call.deadline, limits=self.options.limits), self.stores)
        decision = call.decision = decide(policies, request, circumstances)
        call.passed("decide", within={"claim": decision.claim_seconds})
        if decision.holds:
            return self._held(decision, request, call)
        rendered = render(decision, request, policies.profiles)
        decision = replace(decision, faults=(*decision.faults, *rendered.faults)) if rendered.faults else decision
        call.passed("render")
        outcome = Outcome.COMMANDS if rendered.commands else Outcome.DEFAULT
        says_something = decision.fired or decision.faults or decision.conflicts or decision.vetoed
        context = debug_context(decision, call.decision_id) if says_something else None
        return self._send(outcome, decision, _answer_of(rendered.commands, context), rendered.commands, call)

    def _held(self, decision: Decision, request: ImportRequest, call: Call) -> Reply:
        """Answer a held row: one cause per hold, or the quarantine the settings describe."""
        context = debug_context(decision, call.decision_id)
        if self.options.hold == "quarantine":
            commands = quarantine(self.options.quarantine, request)
            return self._send(Outcome.HOLD, decision, _answer_of(commands, context), commands, call)
        causes = [ErrorCause(cut_text(hold.text), hold.rule, "body", "$.data") for hold in decision.holds[:MAX_CAUSES]]
        answer = {"error": error_object(HOLD_SUMMARY, causes), "debugContext": context}
        return self._send(Outcome.HOLD, decision, answer, (), call)

    def _send(
        self,
        outcome: Outcome,
        decision: Decision,
        answer: Mapping[str, object],
        commands: tuple[Command, ...],
        call: Call,
    ) -> Reply:
        """Check our own answer, record it, and let it go."""
        body = checked_bytes(answer, self.response_shape)
        call.passed("check")
        call.check_deadline()
        record = call.record(outcome, decision=decision, commands=commands)
        self._record(record)
        return Reply(200, body, call.decision_id, outcome, afterwards=self._afterwards(record, call))

    def _afterwards(self, record: DecisionRecord, call: Call) -> Callable[[], None] | None:
        if self.shadow is None or call.request is None or call.policies is None:
            return None
        return self.shadow.after(call.policies, call.request, record, call.now)

    def _invalid(self, faults: tuple[Fault, ...], call: Call) -> Reply:
        causes = [
            ErrorCause(f"{fault.json_path} {fault.message}", fault.code, "body", fault.json_path)
            for fault in faults[:MAX_CAUSES]
        ]
        answer = {"error": error_object(_invalid_summary(call.input), causes)}
        body = checked_bytes(answer, self.response_shape)
        call.check_deadline()
        self._record(call.record(Outcome.INVALID, faults=tuple(f"{fault.json_path}: {fault.code}" for fault in faults)))
        return Reply(200, body, call.decision_id, Outcome.INVALID)

    def _undecided(self, call: Call, error: Exception) -> Reply:
        """Answer what could not be decided. Nothing here may depend on what failed."""
        with suppress(Exception):
            self.on_fault(call.decision_id, error)
        cause = _cause_of(error)
        with suppress(Exception):
            self._record(call.record(Outcome.UNDECIDED, cause=cause.reason))
        body = b"{}" if self.options.undecided == "default" else error_body(UNDECIDED_SUMMARY, [cause])
        return Reply(200, body, call.decision_id, Outcome.UNDECIDED)

    def _record(self, record: DecisionRecord) -> None:
        """Keep and count; a collaborator that breaks its promise not to raise must not cost a finished answer."""
        for keep in (self.decision_log.append, self.meter.decided):
            try:
                keep(record)
            except Exception as error:  # noqa: BLE001 - see above
                with suppress(Exception):
                    self.on_fault(record.decision_id, error)


def _answer_of(commands: tuple[Command, ...], context: Mapping[str, object] | None) -> dict[str, object]:
    """Return an answer with what there is to say; `{}` leaves everything to Okta."""
    answer: dict[str, object] = {}
    if commands:
        answer["commands"] = [command.to_wire() for command in commands]
    if context is not None:
        answer["debugContext"] = context
    return answer


def _invalid_summary(body: object) -> str:
    event_type = body.get("eventType") if isinstance(body, Mapping) else None
    if isinstance(event_type, str) and event_type != EVENT_TYPE:
        return f"This service answers {EVENT_TYPE} and no other event."
    return INVALID_SUMMARY


def _cause_of(error: Exception) -> ErrorCause:
    if isinstance(error, WaitedTooLongError):
        return ErrorCause("Too many calls were waiting.", QUEUE, "body", "$")
    if isinstance(error, OutOfTimeError) or (isinstance(error, BudgetExceeded) and error.code == "deadline"):
        return ErrorCause("There was not enough time.", "deadline", "body", "$")
    if isinstance(error, BudgetExceeded):
        return ErrorCause("The policies take more work than a decision may.", error.code, "body", "$")
    return ErrorCause("An internal fault.", "internal-fault", "body", "$")


def _refusal(error: wire.NotParsableError) -> bytes:
    where = f" at line {error.line}, column {error.column}" if error.line else ""
    return error_body(NOT_PARSABLE_SUMMARY, [ErrorCause(f"{error}{where}", error.code, "body", "$")])


def _missed_a_store(decision: Decision | None) -> bool:
    return decision is not None and any(fault.code in UNAVAILABLE for fault in decision.faults)
