"""What the ledger costs: the service with it and with one that forgets, side by side; and a claim by itself.

Every request is about a new person of a new name, and claims a login that nobody holds.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.measuring import Measured, measure_with, median_of, own_client, rate_of, run_names
from tests.bench.servers import FORGETFUL, Server, usher_server
from tests.integration.payloads import GUIDE_CASE
from tests.integration.usher_process import Caller
from tests.postgresql import find_programs, running_cluster
from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.versions import migrate
from usher.bootstrap.schemas import load_schemas
from usher.bootstrap.shipped import shipped_schemas
from usher.cel import Budget
from usher.domain.request import ImportRequest
from usher.engine import (
    DEFAULT_NAMESPACES,
    Circumstances,
    Ledger,
    MemoryDirectory,
    MemoryLedger,
    Owner,
    Patience,
    PolicySet,
    Stores,
    decide,
    load_policies,
)

POLICIES = Path(__file__).with_name("claiming_policies")
CONNECTIONS = 8
OKTAS_CALLS_AT_ONCE = 75
RATE_PER_SECOND = 500
CALLS = 1000
NAMESAKES = 99
NOW = 1_772_442_000_000_000_000


def person(mark: str, name: str = "") -> dict[str, Any]:
    """Return the call for a person; both the person's id and, unless it is given, the name come from the mark."""
    request: dict[str, Any] = json.loads(GUIDE_CASE.read_bytes())
    request["eventId"] = mark
    request["data"]["context"]["conflicts"] = []
    names = {"firstName": "Ann", "lastName": name or mark}
    request["data"]["appUser"]["profile"] |= {**names, "externalId": mark}
    request["data"]["user"]["profile"] |= {**names, "login": "ann@example.com"}
    return request


