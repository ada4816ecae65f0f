"""`make bench` works: its figures are for people, so only that they are there is held."""

import sys
from pathlib import Path

from tests.bench.client import Requests
from tests.integration.installations import CHECKOUT, must_run


def test_the_bench_prints_its_tables() -> None:
    """Every server, number of connections and stage has its line, and no request failed."""
    short = ["--seconds", "0.3", "--rounds", "1", "--rate-seconds", "1", "--calls", "20", "--no-cel"]
    shown = must_run([sys.executable, "-m", "tests.bench", *short], CHECKOUT).out
    lines = [line.split() for line in shown.splitlines()]
    for connections in ("1", "8", "75"):
        rows = {line[1]: line for line in lines if line[:1] == [connections] and len(line) == 9}
        assert list(rows) == ["a", "a1", "b", "b'", "c"]
        assert [row[7] for row in rows.values()] == ["0"] * 5
    (at_rate,) = [line for line in lines if line[:2] == ["a", "usher"]]
    assert at_rate[5:7] == ["1000", "0"]
    stages = [line[0] for line in lines if len(line) == 2 and line[0].isalpha()]
    assert stages == ["parse", "validate", "decide", "render", "check", "record"]
    for server in ("claims in SQLite", "claims in memory"):
        side_by_side, claims_at_rate = [line for line in shown.splitlines() if line.startswith(server)]
        assert side_by_side.split()[-1] == "0"
        assert claims_at_rate.split()[6:8] == ["500", "0"]
    for kind in ("new", "again", "100th of a name"):
        (costs,) = [line for line in shown.splitlines() if line.startswith(f"  {kind} ")]
        assert all(int(cost) > 0 for cost in costs.removeprefix(f"  {kind}").split())
    for kind in ("never explained", "explained before", "explained now", "without coverage", "with coverage"):
        assert [line for line in lines if line[:2] == kind.split() and len(line) == 4]


def test_the_loop_of_our_own_measures_where_there_is_no_wrk(tmp_path: Path) -> None:
    """Without wrk on the path the same table comes from our own client."""
    short = ["--seconds", "0.2", "--rounds", "1", "--table-only"]
    shown = must_run([sys.executable, "-m", "tests.bench", *short], CHECKOUT, PATH=str(tmp_path)).out
    assert "(own loop; " in shown


def test_no_two_requests_are_the_same() -> None:
    """A stored answer must not serve the bench: each body has an eventId of its own, and the length it declares."""
    requests = Requests.like(b'{"eventId": "@EVENT@"}', "run-")
    made = [requests.next().partition(b"\r\n\r\n") for _ in range(3)]
    assert [body for _, _, body in made] == [b'{"eventId": "run-%09d"}' % number for number in (1, 2, 3)]
    new_person = Requests.like(b'{"eventId": "@EVENT@", "externalId": "@EVENT@"}', "run-")
    made += [new_person.next().partition(b"\r\n\r\n") for _ in range(2)]
    assert made[-1][-1] == b'{"eventId": "run-000000002", "externalId": "run-000000002"}'
    assert all(f"Content-Length: {len(body)}".encode() in head for head, _, body in made)
