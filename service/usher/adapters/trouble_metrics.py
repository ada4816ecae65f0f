"""What the service counts of calls that no policy decided and of lines that nobody read, for Prometheus.

Owns these names and the bounds of their labels; docs/operations.md lists them and a test keeps it in step. All threads
may count.
"""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from usher.answer.record import QUEUE, DecisionRecord
from usher.domain.decision import Outcome

DEADLINE: Final = "deadline"
BUDGET: Final = "budget"
FAULT: Final = "fault"
OTHER: Final = "other"
KEYWORDS: Final = frozenset(
    {
        *("additionalProperties", "allOf", "anyOf", "const", "contains", "dependentRequired", "enum", "false"),
        *("exclusiveMaximum", "exclusiveMinimum", "format", "if", "maxItems", "maxLength", "maxProperties"),
        *("maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf"),
        *("pattern", "prefixItems", "propertyNames", "required", "type"),
        *("unevaluatedItems", "unevaluatedProperties", "uniqueItems"),
    }
)
"""What a request can break in its schema: a bound for the series, whatever an edited schema holds."""
BUCKETS_WAIT_SECONDS: Final = (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0)
_REASONS: Final[Mapping[str, str]] = {"deadline": DEADLINE, QUEUE: QUEUE, "internal-fault": FAULT, "": FAULT}
"""Why a call ended undecided, by the code in its answer; every other code is a limit on the work of a decision."""


class TroubleMetrics:
    """Counts what kept calls from being decided, and how long they waited for a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rejections: Final = Counter(
            "usher_schema_rejections",
            "Calls that broke the request schema, once for each keyword they broke.",
            ("keyword",),
            registry=registry,
        )
        self._undecided: Final = Counter(
            "usher_undecided",
            "Calls that ended undecided, by what kept them from being decided.",
            ("reason",),
            registry=registry,
        )
        self._waits: Final = Histogram(
            "usher_queue_seconds",
            "Time from the arrival of the body until a worker took the call up, replays not included.",
            buckets=BUCKETS_WAIT_SECONDS,
            registry=registry,
        )
        self._log_losses: Final = Counter("usher_log_losses", "Lines the service log lost.", registry=registry)
        # An alert on a rate needs the series to be there before the first call ends so.
        for reason in (DEADLINE, QUEUE, BUDGET, FAULT):
            self._undecided.labels(reason)

    def log_lost(self) -> None:
        """Count a line that the service log lost."""
        self._log_losses.inc()

    def decided(self, record: DecisionRecord) -> None:
        """Count one call's wait, and what kept it from being decided, if anything did."""
        self._waits.observe(record.waited_seconds)
        if record.outcome is Outcome.UNDECIDED:
            self._undecided.labels(_REASONS.get(record.cause, BUDGET)).inc()
        # APPSEC: the code behind the last colon is the schema's; what stands before it is a path of the sender's.
        broken = {fault.rpartition(": ")[2] for fault in record.faults}
        for keyword in {keyword if keyword in KEYWORDS else OTHER for keyword in broken}:
            self._rejections.labels(keyword).inc()
