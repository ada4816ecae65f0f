"""`make bench`: the service beside a hard-coded answer, in one run on one machine; figures, no verdicts.

Owns the order of the rounds (interleaved, so that a noisy neighbour meets all three) and the tables.
"""

import argparse
import importlib.util
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path

from tests.bench import claiming, proving, stages
from tests.bench.measuring import Measure, Measured, measure_with, median_of, own_client, rate_of, run_names
from tests.bench.servers import THREADS, Server, handler_server, usher_server
from tests.integration.payloads import GUIDE_CASE, GUIDE_LOGIN
from tests.integration.usher_process import Caller
from usher.settings.server import ServerSettings

CONNECTIONS = (1, 8, 75)
OKTAS_CALLS_AT_ONCE = 75
RATE_PER_SECOND = 1000
SWITCH_INTERVAL_SECONDS = ServerSettings().switch_interval_seconds
HERE = Path(__file__).parent


def main() -> None:
    """Run the bench."""
    options = _options()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {THREADS} threads each")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usher-bench-")))
        body = folder / "body.json"
        body.write_bytes(GUIDE_CASE.read_bytes().replace(stages.EVENT_ID, b"@EVENT@"))
        usher = stack.enter_context(usher_server(folder / "shipped"))
        # The guide's one rule: what the service costs, apart from what the shipped policies have to say.
        one_rule = stack.enter_context(usher_server(folder / "one-rule", "a1  one-rule", HERE / "policies"))
        hard_coded = stack.enter_context(handler_server("b   hard-coded", "hard-coded"))
        # With our switch interval the handler may be faster, too: a ratio must not come from that setting alone.
        tuned = stack.enter_context(handler_server("b'  hard-coded", "hard-coded", SWITCH_INTERVAL_SECONDS))
        empty = stack.enter_context(handler_server("c   empty", "empty"))
        _assert_it_answers(usher, hard_coded)
        measure, tool = measure_with(body)
        _side_by_side([usher, one_rule, hard_coded, tuned, empty], measure, options, tool=tool)
        if options.table_only:
            return
        _at_fixed_rate([usher, one_rule, tuned], body, options.rate_seconds)
    claiming.main(rounds=options.rounds, seconds=options.seconds, rate_seconds=options.rate_seconds)
    claiming.costs_main(calls=options.calls)
    stages.main(calls=options.calls)
    proving.main(calls=options.calls)
    if options.cel:
        _cel_table()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--rate-seconds", type=float, default=10.0, help="at the fixed rate")
    parser.add_argument("--calls", type=int, default=stages.CALLS, help="of each stage")
    parser.add_argument("--no-cel", dest="cel", action="store_false", help="leave out the table of CEL engines")
    parser.add_argument("--table-only", action="store_true", help="end after the first table")
    return parser.parse_args()


def _assert_it_answers(usher: Server, hard_coded: Server) -> None:
    """Nobody wants to know how fast a wrong answer is; and a hard-coded one must be about as long as the real one."""
    lengths = []
    for server in (usher, hard_coded):
        with Caller(("127.0.0.1", server.port)) as caller:
            answer = caller.post(GUIDE_CASE.read_bytes())
            assert (answer.status, answer.login) == (200, GUIDE_LOGIN), answer
            lengths.append(len(answer.body))
    assert 0.8 < lengths[0] / lengths[1] < 1.25, lengths


def _side_by_side(servers: Sequence[Server], measure: Measure, options: argparse.Namespace, *, tool: str) -> None:
    """Measure in turns and print medians over the rounds."""
    runs = run_names()
    for server in servers:
        measure(server, next(runs), 8, min(1.0, options.seconds))
    found: dict[tuple[int, str], list[Measured]] = {}
    for _ in range(options.rounds):
        for connections in CONNECTIONS:
            for server in servers:
                measured = measure(server, next(runs), connections, options.seconds)
                found.setdefault((connections, server.name), []).append(measured)
    print(
        f"\nAs fast as it goes ({tool}; medians of {options.rounds} rounds of {options.seconds:g} s; latencies in ms)"
    )
    print(f"{'connections':>11}  {'':<16}{'requests/s':>10}{'p50':>9}{'p99':>9}{'p99.9':>9}{'failed':>8}{'a/this':>8}")
    for connections in CONNECTIONS:
        ours = median_of(found[connections, servers[0].name], rate_of)
        for server in servers:
            _print_row(f"{connections:>11}  {server.name:<16}", found[connections, server.name], ours)
    print(
        "a1 is a with the guide's one rule in place of the shipped policies; b' is b with the service's switch interval"
    )
    print(f"at 8 connections a/b is to be 0.5 or more; a1/b is {_ratio(found, servers):.2f}")


def _ratio(found: Mapping[tuple[int, str], list[Measured]], servers: Sequence[Server]) -> float:
    """Return the rate of the second server over that of the third, at 8 connections."""
    second, third = (median_of(found[8, server.name], rate_of) for server in servers[1:3])
    return second / third


def _print_row(start: str, rounds: Sequence[Measured], ours: float) -> None:
    """Print one server's medians and how our rate compares with its rate."""
    rate = median_of(rounds, rate_of)
    latencies = "".join(f"{median_of(rounds, itemgetter(key)):>9.2f}" for key in ("p50", "p99", "p999"))
    print(f"{start}{rate:>10.0f}{latencies}{sum(one['failed'] for one in rounds):>8.0f}{ours / rate:>8.2f}")


def _at_fixed_rate(servers: Sequence[Server], body: Path, seconds: float) -> None:
    """Print latencies at a rate Okta could reach, counted from when each request was due."""
    print(f"\nAt {RATE_PER_SECOND}/s over {OKTAS_CALLS_AT_ONCE} connections for {seconds:g} s (open loop; in ms)")
    print(f"{'':<16}{'p50':>9}{'p99':>9}{'p99.9':>9}{'answered':>10}{'failed':>8}{'sent in time':>14}")
    for server in servers:
        name = f"fixed-{server.port}-"
        one = own_client(server, body, name, OKTAS_CALLS_AT_ONCE, seconds, RATE_PER_SECOND)
        in_time = 1 - one["late"] / (RATE_PER_SECOND * seconds)
        figures = "".join(f"{one[key]:>9.2f}" for key in ("p50", "p99", "p999"))
        print(f"{server.name:<16}{figures}{one['requests']:>10.0f}{one['failed']:>8.0f}{in_time:>14.1%}")


def _cel_table() -> None:
    """Print the table of CEL engines, which has a file of its own."""
    if importlib.util.find_spec("tests.bench.cel_table") is not None:
        importlib.import_module("tests.bench.cel_table").main()


if __name__ == "__main__":
    main()