def main(*, rounds: int, seconds: float, rate_seconds: float) -> None:
    """Print how fast the service is with its ledger, and how fast with one in memory."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usher-bench-")))
        body = folder / "body.json"
        body.write_text(json.dumps(person("@EVENT@")), encoding="utf-8")
        servers = (
            stack.enter_context(usher_server(folder / "kept", "claims in SQLite", POLICIES)),
            stack.enter_context(usher_server(folder / "forgotten", "claims in memory", POLICIES, FORGETFUL)),
        )
        for server in servers:
            _assert_it_claims(server)
        _side_by_side(servers, body, rounds=rounds, seconds=seconds)
        _at_fixed_rate(servers, body, rate_seconds)


def _assert_it_claims(server: Server) -> None:
    """Make sure that the second of a name gets a number: somebody remembers the first."""
    with Caller(("127.0.0.1", server.port)) as caller:
        logins = [caller.post(json.dumps(person(mark, "Lee")).encode()).login for mark in ("first", "second", "first")]
    assert logins == ["ann.lee@example.com", "ann.lee2@example.com", "ann.lee@example.com"], logins


def _side_by_side(servers: Sequence[Server], body: Path, *, rounds: int, seconds: float) -> None:
    """Measure in turns and print medians over the rounds."""
    runs = run_names()
    measure, tool = measure_with(body)
    for server in servers:
        measure(server, next(runs), CONNECTIONS, min(1.0, seconds))
    found: dict[str, list[Measured]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            found[server.name].append(measure(server, next(runs), CONNECTIONS, seconds))
    print(f"\nEvery request claims, {CONNECTIONS} connections ({tool}; medians of {rounds} rounds of {seconds:g} s)")
    print(f"{'':<20}{'requests/s':>10}{'p50':>9}{'p99':>9}{'p99.9':>9}{'failed':>8}")
    for name, measured in found.items():
        latencies = "".join(f"{median_of(measured, itemgetter(key)):>9.2f}" for key in ("p50", "p99", "p999"))
        failed = sum(one["failed"] for one in measured)
        print(f"{name:<20}{median_of(measured, rate_of):>10.0f}{latencies}{failed:>8.0f}")
    pairs = zip(*found.values(), strict=True)
    ratio = median(rate_of(kept) / rate_of(forgotten) for kept, forgotten in pairs)
    print(f"SQLite over memory is to be 0.5 or more; it is {ratio:.2f}")


def _at_fixed_rate(servers: Sequence[Server], body: Path, seconds: float) -> None:
    """Print latencies at a rate, counted from when each request was due."""
    print(f"\n{RATE_PER_SECOND} claims a second over {OKTAS_CALLS_AT_ONCE} connections for {seconds:g} s (in ms)")
    print(f"{'':<20}{'p50':>9}{'p99':>9}{'p99.9':>9}{'answered':>10}{'failed':>8}{'sent in time':>14}")
    for server, run in zip(servers, run_names(), strict=False):
        one = own_client(server, body, f"at{run}", OKTAS_CALLS_AT_ONCE, seconds, RATE_PER_SECOND)
        in_time = 1 - one["late"] / (RATE_PER_SECOND * seconds)
        figures = "".join(f"{one[key]:>9.2f}" for key in ("p50", "p99", "p999"))
        print(f"{server.name:<20}{figures}{one['requests']:>10.0f}{one['failed']:>8.0f}{in_time:>14.1%}")
    print("p99 with SQLite is to be under 50 ms")


@dataclass
class Claiming:
    """Decides about people, one after the other, and notes how long the claims took."""

    policies: PolicySet
    stores: Stores
    taken: dict[str, list[float]] = field(default_factory=dict)

    def claim(self, kind: str, mark: str, name: str = "") -> None:
        """Decide about one person."""
        request = ImportRequest.from_wire(person(mark, name))
        decision = decide(self.policies, request, Circumstances(NOW, Budget(), self.stores))
        assert [trace.granted for trace in decision.claims] != [None], decision.faults
        self.taken.setdefault(kind, []).append(decision.claim_seconds * 1e6)

    def hold_for_namesakes(self, name: str) -> None:
        """Let as many people of a name have their logins as leave its hundredth one free."""
        login = self.stores.namespaces["login"]
        with self.stores.ledger.claims(Owner("0oa", f"the {name}s"), Patience()) as claims:
            for number in range(1, NAMESAKES + 1):
                claims.take([(login, f"ann.{name}{number if number > 1 else ''}@example.com")], "bench")


def costs(ledger: Ledger, policies: PolicySet, *, calls: int) -> Mapping[str, float]:
    """Return the median µs of a claim by kind."""
    claiming = Claiming(policies, Stores(ledger, MemoryDirectory(), DEFAULT_NAMESPACES))
    for number in range(calls):
        claiming.claim("new", f"new{number}")
        claiming.claim("again", f"new{number}")
    for number in range(max(1, calls // 20)):
        claiming.hold_for_namesakes(f"name{number}")
        claiming.claim("100th of a name", f"hundredth{number}", f"name{number}")
    return {kind: median(times) for kind, times in claiming.taken.items()}


@contextmanager
def sql_ledger(url: str, folder: Path) -> Iterator[SqlLedger]:
    """Lend an empty ledger in a database."""
    database = Database(url_of(url, folder, "ledger.url"), "ledger", DatabaseOptions())
    migrate(database)
    try:
        yield SqlLedger(database)
    finally:
        database.close()


def costs_main(*, calls: int = CALLS) -> None:
    """Print what a claim costs on each kind of ledger."""
    schemas = load_schemas(shipped_schemas())
    policies = load_policies(POLICIES, shape=schemas.policy, profiles=schemas.profiles).policy_set
    assert policies is not None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usher-bench-")))
        ledgers: dict[str, Callable[[], Ledger]] = {
            "memory": MemoryLedger,
            "SQLite": lambda: stack.enter_context(sql_ledger("sqlite:///usher.db", folder)),
        }
        programs = find_programs()
        if programs is not None:
            cluster = stack.enter_context(running_cluster(programs))
            url = stack.enter_context(cluster.database())
            ledgers["PostgreSQL"] = lambda: stack.enter_context(sql_ledger(url, folder))
        found = {name: costs(made(), policies, calls=calls) for name, made in ledgers.items()}
    print(f"\nCost of a claim, in µs (medians of {calls}; one thread)")
    print(f"  {'':<18}" + "".join(f"{name:>12}" for name in found))
    for kind in found["memory"]:
        print(f"  {kind:<18}" + "".join(f"{by_kind[kind]:>12.0f}" for by_kind in found.values()))
    if programs is None:
        print("  no PostgreSQL here, so nothing of it")


if __name__ == "__main__":
    main(rounds=4, seconds=2.0, rate_seconds=10.0)
    costs_main()
