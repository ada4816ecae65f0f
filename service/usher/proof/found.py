"""What came out of one request, in the words of a policy test.

Owns how each word is read off a decision's record and its answer. Pure functions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from usher.answer.record import DecisionRecord
from usher.answer.reply import Reply
from usher.domain.command import CommandType
from usher.domain.decision import Ending, Outcome, Verdict
from usher.domain.request import ImportRequest

DECIDED = frozenset({Outcome.DEFAULT, Outcome.COMMANDS, Outcome.HOLD})
_ROOTS = {CommandType.APP_PROFILE: "appuser", CommandType.USER_PROFILE: "user"}


@dataclass(frozen=True, slots=True)
class Found:
    """What came out: lists are sorted, `set` by target, the rest by namespace."""

    fired: tuple[str, ...]
    set: Mapping[str, object]
    action: object
    hold: tuple[str, ...]
    vetoed: tuple[str, ...]
    conflicts: tuple[str, ...]
    errors: tuple[str, ...]
    claims: Mapping[str, object]
    remembered: Mapping[str, object]
    collisions: Mapping[str, object]
    response: object


def found_in(record: DecisionRecord, reply: Reply, request: ImportRequest) -> Found:
    """Read what came out of a decision."""
    answer = json.loads(reply.body)
    answer.pop("debugContext", None)
    return Found(
        fired=tuple(sorted(entry.rule for entry in record.trace if entry.verdict is Verdict.FIRED)),
        set={
            f"{_ROOTS[command.type]}.{attribute}": value
            for command in record.commands
            if command.type in _ROOTS
            for attribute, value in command.value.items()
        },
        action=_action(record, request),
        hold=tuple(hold.text for hold in record.holds),
        vetoed=tuple(sorted(record.vetoed)),
        conflicts=tuple(sorted({conflict.target for conflict in record.conflicts})),
        errors=tuple(sorted({fault.rule for fault in record.errors})),
        claims={name: value for claim in record.claims for name, value in (claim.granted or {}).items()},
        remembered={kept.namespace: kept.value for kept in record.remembered if not kept.collision},
        collisions={kept.namespace: kept.value for kept in record.remembered if kept.collision},
        response=answer,
    )


def _action(record: DecisionRecord, request: ImportRequest) -> object:
    """Return how the decision ends: `create`, or `{link: id}`; no command is sent where Okta links there already."""
    if record.ending is not Ending.LINK:
        return "create"
    sent = next((command.value["id"] for command in record.commands if command.type is CommandType.LINK), None)
    return {"link": request.matched_user_id if sent is None else sent}


def expectation_of(found: Found) -> dict[str, object]:
    """Return what came out as a test expects it: rules, values and ending always, the rest where there is any."""
    expected: dict[str, object] = {"fired": list(found.fired), "set": dict(found.set), "action": found.action}
    if found.hold:
        expected["hold"] = found.hold[0] if len(found.hold) == 1 else True
    for name in ("vetoed", "conflicts", "errors"):
        if listed := getattr(found, name):
            expected[name] = list(listed)
    for name in ("claims", "remembered", "collisions"):
        if by_namespace := getattr(found, name):
            expected[name] = dict(by_namespace)
    return expected
