"""Threads share expressions, and nothing of one evaluation reaches another; celpy leaves no traces in the process."""

from __future__ import annotations

import subprocess
import sys
import threading

from usher.cel import compile as compile_cel

THREADS, EVALUATIONS = 8, 100_000
EXPRESSION = """
m.all(x, x == n) && cel.bind(b, n, [b].map(y, y + n)[0]) == n + n && has(o.n)
  && m.filter(z, z == n).size() == 3 ? slug(n) : 'other'
"""


def test_no_value_of_another_thread_is_ever_seen(figures: list[str]) -> None:
    """Eight threads, switched as often as possible, evaluate one expression 100,000 times.

    Each sees its own values only.
    """
    expression = compile_cel(EXPRESSION, names={"m", "n", "o"})
    foreign: list[object] = []

    def evaluate(name: str) -> None:
        bindings = {"m": [name] * 3, "n": name, "o": {"n": None}}
        for _ in range(EVALUATIONS // THREADS):
            value = expression.evaluate(bindings)
            if value != name:
                foreign.append(value)

    threads = [threading.Thread(target=evaluate, args=(f"t{number}",)) for number in range(THREADS)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    figures.append(f"CEL, race: {len(foreign)} foreign values in {EVALUATIONS} evaluations by {THREADS} threads")
    assert foreign == []


def test_threads_may_compile_at_once() -> None:
    """The first compilations race for the parser; all get right expressions."""
    values: list[object] = []

    def work(number: int) -> None:
        texts = [f"{number} + {turn} - {turn}" for turn in range(20)]
        values.extend(compile_cel(text, names=()).evaluate({}) == number for text in texts)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [True] * (THREADS * 20)


TRACES = """
import logging, sys
limit = sys.getrecursionlimit()
from usher.cel import compile as compile_cel
assert not {'celpy', 'lark'} & sys.modules.keys(), 'imported before the first compilation'
logging.getLogger('celpy').setLevel(logging.INFO)
records = []
handler = logging.Handler()
handler.emit = records.append
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel(logging.DEBUG)
payload = {'user': {'name': 'a-payload-of-somebody'}}
assert compile_cel("user.name == 'x' || user.name.matches(user.name)", names={'user'}).evaluate(payload)
assert sys.getrecursionlimit() == limit
assert logging.getLogger('celpy').level == logging.INFO
assert logging.getLogger('lark').handlers == []
assert records == []
from celpy.celparser import CELParser
assert CELParser.CEL_PARSER is None
import gc
holders = [value for value in gc.get_referrers(payload['user']['name']) if value is not payload['user']]
assert not [value for value in holders if isinstance(value, dict) and value is not globals()], holders
"""


def test_celpy_leaves_no_traces() -> None:
    """It comes with the first compilation; parser slot, loggers and recursion limit stay as they were."""
    subprocess.run([sys.executable, "-c", TRACES], check=True)
