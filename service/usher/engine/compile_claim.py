"""Claims: candidates, counter, reserved values.

Owns what makes a claim of several namespaces one claim: candidates stand in the same order in each. Used while
loading, by one thread.
"""

from typing import Final

from usher.engine.compiling import Compiling
from usher.engine.nodes import entries, integer, items, text
from usher.engine.policy import Candidate, Claim, Literal, PlacedExpression, Value
from usher.engine.yaml_text import Listing, Mapping, Node, Scalar, plain

MAX_COUNT: Final = 100_000
_NAMES: Final = frozenset({"n"})


def compile_claim(node: Node | None, compiling: Compiling) -> Claim | None:
    """Compile the mapping under `claim`; None when there is nothing to claim."""
    specs = [(str(key.value), key, spec) for key, spec in entries(node) if isinstance(spec, Mapping)]
    if not specs or node is None:
        return None
    for name, key, _ in specs:
        compiling.namespace(name, key.place)
    candidates = _candidates(specs, compiling)
    counters = {_counter(spec) for _, _, spec in specs if spec.get("counter") is not None}
    if len(counters) > 1:
        compiling.problem(node.place, "claim-mismatch", "the namespaces of one claim share one counter")
    uses_n = any(candidate.uses_n for candidate in candidates)
    if counters and not uses_n:
        compiling.problem(node.place, "unused-counter", "no candidate uses n, so the counter never counts")
    if uses_n and not counters:
        compiling.problem(node.place, "missing-counter", "a candidate uses n: add counter: {from: 2, to: 999}")
    counter = next(iter(counters), range(2, 3))
    if not 0 < counter.stop - counter.start <= MAX_COUNT:  # len() overflows on numbers of 64 bits
        compiling.problem(
            node.place, "bad-counter", f"`to` must be at least `from`, and count at most {MAX_COUNT} numbers"
        )
    reserved = [
        (name, value) for name, _, spec in specs if (value := _reserved(spec.get("except"), compiling)) is not None
    ]
    return Claim(
        namespaces=tuple(name for name, _, _ in specs),
        candidates=candidates,
        counter=counter,
        reserved=tuple(reserved),
        exhausted_holds=any(text(spec.get("exhausted")) != "skip" for _, _, spec in specs),
        place=node.place,
    )


def _candidates(specs: list[tuple[str, Scalar, Mapping]], compiling: Compiling) -> tuple[Candidate, ...]:
    columns: list[list[tuple[str, Value | None]]] = []
    for name, _, spec in specs:
        nodes = items(spec.get("candidates"))
        columns.append([(name, compiling.value(item, extra_names=_NAMES)) for item in nodes])
    if len({len(column) for column in columns}) > 1:
        compiling.problem(
            specs[0][1].place, "claim-mismatch", "the namespaces of one claim need equally many candidates"
        )
    rows = zip(*columns, strict=False)
    return tuple(_candidate([(name, value) for name, value in row if value is not None]) for row in rows)


def _candidate(values: list[tuple[str, Value]]) -> Candidate:
    uses_n = any(isinstance(value, PlacedExpression) and "n" in value.expression.names for _, value in values)
    return Candidate(tuple(values), uses_n)


def _counter(spec: Mapping) -> range:
    node = spec.get("counter")
    if not isinstance(node, Mapping):
        return range(0)
    start = integer(node.get("from"), 2)
    return range(start, integer(node.get("to"), 999) + 1)


def _reserved(node: Node | None, compiling: Compiling) -> Value | None:
    if isinstance(node, Listing):
        return Literal(plain(node))
    return compiling.value(node)
