"""The issuer's keys: when they are fetched, who waits, what goes on while the issuer is down."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import MappingProxyType

import pytest
import structlog

from usher.web.signing_keys import (
    LAST_RETRY_SECONDS,
    PATIENCE_SECONDS,
    WARN_SECONDS,
    Absent,
    KeysError,
    Pace,
    SigningKey,
    SigningKeys,
)

# Far beyond what anything here takes: only a hang gets there.
HANG_SECONDS = 60.0
PACE = Pace(refresh_seconds=600, pause_seconds=10, stale_seconds=3600)


@dataclass
class Clock:
    """Stands still until it is moved."""

    seconds: float = 5000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@dataclass
class Issuer:
    """Publishes keys, or fails; a fetch waits while `may_answer` is cleared."""

    names: tuple[str, ...] = ("k1",)
    fault: Exception | None = None
    fetches: int = 0
    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_answer: threading.Event = field(default_factory=threading.Event)
    jwk: str = "{}"

    def __post_init__(self) -> None:
        self.may_answer.set()

    def fetch(self) -> Mapping[str, SigningKey]:
        """Say that somebody is here, wait for leave, then answer."""
        self.fetches += 1
        self.began.release()
        assert self.may_answer.wait(HANG_SECONDS)
        if self.fault is not None:
            raise self.fault
        return {name: SigningKey(name, self.jwk, MappingProxyType({})) for name in self.names}


@dataclass
class Kept:
    """Keys that are being fetched, their issuer and the time."""

    issuer: Issuer
    clock: Clock
    keys: SigningKeys
    callers: list[threading.Thread] = field(default_factory=list)
    found: list[object] = field(default_factory=list)

    def call(self, key_id: str) -> None:
        """Look for a key as a worker would, on a thread of its own."""
        thread = threading.Thread(target=lambda: self.found.append(self.keys.find(key_id)))
        self.callers.append(thread)
        thread.start()

    def answers(self) -> list[object]:
        """Wait for all callers."""
        for thread in self.callers:
            thread.join(HANG_SECONDS)
            assert not thread.is_alive()
        return self.found

    def fetch_again(self) -> None:
        """Have them fetched once more, at once, and wait for that."""
        with self.keys._changed:
            rounds = self.keys._rounds
            self.keys._due_at = self.clock()
            self.keys._is_asked = True
            self.keys._changed.notify_all()
            assert self.keys._changed.wait_for(lambda: self.keys._rounds > rounds, HANG_SECONDS)


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    """Return what is closed after the test."""
    with ExitStack() as stack:
        yield stack


def kept(ends: ExitStack, issuer: Issuer | None = None, *, pace: Pace = PACE, fetched: bool = True) -> Kept:
    """Return keys that are being fetched; after the first fetch, unless it is held up."""
    issuer, clock = issuer or Issuer(), Clock()
    keys = SigningKeys(issuer.fetch, pace, clock=clock)
    ends.callback(issuer.may_answer.set)
    ends.enter_context(keys.fetching())
    if fetched:
        with keys._changed:
            assert keys._changed.wait_for(lambda: keys._rounds > 0, HANG_SECONDS)
    return Kept(issuer, clock, keys)


def name_of(found: object) -> object:
    """Return a key's id, or why there is none."""
    return found.key_id if isinstance(found, SigningKey) else found


def test_keys_are_fetched_at_the_start_and_found_without_asking_again(ends: ExitStack) -> None:
    """One fetch serves all calls."""
    made = kept(ends)
    assert [name_of(made.keys.find("k1")) for _ in range(3)] == ["k1"] * 3
    assert made.issuer.fetches == 1


def test_a_call_before_the_first_keys_waits_for_them(ends: ExitStack) -> None:
    """A start does not refuse who comes a moment too early."""
    issuer = Issuer()
    issuer.may_answer.clear()
    made = kept(ends, issuer, fetched=False)
    assert issuer.began.acquire(timeout=HANG_SECONDS)
    made.call("k1")
    issuer.may_answer.set()
    assert [name_of(found) for found in made.answers()] == ["k1"]
    assert issuer.fetches == 1


