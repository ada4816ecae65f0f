"""What the service counts, for Prometheus, in a registry of its own.

Owns names, labels and buckets; docs/operations.md lists them and a test keeps it in step. Labels are names of rules and
targets, outcomes and statuses: never a profile value. Values of prometheus-client hold a lock: all threads may count.
"""

import time
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from usher.adapters.store_metrics import FAILED, StoreMetrics, failed_claims
from usher.adapters.trouble_metrics import TroubleMetrics
from usher.answer.record import DecisionRecord
from usher.domain.decision import ClaimTrace, Outcome, Verdict

GRANTED: Final = "granted"
EXHAUSTED: Final = "exhausted"
ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# Fine where decisions are, and around the 3 s after which Okta creates the user by itself.
BUCKETS_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


class _Labelled:
    """A counter with one label, whose children are looked up in a plain dict: `labels()` costs more than counting."""

    __slots__ = ("_children", "_counter")

    def __init__(self, registry: CollectorRegistry, name: str, documentation: str, label: str) -> None:
        self._counter = Counter(name, documentation, (label,), registry=registry)
        self._children: dict[str, Counter] = {}

    def child(self, label: str) -> Counter:
        """Return the series of a label; two threads that ask at once get the same from the counter."""
        child = self._children.get(label)
        if child is None:
            child = self._children[label] = self._counter.labels(label)
        return child

    def begin_at_zero(self, *labels: str) -> None:
        """Show series that count nothing yet."""
        for label in labels:
            self.child(label)


