"""One event of the service log for each decision: ids, names of rules, outcome, time.

Owns what the service log tells of a call: nothing of its profile. Two texts of the sender's outside of it, the event's
id and the application's name, stand there if they are short tokens; a name in one word is one, too. Wraps the metrics,
as `bootstrap.pulse` does. Called by all worker threads; telling waits for nothing.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol

from usher.answer.record import DecisionRecord, Meter
from usher.domain.decision import Verdict

UNTOLD: Final = "-"
MAX_RULES: Final = 20
"""A line is read by people; the decision log has all of them."""
# APPSEC: no blank, no `@`, nothing that a terminal obeys: what does not look like an id is not told. A name in one word
# and a number look like one; docs/operations.md says so.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.:+/=-]{1,64}")


class Told(Protocol):
    """The service log."""

    def event(self, name: str, values: Mapping[str, object]) -> None:
        """Tell an event; must not wait."""


class DecisionEvents:
    """A `Meter` that tells of each decision."""

    def __init__(self, meter: Meter, log: Told) -> None:
        self._meter = meter
        self._log = log

    def decided(self, record: DecisionRecord) -> None:
        """Count a decision and tell of it."""
        self._meter.decided(record)
        with suppress(Exception):
            self._log.event("decided", told_of(record))

    def replayed(self, decision_id: str) -> None:
        """Count an answer that was given again and tell of it."""
        self._meter.replayed(decision_id)
        with suppress(Exception):
            self._log.event("replayed", {"decision_id": decision_id})


def told_of(record: DecisionRecord) -> dict[str, object]:
    """Return what the service log tells of a decision; rare things only when there are any."""
    fired = [entry.rule for entry in record.trace if entry.verdict is Verdict.FIRED]
    told: dict[str, object] = {
        "decision_id": record.decision_id,
        "event_id": _token(record.event_id),
        "application": _token(record.application.get("name")),
        "outcome": record.outcome.value,
        "revision": record.revision,
        "fired": fired[:MAX_RULES],
        "milliseconds": record.milliseconds,
    }
    if len(fired) > MAX_RULES:
        told["more"] = len(fired) - MAX_RULES
    if record.cause:
        told["cause"] = record.cause
    if record.errors:
        told["errors"] = len(record.errors)
    if record.conflicts:
        told["conflicts"] = len(record.conflicts)
    return told


def _token(value: object) -> str:
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else UNTOLD
