"""A decision record as plain data, in two parts: the account, which names no person, and what may hold profile values.

Owns the field names of design section 11; `schemas/decision.schema.json` describes them. Pure functions.
"""

from typing import Final

from usher.answer.debug_context import published
from usher.answer.record import DecisionRecord

MAX_TRIED: Final = 50
"""How many candidates of a claim are told one by one: a counter may try a thousand, each of which costs a hash."""


def account(record: DecisionRecord) -> dict[str, object]:
    """Return the fields that hold ids, names of rules, targets and codes only, and what a rule's `debug` publishes."""
    return {
        "decision_id": record.decision_id,
        "timestamp": record.timestamp,
        "event_id": record.event_id,
        "revision": record.revision,
        "outcome": record.outcome.value,
        "milliseconds": record.milliseconds,
        "stages": dict(record.stages),
        "trace": {entry.rule: str(entry) for entry in record.trace},
        "conflicts": [{"target": conflict.target, "rules": list(conflict.rules)} for conflict in record.conflicts],
        "errors": [
            {"rule": fault.rule, "code": fault.code, "target": fault.target, "closed": fault.closed}
            for fault in record.errors
        ],
        "ending": record.ending.value if record.ending else "",
        "vetoed": list(record.vetoed),
        # APPSEC: the rule alone: a hold's text is written for Okta's console and may quote a profile.
        "hold": [hold.rule for hold in record.holds],
        "debug": published(record.debug) if record.debug else {},
        "shadow": record.shadow,
    }


def in_clear(record: DecisionRecord) -> dict[str, object]:
    """Return the fields that may hold profile values, as they are."""
    return {
        "application": dict(record.application),
        "subject": record.subject,
        "faults": list(record.faults),
        "commands": [command.to_wire() for command in record.commands],
        "lookups": lookups(record),
        "claims": claims(record),
        "remembered": remembered(record),
        "input": record.input,
    }


def lookups(record: DecisionRecord) -> list[object]:
    """Return the questions to directory and ledger, with ids of users or whether a value was taken."""
    return [
        {
            "function": lookup.function,
            "name": lookup.name,
            "value": lookup.value,
            "found": list(lookup.found) if isinstance(lookup.found, tuple) else lookup.found,
        }
        for lookup in record.lookups
    ]


def claims(record: DecisionRecord) -> list[object]:
    """Return each claim with its first candidates, how many more there were, and what was granted."""
    return [
        {
            "rule": claim.rule,
            "tried": [{"values": dict(tried.values), "refused": tried.refused} for tried in claim.tried[:MAX_TRIED]],
            "more": max(0, len(claim.tried) - MAX_TRIED) + claim.more,
            "granted": None if claim.granted is None else dict(claim.granted),
        }
        for claim in record.claims
    ]


def remembered(record: DecisionRecord) -> list[object]:
    """Return what was kept without a claim, and whether somebody else holds it."""
    return [
        {"namespace": kept.namespace, "value": kept.value, "collision": kept.collision} for kept in record.remembered
    ]
