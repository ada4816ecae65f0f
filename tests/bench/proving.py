"""What explaining and coverage cost, and that a decision pays nothing for them when nobody asks.

One process, one thread. The kinds of decision are timed in turns, so that a noisy neighbour meets all of them.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from tests.integration.payloads import GUIDE_CASE
from usher.bootstrap.policies import world_of
from usher.bootstrap.schemas import Schemas, load_schemas
from usher.bootstrap.shipped import shipped_policies, shipped_schemas
from usher.cel import Budget
from usher.domain.request import ImportRequest
from usher.engine import (
    DEFAULT_NAMESPACES,
    Circumstances,
    LoadedPolicies,
    MemoryDirectory,
    MemoryLedger,
    PolicySet,
    Stores,
    decide,
    load_policies,
)
from usher.proof.accounts import Accounts
from usher.proof.coverage import Coverage
from usher.proof.rehearsal import rehearse
from usher.proof.running import run_files
from usher.proof.scene import Observers, Scene
from usher.proof.suite import Suite, load_suite
from usher.proof.world import World
from usher.settings import Settings

CALLS = 2000
ROUNDS = 5
NOW = 1_772_442_000_000_000_000


def loaded(schemas: Schemas) -> tuple[LoadedPolicies, PolicySet]:
    """Return the shipped policies, loaded afresh."""
    found = load_policies(shipped_policies(), shape=schemas.policy, profiles=schemas.profiles)
    assert found.policy_set is not None
    return found, found.policy_set


def decisions(policies: PolicySet, watched: PolicySet, world: World, *, calls: int) -> dict[str, float]:
    """Return the median cost of a decision in µs: never watched, watched before, and explained."""
    wire = json.loads(GUIDE_CASE.read_bytes())
    explain = _explainer(watched, wire, world)
    explain()
    kinds: dict[str, Callable[[], object]] = {
        "never explained": lambda: _decided(policies, wire),
        "explained before": lambda: _decided(watched, wire),
        "explained now": explain,
    }
    taken: dict[str, list[int]] = {kind: [] for kind in kinds}
    for _ in range(calls):
        for kind, call in kinds.items():
            since = time.perf_counter_ns()
            call()
            taken[kind].append(time.perf_counter_ns() - since)
    return {kind: median(times) / 1000 for kind, times in taken.items()}


def runs(suite: Suite, world: World, *, rounds: int) -> tuple[float, float]:
    """Return the median seconds of a run of all shipped tests, without and with coverage; in turns."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for times, watcher in zip(taken, (None, Coverage(suite.policy_set)), strict=True):
            since = time.perf_counter()
            assert all(result.passed for result in run_files(suite.files, world, watcher=watcher))
            times.append(time.perf_counter() - since)
    return median(taken[0]), median(taken[1])


def main(*, calls: int = CALLS, rounds: int = ROUNDS) -> None:
    """Print the table."""
    schemas = load_schemas(shipped_schemas())
    world = world_of(Settings(), schemas)
    found, policies = loaded(schemas)
    by_kind = decisions(policies, loaded(schemas)[1], world, calls=calls)
    print(f"\nExplaining, in µs a decision with the shipped policies (medians of {calls})")
    for kind, cost in by_kind.items():
        print(f"  {kind:<18}{cost:8.1f}{cost / by_kind['never explained']:8.2f}")
    without, covering = runs(load_suite(found, policies, world), world, rounds=rounds)
    print(f"Policy tests, in ms for all that are shipped (medians of {rounds})")
    print(f"  {'without coverage':<18}{without * 1000:8.1f}{1:8.2f}")
    print(f"  {'with coverage':<18}{covering * 1000:8.1f}{covering / without:8.2f}")


def _decided(policies: PolicySet, wire: dict[str, object]) -> object:
    stores = Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES)
    return decide(policies, ImportRequest.from_wire(wire), Circumstances(NOW, Budget(), stores))


def _explainer(policies: PolicySet, wire: dict[str, object], world: World) -> Callable[[], object]:
    observers = Observers()
    stores = Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES)
    record = rehearse(policies, wire, world, now=NOW, stores=stores).record

    def explain() -> object:
        scene = Scene(policies, record, now=NOW, stores=replace(stores), observers=observers)
        return _decided(policies, wire), tuple(Accounts(policies, record, scene).all())

    return explain


if __name__ == "__main__":
    main()
