"""A decision record as plain data, in two parts: the account, which names no person, and what may hold profile values.

Owns the field names of design section 11; `schemas/decision.schema.json` describes them. Pure functions.
"""

from usher.answer.record import DecisionRecord


def account(record: DecisionRecord) -> dict[str, object]:
    """Return the fields that hold ids, names of rules, targets and codes only."""
    return {
        "decision_id": record.decision_id,
        "timestamp": record.timestamp,
        "event_id": record.event_id,
        "revision": record.revision,
        "outcome": record.outcome.value,
        "milliseconds": record.milliseconds,
        "trace": {entry.rule: str(entry) for entry in record.trace},
        "conflicts": [{"target": conflict.target, "rules": list(conflict.rules)} for conflict in record.conflicts],
        "errors": [{"rule": fault.rule, "code": fault.code, "target": fault.target} for fault in record.errors],
    }


def in_clear(record: DecisionRecord) -> dict[str, object]:
    """Return the fields that may hold profile values, as they are."""
    return {
        "application": dict(record.application),
        "subject": record.subject,
        "faults": list(record.faults),
        "commands": [command.to_wire() for command in record.commands],
        "input": record.input,
    }
