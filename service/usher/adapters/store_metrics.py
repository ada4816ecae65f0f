"""What the service counts of ledger and directory, for Prometheus.

Owns these names and buckets; docs/operations.md lists them and a test keeps it in step. All threads may count.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from usher.answer.record import DecisionRecord
from usher.engine.stores import UNAVAILABLE

LEDGER: Final = "ledger"
DIRECTORY: Final = "directory"
FAILED: Final = "failed"
BUCKETS_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0)
BUCKETS_CANDIDATES: Final = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
GAUGES: Final = {
    "usher_ledger_up": "1 while the ledger can be read and written.",
    "usher_ledger_holdings": "Values that are held.",
    "usher_ledger_size_bytes": "What the ledger takes on disk.",
    "usher_directory_up": "1 while the directory can be asked.",
    "usher_directory_users": "Users the directory knows.",
    "usher_directory_age_seconds": "Time since the users were loaded; NaN before the first load.",
}


class StoreMetrics:
    """Counts what decisions ask of the stores, and shows how these are when somebody looks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds: Final = Histogram(
            "usher_ledger_seconds",
            "Time a decision's claims and its remembered login took, waiting included.",
            buckets=BUCKETS_SECONDS,
            registry=registry,
        )
        self._candidates: Final = Histogram(
            "usher_claim_candidates",
            "Candidates a claim tried, the one it was granted included.",
            buckets=BUCKETS_CANDIDATES,
            registry=registry,
        )
        self._failures: Final = Counter(
            "usher_store_failures", "Pieces of work that ledger or directory failed.", ("store",), registry=registry
        )
        for store in (LEDGER, DIRECTORY):
            self._failures.labels(store)
        self._ownerless: Final = Counter(
            "usher_rows_without_subject", "Rows to be created that brought no id of their own.", registry=registry
        )
        self._gauges: Final = {name: Gauge(name, told, registry=registry) for name, told in GAUGES.items()}
        for gauge in self._gauges.values():
            gauge.set(math.nan)  # not known yet

    def decided(self, record: DecisionRecord) -> None:
        """Count what one decision asked of the ledger."""
        if "claim" in record.stages:
            self._seconds.observe(record.stages["claim"] / 1000)
        for claim in record.claims:
            if claim.tried:
                self._candidates.observe(len(claim.tried) + claim.more)
        if record.is_ownerless:
            self._ownerless.inc()

    def store_failed(self, store: str) -> None:
        """Count one failed piece of work."""
        self._failures.labels(store).inc()

    def show(self, values: Mapping[str, Callable[[], float]]) -> None:
        """Ask for values at each scrape, by the names of `GAUGES`."""
        for name, ask in values.items():
            self._gauges[name].set_function(ask)


def failed_claims(record: DecisionRecord) -> int:
    """Return how many claims failed because a store did."""
    return sum(fault.code in UNAVAILABLE for fault in record.errors)