class ShadowMetrics:
    """Counts what shadow policies would do."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests: Final = _Labelled(
            registry,
            "usher_shadow_requests",
            "What the shadow policies would have made of answered calls.",
            "outcome",
        )
        self._changes: Final = _Labelled(
            registry, "usher_shadow_changes", "Targets that the shadow policies would have changed.", "target"
        )

    def shadowed(self, record: DecisionRecord, targets: tuple[str, ...]) -> None:
        """Count one shadow decision, and the targets it would have changed."""
        self._requests.child(record.outcome.value).inc()
        for target in targets:
            self._changes.child(target).inc()


class ReloadMetrics:
    """Counts what becomes of policy sets, and tells which one is in force."""

    def __init__(self, registry: CollectorRegistry, revision: str) -> None:
        self._reloads: Final = _Labelled(
            registry, "usher_policy_reloads", "Policy sets that were looked at because something had changed.", "result"
        )
        self._reloads.begin_at_zero(ACCEPTED, REJECTED)
        self._rejected: Final = Gauge(
            "usher_policy_rejected",
            "1 while the newest policy set is rejected and an older one answers.",
            registry=registry,
        )
        self._accepted_at = time.monotonic()
        age = Gauge(
            "usher_policy_accepted_age_seconds", "Time since a policy set was last accepted.", registry=registry
        )
        age.set_function(lambda: time.monotonic() - self._accepted_at)
        self._revision: Final = Info("usher_policy_revision", "The policy set in force.", registry=registry)
        self._revision.info({"revision": revision})

    def accepted(self, revision: str) -> None:
        """Count a policy set that went into force."""
        self._reloads.child(ACCEPTED).inc()
        self._revision.info({"revision": revision})
        self.settled()

    def settled(self) -> None:
        """Note that what lies in the folder is what is in force."""
        self._accepted_at = time.monotonic()
        self._rejected.set(0)

    def rejected(self) -> None:
        """Count a policy set that did not go into force."""
        self._reloads.child(REJECTED).inc()
        self._rejected.set(1)


class Metrics:
    """Counts decisions, rules, refusals and losses; everything starts at zero with the process."""

    def __init__(self, *, version: str, revision: str) -> None:
        # The age of every single counter is worth less than the doubled number of series.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left this function without types
        self._registry: Final = CollectorRegistry()
        self._requests: Final = self._labelled(
            "usher_requests", "Decided calls by outcome, replays not included.", "outcome"
        )
        self._rules: Final = self._labelled("usher_rules_fired", "How often each rule fired.", "rule")
        self._rule_errors: Final = self._labelled(
            "usher_rule_errors", "Errors of rules, values refused by a profile schema included.", "rule"
        )
        self._conflicts: Final = self._labelled(
            "usher_conflicts", "Decisions in which rules wanted different values for a target.", "target"
        )
        self._holds: Final = self._labelled("usher_holds", "Holds by the rule that asked for them.", "rule")
        self._claims: Final = self._labelled(
            "usher_claims", "Claims that were granted a value, that found none free, and that a store failed.", "result"
        )
        self._failed_closed: Final = self._labelled(
            "usher_restrictions_failed_closed", "Holds and vetoes that applied because they failed.", "rule"
        )
        self._collisions: Final = self._plain("usher_collisions", "Created rows whose login somebody else holds.")
        self._refusals: Final = self._labelled("usher_refusals", "Calls refused before anything was decided.", "status")
        self._unauthenticated: Final = self._labelled(
            "usher_authentication_failures", "Calls whose credential was missing or refused.", "reason"
        )
        self._replays: Final = self._plain("usher_replays", "Repeated calls that got their first answer again.")
        self._losses: Final = self._plain("usher_decision_log_losses", "Records and fields the decision log lost.")
        self._seconds: Final = Histogram(
            "usher_decision_seconds",
            "Time from the arrival of the body to the answer, replays not included.",
            buckets=BUCKETS_SECONDS,
            registry=self._registry,
        )
        self._troubles: Final = TroubleMetrics(self._registry)
        self.shadows: Final = ShadowMetrics(self._registry)
        self.stores: Final = StoreMetrics(self._registry)
        self.reloads: Final = ReloadMetrics(self._registry, revision)
        self._tell_of_the_process(version)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Show what an alert on a rate needs to be there before the first call ends so."""
        self._requests.begin_at_zero(*(outcome.value for outcome in Outcome))
        self._claims.begin_at_zero(GRANTED, EXHAUSTED, FAILED)
        self._unauthenticated.begin_at_zero("missing", "wrong")

    def _tell_of_the_process(self, version: str) -> None:
        Info("usher_build", "The version that runs.", registry=self._registry).info({"version": version})
        ProcessCollector(registry=self._registry)  # Linux only: elsewhere it tells nothing

    def decided(self, record: DecisionRecord) -> None:
        """Count one decision with its rules, conflicts and errors."""
        self._requests.child(record.outcome.value).inc()
        self._seconds.observe(record.milliseconds / 1000)
        for entry in record.trace:
            if entry.verdict is Verdict.FIRED:
                self._rules.child(entry.rule).inc()
        for fault in record.errors:
            self._rule_errors.child(fault.rule).inc()
            if fault.closed:
                self._failed_closed.child(fault.rule).inc()
        for conflict in record.conflicts:
            self._conflicts.child(conflict.target).inc()
        for hold in record.holds:
            self._holds.child(hold.rule).inc()
        for result in filter(None, map(_result, record.claims)):
            self._claims.child(result).inc()
        if failed := failed_claims(record):
            self._claims.child(FAILED).inc(failed)
        self.stores.decided(record)
        self._troubles.decided(record)
        if collisions := sum(kept.collision for kept in record.remembered):
            self._collisions.inc(collisions)

    def refused(self, status: int) -> None:
        """Count one refusal."""
        self._refusals.child(str(status)).inc()

    def unauthenticated(self, reason: str) -> None:
        """Count one refused credential."""
        self._unauthenticated.child(reason).inc()

    def replayed(self, decision_id: str) -> None:
        """Count an answer that was given again; the id would be a series of its own."""
        del decision_id
        self._replays.inc()

    def lost(self) -> None:
        """Count a record or a field that the decision log lost."""
        self._losses.inc()

    def log_lost(self) -> None:
        """Count a line that the service log lost."""
        self._troubles.log_lost()

    def exposition(self) -> tuple[bytes, str]:
        """Return all metrics in Prometheus' text format, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE

    def _labelled(self, name: str, documentation: str, label: str) -> _Labelled:
        return _Labelled(self._registry, name, documentation, label)

    def _plain(self, name: str, documentation: str) -> Counter:
        return Counter(name, documentation, registry=self._registry)


def _result(claim: ClaimTrace) -> str:
    """Return what a claim came to; '' for one that was granted and rolled back because another found none free."""
    if claim.granted is not None:
        return GRANTED
    return "" if claim.tried and not claim.tried[-1].refused else EXHAUSTED
