"""How ledger and directory are told to probes: asked seldom, told with what was known when they cannot be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan

from usher.bootstrap.store_health import FRESH_SECONDS, StoreWatch
from usher.engine import StoreError


@dataclass
class Store:
    """A store that can be taken away, on a clock that can be put forward."""

    failure: str = ""
    is_well: bool = True
    now: float = 0.0
    asked: list[float] = field(default_factory=list)

    def describe(self) -> Mapping[str, object]:
        """Return facts, or fail."""
        self.asked.append(self.now)
        if self.failure:
            raise StoreError("ledger", self.failure)
        return {"place": "usher.db", "holdings": len(self.asked)}

    def watch(self) -> StoreWatch:
        """Return what watches it."""
        return StoreWatch(self.describe, lambda: self.is_well, clock=lambda: self.now)


def test_a_store_is_asked_no_more_than_every_few_seconds() -> None:
    """Probes, scrapes and people share one answer."""
    store = Store()
    watch = store.watch()
    assert [watch.number("holdings"), watch.facts()["holdings"], watch.is_ready] == [1, 1, True]
    store.now += FRESH_SECONDS
    assert watch.number("holdings") == 2
    assert len(store.asked) == 2


def test_a_store_that_fails_is_told_with_what_was_known() -> None:
    """Why it cannot be reached, beside the last facts; it is ready again as soon as it answers."""
    store = Store()
    watch = store.watch()
    watch.facts()
    store.now, store.failure = FRESH_SECONDS, "the disk is full"
    assert watch.facts() == {
        "reachable": False,
        "reason": "the disk is full",
        "place": "usher.db",
        "holdings": 1,
    }
    assert not watch.is_ready
    store.now, store.failure = 2 * FRESH_SECONDS, ""
    assert (watch.is_ready, watch.facts()) == (True, {"reachable": True, "place": "usher.db", "holdings": 3})


def test_what_calls_have_met_speaks_against_a_store_at_once() -> None:
    """It may answer the probe and fail the calls."""
    store = Store(is_well=False)
    assert not store.watch().is_ready


def test_a_fact_that_is_not_known_is_no_number() -> None:
    """A gauge says NaN rather than a made-up zero."""
    store = Store(failure="it cannot be reached")
    watch = store.watch()
    assert isnan(watch.number("holdings"))
    assert isnan(watch.number("place"))
    assert watch.facts() == {"reachable": False, "reason": "it cannot be reached"}
