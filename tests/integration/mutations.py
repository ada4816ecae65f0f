"""What a hostile or broken sender makes of good bytes: strategies, and how long to try them.

Owns the mutations; what must hold for what they make is the tests'. Hypothesis and no coverage-guided fuzzer, because
what is looked for are broken promises, not crashes of C code: it shrinks what it finds, needs no build of its own, runs
on every system the service runs on, and the same strategies serve seconds in CI and minutes in `make test-long`.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

_SHOWN_BYTES: Final = 400
LONG_SECONDS: Final = 600.0
"""How long all fuzzing together takes in `make test-long`, unless USHER_FUZZ_SECONDS says otherwise."""
ROUND: Final = 500
T = TypeVar("T")


class Sent(bytes):
    """Bytes whose representation stays short: failing ones are printed, and thousands of them say no more."""

    __slots__ = ()

    def __repr__(self) -> str:
        if len(self) <= _SHOWN_BYTES:
            return super().__repr__()
        return f"{bytes(self[: _SHOWN_BYTES * 3 // 4])!r}…{bytes(self[-_SHOWN_BYTES // 4 :])!r} ({len(self)} bytes)"


def mutated(originals: Sequence[bytes], tokens: Sequence[bytes]) -> st.SearchStrategy[Sent]:
    """Return originals after up to four mutations; tokens are what may be put in anywhere."""
    position, length = st.integers(0, 4000), st.integers(1, 60)
    token, other = st.sampled_from(tokens), st.sampled_from(originals)
    steps = st.one_of(
        st.builds(lambda at, bit: lambda raw: _flip(raw, at, bit), position, st.integers(0, 7)),
        st.builds(lambda at, much: lambda raw: _cut(raw, at, much), position, length),
        st.builds(lambda at: lambda raw: raw[: at % (len(raw) + 1)], position),
        st.builds(
            lambda at, much, times: lambda raw: _repeat(raw, at, much, times), position, length, st.integers(2, 40)
        ),
        st.builds(lambda at, much, what: lambda raw: _put(raw, at, much, what), position, st.integers(0, 20), token),
        st.builds(lambda at, there, what: lambda raw: _splice(raw, at, what, there), position, position, other),
        st.builds(lambda at, what: lambda raw: _put(raw, at, 0, what), position, st.binary(min_size=1, max_size=8)),
    )
    return st.builds(_applied, other, st.lists(steps, min_size=1, max_size=4))


_SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ("", " ", "\x00", "\u202e", "a" * 300, "00u1", "CREATE_USER", "LINK_USER", "login", "N/A", "+49 30", "a@b.c")
    ),
)
JSON_VALUES: Final[st.SearchStrategy[object]] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
"""Values that JSON can hold, small and odd."""


def reshaped(originals: Sequence[bytes]) -> st.SearchStrategy[Sent]:
    """Return JSON texts with up to four of their values exchanged for others, doubled or left out; still JSON."""
    change = st.tuples(
        st.integers(0, 200), st.sampled_from(("exchange", "exchange", "drop", "double", "add")), JSON_VALUES
    )
    return st.builds(_reshaped, st.sampled_from(originals), st.lists(change, min_size=1, max_size=4), st.booleans())


def _reshaped(raw: bytes, changes: Sequence[tuple[int, str, object]], ascii_only: bool) -> Sent:  # noqa: FBT001 - drawn
    root = [json.loads(raw)]
    for number, kind, value in changes:
        places = list(_places(root))
        if not places:
            break
        holder, key = places[number % len(places)]
        if kind == "drop":
            del holder[key]
        elif kind == "double":
            holder[key] = [holder[key], holder[key]]
        elif kind == "add" and isinstance(holder, dict):
            holder[f"x{number}"] = value
        else:
            holder[key] = value
    whole = root[0] if root else None
    return Sent(json.dumps(whole, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


def _places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a value: its holder, and the key or index in it; the whole is in a list of its own."""
    for key, value in list(part.items()) if isinstance(part, dict) else list(enumerate(part)):
        yield part, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _applied(raw: bytes, steps: Sequence[Callable[[bytes], bytes]]) -> Sent:
    for step in steps:
        raw = step(raw)
    return Sent(raw)


def _flip(raw: bytes, at: int, bit: int) -> bytes:
    if not raw:
        return raw
    at %= len(raw)
    return raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :]


def _cut(raw: bytes, at: int, much: int) -> bytes:
    at %= len(raw) + 1
    return raw[:at] + raw[at + much :]


def _repeat(raw: bytes, at: int, much: int, times: int) -> bytes:
    at %= len(raw) + 1
    return raw[:at] + raw[at : at + much] * times + raw[at + much :]


def _put(raw: bytes, at: int, much: int, what: bytes) -> bytes:
    at %= len(raw) + 1
    return raw[:at] + what + raw[at + much :]


def _splice(raw: bytes, at: int, other: bytes, there: int) -> bytes:
    return raw[: at % (len(raw) + 1)] + other[there % (len(other) + 1) :]


def tried(
    check: Callable[[T], None], made: st.SearchStrategy[T], *, first: Sequence[T], examples: int, share: float
) -> None:
    """Check the same examples each time; in `make test-long` ever new ones, for a share of the time there is.

    What fails is reported with the seed of its round, which `USHER_FUZZ_SEED` repeats.
    """
    number = int(os.environ.get("USHER_FUZZ_SEED", "8"))
    if not os.environ.get("USHER_LONG_TESTS"):
        _round(check, made, first, number, examples)
        return
    number = int(os.environ.get("USHER_FUZZ_SEED", time.time_ns() % 1_000_000_007))
    until = time.monotonic() + share * float(os.environ.get("USHER_FUZZ_SECONDS", LONG_SECONDS))
    while time.monotonic() < until:
        print(f"USHER_FUZZ_SEED={number}", flush=True)
        _round(check, made, first, number, ROUND)
        number += 1


def _round(check: Callable[[T], None], made: st.SearchStrategy[T], first: Sequence[T], number: int, count: int) -> None:
    law = given(made)(check)
    for one in first:
        law = example(one)(law)
    limits = settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    seeded(number)(limits(law))()