def test_all_callers_of_a_new_key_wait_for_the_same_fetch(ends: ExitStack) -> None:
    """A genuine rotation refuses nobody: Okta does not repeat what was refused."""
    made = kept(ends)
    assert made.issuer.began.acquire(timeout=HANG_SECONDS)
    made.issuer.may_answer.clear()
    made.issuer.names = ("k1", "k2")
    for _ in range(8):
        made.call("k2")
    assert made.issuer.began.acquire(timeout=HANG_SECONDS)
    made.issuer.may_answer.set()
    assert [name_of(found) for found in made.answers()] == ["k2"] * 8
    assert made.issuer.fetches == 2


def test_a_fetch_that_began_before_the_key_did_is_followed_by_one_more(ends: ExitStack) -> None:
    """What a regular fetch brings may be older than the token."""
    issuer = Issuer()
    issuer.may_answer.clear()
    made = kept(ends, issuer, fetched=False)
    assert issuer.began.acquire(timeout=HANG_SECONDS)
    made.call("k2")
    issuer.may_answer.set()
    assert made.answers() == [Absent.UNKNOWN]
    assert issuer.fetches == 2


def test_in_the_pause_unknown_keys_are_refused_without_a_fetch(ends: ExitStack) -> None:
    """APPSEC: a stranger who names keys without end causes one fetch in each pause."""
    made = kept(ends)
    assert made.keys.find("x") is Absent.UNKNOWN
    assert {made.keys.find(f"x{number}") for number in range(1000)} == {Absent.UNKNOWN}
    assert made.issuer.fetches == 2
    made.clock.seconds += PACE.pause_seconds
    assert {made.keys.find(f"x{number}") for number in range(1000)} == {Absent.UNKNOWN}
    assert made.issuer.fetches == 3


def test_known_keys_are_found_while_strangers_wait(ends: ExitStack) -> None:
    """A fetch that hangs holds nobody up whose key is there."""
    made = kept(ends)
    made.issuer.may_answer.clear()
    made.call("x")
    assert made.issuer.began.acquire(timeout=HANG_SECONDS)
    assert name_of(made.keys.find("k1")) == "k1"
    made.issuer.may_answer.set()
    assert made.answers() == [Absent.UNKNOWN]


def test_a_fetch_is_waited_for_from_its_beginning_and_not_from_each_caller(ends: ExitStack) -> None:
    """APPSEC: an issuer that hangs costs workers one second and not one for each stranger."""
    made = kept(ends)
    assert made.issuer.began.acquire(timeout=HANG_SECONDS)
    made.issuer.may_answer.clear()
    made.call("x")
    assert made.issuer.began.acquire(timeout=HANG_SECONDS)
    made.clock.seconds += PATIENCE_SECONDS
    assert made.keys.find("y") is Absent.UNKNOWABLE
    assert made.answers() == [Absent.UNKNOWABLE]  # it waits by the real clock, a second


def test_keys_go_on_while_the_issuer_is_down(ends: ExitStack) -> None:
    """Nothing is forgotten by a fetch that fails; what is unknown then cannot be told from new."""
    made = kept(ends)
    for fault in (KeysError("timeout"), KeysError("not-json"), RuntimeError("a fault of ours")):
        made.issuer.fault = fault
        made.fetch_again()
        assert name_of(made.keys.find("k1")) == "k1"
    assert made.keys.find("x") is Absent.UNKNOWABLE
    made.issuer.fault = None
    made.fetch_again()
    assert made.keys.find("x") is Absent.UNKNOWN


def test_keys_are_not_believed_for_ever(ends: ExitStack) -> None:
    """After the time set, an issuer that cannot be asked may have withdrawn them; 0 believes on."""
    made = kept(ends)
    made.issuer.fault = KeysError("timeout")
    made.fetch_again()
    made.clock.seconds += PACE.stale_seconds
    assert name_of(made.keys.find("k1")) == "k1"
    made.clock.seconds += 1
    assert (dict(made.keys.current()), made.keys.find("k1")) == ({}, Absent.UNKNOWABLE)
    ever = kept(ends, pace=Pace(600, 10, 0))
    ever.clock.seconds += 10**9
    assert name_of(ever.keys.find("k1")) == "k1"


