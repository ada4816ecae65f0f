"""Answers kept for a while."""

import threading
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from usher.answer.replay import ENTRY_OVERHEAD_BYTES, ReplayStore
from usher.answer.reply import Reply
from usher.domain.decision import Outcome


@dataclass
class Clock:
    """Stands still until it is moved."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def reply(body: bytes = b"{}", decision_id: str = "d-1") -> Reply:
    """Return a reply."""
    return Reply(200, body, decision_id, Outcome.DEFAULT)


def test_a_reply_is_kept_until_it_expires() -> None:
    """At the very end of its time it is gone."""
    clock = Clock()
    store = ReplayStore(keep_seconds=600, limit_bytes=10_000, clock=clock)
    key = store.key(b"body", "rev")
    assert store.find(key) is None
    store.keep(key, reply())
    clock.seconds += 599.9
    assert store.find(key) == reply()
    clock.seconds += 0.1
    assert store.find(key) is None
    store.keep(key, reply(b"{ }", "d-2"))
    assert store.find(key) == reply(b"{ }", "d-2")


def test_the_first_reply_stands() -> None:
    """Two equal calls at once: whichever is kept first is what a third call gets."""
    store = ReplayStore(keep_seconds=600, limit_bytes=10_000, clock=Clock())
    key = store.key(b"body", "rev")
    store.keep(key, reply(b"{}", "d-1"))
    store.keep(key, reply(b"{ }", "d-2"))
    assert store.find(key) == reply(b"{}", "d-1")


@given(
    st.binary(max_size=8),
    st.binary(max_size=8),
    st.sampled_from(["a" * 16, "b" * 16, ""]),
    st.sampled_from(["a" * 16, "b" * 16, ""]),
)
def test_only_the_same_body_under_the_same_revision_is_the_same_call(
    one: bytes, other: bytes, revision: str, other_revision: str
) -> None:
    """Law: a byte or a revision apart is another call."""
    same = (one, revision) == (other, other_revision)
    assert (ReplayStore.key(one, revision) == ReplayStore.key(other, other_revision)) is same


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000), st.floats(0, 30)), max_size=60),
    st.integers(0, 6000),
    st.floats(1, 60),
)
def test_the_store_never_holds_more_than_its_bound(
    steps: list[tuple[int, int, float]], limit_bytes: int, keep_seconds: float
) -> None:
    """Law: whatever is kept and whenever, the bytes stay within the bound and nothing expired is given."""
    clock = Clock()
    store = ReplayStore(keep_seconds=keep_seconds, limit_bytes=limit_bytes, clock=clock)
    kept_at: dict[bytes, float] = {}
    for name, size, pause in steps:
        clock.seconds += pause
        key = store.key(bytes([name]), "rev")
        if store.find(key) is None:
            kept_at[key] = clock.seconds
        store.keep(key, reply(b"x" * size))
        held = [len(entry[2]) + ENTRY_OVERHEAD_BYTES for entry in store._kept.values()]
        assert store._bytes == sum(held) <= limit_bytes
        for other, since in kept_at.items():
            assert store.find(other) is None or clock.seconds - since < keep_seconds


def test_the_oldest_go_first() -> None:
    """The latest calls are those that may be retried."""
    store = ReplayStore(keep_seconds=600, limit_bytes=3 * (ENTRY_OVERHEAD_BYTES + 2), clock=Clock())
    keys = [store.key(bytes([number]), "rev") for number in range(5)]
    for key in keys:
        store.keep(key, reply())
    assert [store.find(key) is not None for key in keys] == [False, False, True, True, True]


def test_a_store_of_no_bytes_keeps_nothing() -> None:
    """What `usher eval` uses."""
    store = ReplayStore(keep_seconds=0, limit_bytes=0)
    store.keep(store.key(b"", ""), reply())
    assert store.find(store.key(b"", "")) is None


def test_threads_may_share_a_store() -> None:
    """Its count is right when all are done, and every thread finds only what belongs to its key."""
    store = ReplayStore(keep_seconds=600, limit_bytes=20 * (ENTRY_OVERHEAD_BYTES + 4), clock=Clock())
    foreign: list[object] = []

    def work(seed: int) -> None:
        for number in range(2000):
            name = (number * seed) % 50
            body = f"{name:04}".encode()
            store.keep(store.key(body, "rev"), reply(body))
            found = store.find(store.key(body, "rev"))
            if found is not None and found.body != body:
                foreign.append(found)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 7, 11, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert foreign == []
    assert store._bytes == sum(len(entry[2]) + ENTRY_OVERHEAD_BYTES for entry in store._kept.values())
