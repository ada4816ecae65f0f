"""How long one evaluation takes.

This engine, cel-python's `InterpretedRunner` (in a process of its own) and Google's CEL with its activation.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import timeit
from collections.abc import Callable

from cel_expr_python import cel

from usher.cel import Budget
from usher.cel import compile as compile_cel

BINDINGS: dict[str, object] = {
    "user": {
        "firstName": "Ann", "lastName": "Lee", "login": "ann.lee@example.com", "email": "ann.lee@example.com",
        "countryCode": "DE",
    },
    "appuser": {"department": "Board", "middleName": "May", "groups": ["tech@example.org", "everyone@example.com"]},
    "context": {"conflicts": ["login"], "matches": ["00u1"], "application": {"name": "test_app"}},
    "constants": {"domain": "example.com", "apps": ["csv_directory", "test_app"]},
}  # fmt: skip
EXPRESSIONS = (
    "'login' in context.conflicts",
    "appuser.department == 'Board'",
    "user.firstName != '' && user.lastName != ''",
    "user.countryCode in ['DE', 'AT', 'CH']",
    "context.application.name in constants.apps",
    "has(appuser.middleName) && appuser.middleName != ''",
    "user.firstName + '.' + user.lastName + '@' + constants.domain",
    "size(context.matches) == 1",
    "appuser.groups.exists(g, g.endsWith('@example.com'))",
    "user.email.matches('^[a-z.]+@example[.]com$')",
)
ROUNDS, REPEATS, LEAST_SECONDS = 3, 3, 0.005
ENDLESS = 10**15
INTERPRETED = """
import json, sys, timeit
import celpy
bindings, expressions, number = json.load(sys.stdin)
environment = celpy.Environment(runner_class=celpy.InterpretedRunner)
activation = {name: celpy.json_to_cel(value) for name, value in bindings.items()}
times = []
for text in expressions:
    program = environment.program(environment.compile(text))
    times.append(min(timeit.repeat(lambda: program.evaluate(activation), number=number, repeat=20)) / number)
json.dump(times, sys.stdout)
"""


def seconds_each(run: Callable[[], object]) -> float:
    """Return the best of several rounds, each long enough to be measured."""
    timer = timeit.Timer(run)
    number, taken = timer.autorange()
    number = max(1, int(number * LEAST_SECONDS / taken))
    return min(timer.repeat(REPEATS, number)) / number


def interpreted() -> list[float]:
    """cel-python's interpreter; its parser cannot be shared with ours in one process."""
    question = json.dumps([BINDINGS, EXPRESSIONS, 20])
    answer = subprocess.run(
        [sys.executable, "-c", INTERPRETED], input=question, capture_output=True, text=True, check=True
    )
    times: list[float] = json.loads(answer.stdout)
    return times


def googles() -> list[float]:
    """Google's CEL, given the same dictionaries at each evaluation."""
    environment = cel.NewEnv(variables=dict.fromkeys(BINDINGS, cel.Type.DYN))
    compiled = [environment.compile(text) for text in EXPRESSIONS]
    return [seconds_each(functools.partial(expression.eval, data=BINDINGS)) for expression in compiled]


def ours() -> list[float]:
    """Evaluate with this engine and one budget for all evaluations, as a decision has."""
    budget = Budget(steps=ENDLESS, produced=ENDLESS)
    compiled = [compile_cel(text, names=BINDINGS.keys()) for text in EXPRESSIONS]
    return [seconds_each(functools.partial(expression.evaluate, BINDINGS, budget=budget)) for expression in compiled]


def best_of(measure: Callable[[], list[float]], rounds: list[list[float]]) -> list[float]:
    """Return the least of each column, one more round included: other processes only ever add."""
    rounds.append(measure())
    return [min(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    """Print the table. The engines take turns, so that a busy moment of the machine meets all of them."""
    engines = (ours, interpreted, googles)
    rounds: tuple[list[list[float]], ...] = ([], [], [])
    for _ in range(ROUNDS):
        best = [best_of(measure, seen) for measure, seen in zip(engines, rounds, strict=True)]
    print(f"{'expression':64} {'usher':>9} {'interpreted':>12} {'ratio':>6} {'google':>9} {'ratio':>6} µs")
    for text, own, slow, google in zip(EXPRESSIONS, *best, strict=True):
        print(
            f"{text:64} {own * 1e6:9.2f} {slow * 1e6:12.1f} {slow / own:6.0f} {google * 1e6:9.2f} {google / own:6.1f}"
        )


if __name__ == "__main__":
    main()