def test_a_withdrawn_key_is_gone_and_one_that_stays_is_the_same(ends: ExitStack) -> None:
    """What was verified with a key stays verified as long as the issuer publishes it unchanged."""
    made = kept(ends, Issuer(names=("k1", "k2")))
    before = made.keys.current()
    made.issuer.names = ("k1",)
    made.fetch_again()
    assert list(made.keys.current()) == ["k1"]
    assert made.keys.current()["k1"] is before["k1"]
    made.issuer.jwk = '{"n": "other"}'
    made.fetch_again()
    assert made.keys.current()["k1"] is not before["k1"]


def test_keys_are_fetched_anew_when_they_are_due() -> None:
    """Without anybody asking."""
    issuer = Issuer()
    keys = SigningKeys(issuer.fetch, Pace(0.001, 10, 0))
    with keys.fetching():
        for _ in range(3):
            assert issuer.began.acquire(timeout=HANG_SECONDS)


def test_a_start_without_the_issuer_tries_again_by_itself() -> None:
    """And ends up with keys, without a restart."""
    issuer = Issuer(fault=KeysError("unreachable"))
    keys = SigningKeys(issuer.fetch, Pace(0.001, 10, 0))
    with keys.fetching():
        for _ in range(2):
            assert issuer.began.acquire(timeout=HANG_SECONDS)
        issuer.fault = None
        with keys._changed:
            assert keys._changed.wait_for(lambda: "k1" in keys.current(), HANG_SECONDS)


def test_the_time_between_tries_grows_up_to_a_bound(ends: ExitStack) -> None:
    """An issuer that is down is not hammered, and one that is back is soon found."""
    made = kept(ends, Issuer(fault=KeysError("unreachable")))
    waits = []
    for _ in range(9):
        waits.append(made.keys._due_at - made.clock())
        made.fetch_again()
    assert waits == [1, 2, 4, 8, 16, 32, LAST_RETRY_SECONDS, LAST_RETRY_SECONDS, LAST_RETRY_SECONDS]
    made.issuer.fault = None
    made.fetch_again()
    assert made.keys._due_at - made.clock() == PACE.refresh_seconds


def test_what_is_told_of_keys(ends: ExitStack) -> None:
    """How many, since when, and what the last fetch failed for."""
    made = kept(ends, Issuer(fault=KeysError("status-500")))
    assert made.keys.facts() == {"keys": 0, "fetched": None, "failure": "status-500"}
    made.issuer.fault = None
    made.fetch_again()
    facts = made.keys.facts()
    assert (facts["keys"], str(facts["fetched"])[-1], facts["failure"]) == (1, "Z", None)


def test_the_log_tells_of_failures_once_a_minute_and_of_every_change(ends: ExitStack) -> None:
    """An outage of a day is no gigabyte of log; what did not change is not told."""
    with structlog.testing.capture_logs() as logged:
        made = kept(ends, Issuer(fault=KeysError("tls")))
        made.fetch_again()
        made.clock.seconds += WARN_SECONDS + 1
        made.fetch_again()
        made.issuer.fault = None
        made.fetch_again()
        made.fetch_again()
        made.issuer.names = ("k1", "k2")
        made.fetch_again()
        made.issuer.fault = KeysError("timeout")
        made.fetch_again()
        ends.close()
    assert [tuple(entry.values()) for entry in logged] == [
        ("tls", 0, "signing_keys_failed", "error"),
        ("tls", 0, "signing_keys_failed", "error"),
        (1, "signing_keys_fetched", "info"),
        (2, "signing_keys_fetched", "info"),
        ("timeout", 2, "signing_keys_failed", "error"),
    ]


def test_nobody_waits_for_keys_after_the_end() -> None:
    """A stop is not held up by a caller, nor a caller by the stop."""
    issuer = Issuer()
    keys = SigningKeys(issuer.fetch, PACE, clock=Clock())
    with keys.fetching(), keys._changed:
        assert keys._changed.wait_for(lambda: keys._rounds > 0, HANG_SECONDS)
    assert keys.find("x") is Absent.UNKNOWABLE
    assert name_of(keys.find("k1")) == "k1"
