"""The account of one decision in words, and the same as data.

Owns the wording. It shows values, as the person at the terminal asked for them; nothing here reaches a log.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from usher.answer.debug_context import published
from usher.answer.decision_line import account as on_record
from usher.answer.decision_line import claims, lookups, remembered
from usher.answer.record import DecisionRecord
from usher.domain.decision import ACTION, ClaimTrace, Conflict, Ending, Lookup, Outcome, RuleFault, Tried
from usher.engine.settle import CLAIM_PREFIX
from usher.proof.accounts import RuleAccount, Standing
from usher.proof.scene import PlacedReason

MAX_REFUSED: Final = 10
"""How many refused candidates of a claim are told one by one."""
MAX_VALUE_CHARS: Final = 120
MAX_PART_CHARS: Final = 300
_TOLD_OTHERWISE: Final = frozenset({"trace", "hold", "shadow"})
_BECOMES: Final = {Ending.CREATE: "created", Ending.LINK: "linked"}
_REFUSALS: Final = {
    "unfit": "unfit: a target's profile schema refuses it",
    "conflict": "conflict: Okta reports it as taken",
    "reserved": "reserved: the policy never gives it out",
    "held": "held: the ledger has it for somebody else",
    "known": "known: somebody else has it in the directory",
}


def told(record: DecisionRecord, rules: tuple[RuleAccount, ...]) -> Iterator[str]:
    """Yield the account of a decision, line by line."""
    circumstances = f"policies {record.revision}, {record.milliseconds} ms"
    yield f"decision {record.decision_id}: {_ended(record)} ({circumstances})"
    if record.input is None:
        yield "  the request is not on record"
    yield from (f"  request: {fault}" for fault in record.faults)
    yield from _judged(record, rules)
    for kept in record.remembered:
        somebody = ", which somebody else holds: a collision" if kept.collision else ""
        yield f"  remembered: {kept.namespace} {kept.value}{somebody}"
    yield from (f"  {command.type.value}: {dict(command.value)}" for command in record.commands)
    if record.stages:
        yield "  time: " + ", ".join(f"{stage} {spent} ms" for stage, spent in record.stages.items())


def told_of_shadow(record: DecisionRecord, rules: tuple[RuleAccount, ...]) -> Iterator[str]:
    """Yield what the shadow policies would have done; `record` holds their decision, of which nothing was answered."""
    yield f"shadow, not answered: {_ended(record)}"
    yield from _judged(record, rules)
    yield from (f"  would send {command.type.value}: {dict(command.value)}" for command in record.commands)


def as_data(record: DecisionRecord, rules: tuple[RuleAccount, ...]) -> dict[str, object]:
    """Return the account as JSON can hold it; what a record has stands under the names of the decision log."""
    told_on_record = {name: value for name, value in on_record(record).items() if name not in _TOLD_OTHERWISE}
    return {
        **told_on_record,
        "request_on_record": record.input is not None,
        "faults": list(record.faults),
        "rules": [rule_data(account) for account in rules],
        "lookups": lookups(record),
        "holds": [{"rule": hold.rule, "text": hold.text} for hold in record.holds],
        "claims": claims(record),
        "remembered": remembered(record),
        "commands": [command.to_wire() for command in record.commands],
    }


def rule_lines(account: RuleAccount) -> Iterator[str]:
    """Yield what became of one rule, and below it why."""
    place, name = account.place, account.rule
    at = f" at {place if place.file else f'{place.line}:{place.column}'}" if place.line else ""
    known = f" ({place})" if place.line else ""
    match account.standing:
        case Standing.FIRED:
            yield f"{name}: fired{known}"
        case Standing.FALSE:
            yield f"{name}: not fired, false{at}"
        case Standing.ERROR:
            yield f"{name}: failed, {account.code}{at}"
        case Standing.UNFIT:
            yield f"{name}: not applied, it is for rows that end otherwise"
        case Standing.EXHAUSTED:
            yield f"{name}: not fired, no candidate of its claim is free{known}"
        case Standing.UNMATCHED:
            yield f"{name}: not asked, the policy's match is false{at}"
        case Standing.UNREACHED:
            yield f"{name}: not asked" + (f", {account.instead}{at}" if account.instead else "")
    if account.because:
        yield f"  because {account.because}"
    yield from reason_lines(account.reasons)


def reason_lines(reasons: tuple[PlacedReason, ...]) -> Iterator[str]:
    """Yield each part that decided, with the values that made it so; variables at their own place."""
    for depth, placed in enumerate(reasons):
        reason = placed.reason
        where = f" ({placed.file}:{placed.line}:{placed.column})" if depth else ""
        came = f"failed, {reason.code}" if reason.code else f"is {_short(reason.value)}"
        sights = ", ".join(_sight(sight.text, sight.value, sight.note) for sight in reason.sights)
        yield f"  {clipped(reason.text)} {came}{where}" + (f": {sights}" if sights else "")


def _sight(text: str, value: object, note: str) -> str:
    if note == "absent" and value is None:
        return f"{text} is absent"
    return f"{text} = {_short(value)}" + (f" ({note})" if note else "")


def clipped(text: str) -> str:
    """Return a part of a condition, cut where it is longer than anybody reads in a line."""
    return text if len(text) <= MAX_PART_CHARS else f"{text[:MAX_PART_CHARS]}…"


def _short(value: object) -> str:
    """Return a value as JSON, cut where it is long."""
    try:
        shown = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        shown = str(value)
    return shown if len(shown) <= MAX_VALUE_CHARS else f"{shown[:MAX_VALUE_CHARS]}…"


def _ended(record: DecisionRecord) -> str:
    if record.ending is None:
        return record.outcome.value
    becomes = "would be" if record.outcome is Outcome.HOLD else "is"
    return f"{record.outcome.value}, the row {becomes} {_BECOMES[record.ending]}"


def _judged(record: DecisionRecord, rules: tuple[RuleAccount, ...]) -> Iterator[str]:
    """Yield what rules came to, in the order of the steps of a decision."""
    for account in rules:
        if account.standing is not Standing.UNREACHED:
            yield from (f"  {line}" for line in rule_lines(account))
    yield from (f"  {_looked_up(lookup)}" for lookup in record.lookups)
    if record.vetoed:
        yield f"  vetoed: {', '.join(record.vetoed)}"
    yield from (f"  {_conflicting(conflict)}" for conflict in record.conflicts)
    yield from (f"  held by {hold.rule}" + (f": {hold.text}" if hold.text else "") for hold in record.holds)
    for claim in record.claims:
        yield from (f"  {line}" for line in claim_lines(claim))
    failed = {account.rule for account in rules if account.standing is Standing.ERROR}
    yield from (f"  {fault_line(fault)}" for fault in record.errors if adds(fault, failed))
    if record.debug:
        yield f"  debug: {published(record.debug)}"


def _conflicting(conflict: Conflict) -> str:
    rules = ", ".join(conflict.rules)
    if conflict.target == ACTION:
        return f"{conflict.target}: these rules disagree: {rules}"
    if conflict.target.startswith(CLAIM_PREFIX):
        return f"{conflict.target}: nothing is claimed, these rules want it: {rules}"
    return f"{conflict.target}: no command, these rules want different values: {rules}"


def _looked_up(lookup: Lookup) -> str:
    if isinstance(lookup.found, bool):
        found = "held by somebody else" if lookup.found else "free"
    else:
        found = ", ".join(map(str, lookup.found)) or "nobody"
    return f"{lookup.function}({lookup.name!r}, {lookup.value!r}): {found}"


def claim_lines(claim: ClaimTrace) -> Iterator[str]:
    """Yield what a claim tried; a long search is told by its beginning and its length."""
    refused = [tried for tried in claim.tried if tried.refused]
    yield f"{claim.rule} claims:"
    for tried in refused[:MAX_REFUSED]:
        yield f"  {_values(tried)}: {_REFUSALS.get(tried.refused, tried.refused)}"
    if (more := max(0, len(refused) - MAX_REFUSED) + claim.more) > 0:
        yield f"  and {more} more, all refused"
    if claim.granted is not None:
        yield f"  {_granted(claim.granted)}: granted"
    elif len(refused) < len(claim.tried):
        yield f"  {_values(claim.tried[-1])}: free, and given back because another claim found none"
    else:
        yield "  none is free"


def _granted(values: Mapping[str, str]) -> str:
    return ", ".join(f"{namespace} {value}" for namespace, value in values.items())


def _values(tried: Tried) -> str:
    return _granted(tried.values)


def adds(fault: RuleFault, failed: set[str]) -> bool:
    """Say whether a fault tells more than the trace of its rule does."""
    return bool(fault.target) or fault.closed or fault.rule not in failed


def fault_line(fault: RuleFault) -> str:
    """Return what a fault means that the trace of its rule does not tell."""
    if fault.target:
        return f"{fault.target}: no command, the value of {fault.rule} breaks the profile schema"
    if fault.closed:
        return f"{fault.rule}: applies because it could not be judged ({fault.code})"
    return f"{fault.rule}: its text or its debug failed ({fault.code}), its name stands in"


def rule_data(account: RuleAccount) -> dict[str, object]:
    """Return the account of one rule as JSON can hold it."""
    return {
        "rule": account.rule,
        "standing": account.standing.value,
        "file": account.place.file,
        "line": account.place.line,
        "column": account.place.column,
        "code": account.code,
        "because": account.because,
        "instead": account.instead,
        "reasons": [_reason_data(placed) for placed in account.reasons],
    }


def _reason_data(placed: PlacedReason) -> dict[str, object]:
    reason = placed.reason
    return {
        "file": placed.file,
        "line": placed.line,
        "column": placed.column,
        "text": reason.text,
        "value": _plain(reason.value),
        "code": reason.code,
        "values": [{"text": sight.text, "value": _plain(sight.value), "note": sight.note} for sight in reason.sights],
    }


def _plain(value: object) -> object:
    """Return a value as JSON can hold it; what it cannot say stands as text."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)
    return value
