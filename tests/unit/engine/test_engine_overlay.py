"""The overlay: everything below is seen, and nothing is left there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.engine_desk import Desk, claimed
from tests.unit.engine.engine_worlds import World, worlds
from usher.engine import (
    DEFAULT_NAMESPACES,
    MemoryDirectory,
    MemoryLedger,
    Namespace,
    Owner,
    Patience,
    PolicySet,
    Stores,
)
from usher.engine.overlay import OverlayLedger, overlaid
from usher.engine.stores import Claims

LOGIN = DEFAULT_NAMESPACES["login"]
ANN, BOB = Owner("0oa1", "ann"), Owner("0oa1", "bob")
NAMESPACES = {"login": Namespace("login"), "account": Namespace("account", directory=())}


class GuardedLedger(MemoryLedger):
    """A ledger that notes how each transaction ended, as a database would."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    @contextmanager
    def claims(self, owner: Owner, patience: Patience | None = None) -> Iterator[Any]:
        """Open a transaction and note its end."""
        try:
            with super().claims(owner, patience) as work:
                yield work
        except Exception:
            self.ended.append("rolled back")
            raise
        self.ended.append("committed")


@pytest.fixture
def below() -> GuardedLedger:
    """Return a ledger in which Ann holds a login."""
    ledger = GuardedLedger()
    with ledger.claims(ANN, Patience()) as claims:
        claims.take([(LOGIN, "ann@example.com")], "")
    ledger.ended.clear()
    return ledger


def test_what_is_held_below_is_seen(below: GuardedLedger) -> None:
    """Outside of a transaction and within: by whom, and whether it may be taken."""
    overlay = OverlayLedger(below)
    assert overlay.holder(LOGIN, "ANN@example.com", Patience()) == ANN
    assert overlay.holder(LOGIN, "bob@example.com", Patience()) is None
    with overlay.claims(BOB, Patience()) as claims:
        assert claims.holders([(LOGIN, "ann@example.com")]) == [ANN]
        assert not claims.take([(LOGIN, "ann@example.com")], "")
    with overlay.claims(ANN, Patience()) as claims:
        assert claims.earlier(LOGIN) == ("ann@example.com",)
        assert claims.take([(LOGIN, "ann@example.com")], "")


def test_what_is_claimed_is_seen_within_and_nothing_is_left(below: GuardedLedger) -> None:
    """The next transaction finds the value free, whoever opens it, and below nothing was ever committed."""
    overlay = OverlayLedger(below)
    for owner in (BOB, ANN):
        with overlay.claims(owner, Patience()) as claims:
            assert claims.holders([(LOGIN, "new@example.com")]) == [None]
            assert claims.take([(LOGIN, "new@example.com")], "")
            assert claims.holders([(LOGIN, "new@example.com")]) == [owner]
            assert claims.earlier(LOGIN)[0] == "new@example.com"
        assert overlay.holder(LOGIN, "new@example.com", Patience()) is None
    assert below.ended == ["rolled back", "rolled back"]
    assert [value for _, value in below.held.values()] == ["ann@example.com"]
    assert below.by_owner == {(ANN, "login"): ["ann@example.com"]}


def test_an_exception_within_comes_out_as_itself(below: GuardedLedger) -> None:
    """And rolls back as it would below."""
    fault = KeyError("x")

    def fails(claims: Claims) -> None:
        claims.take([(LOGIN, "new@example.com")], "")
        raise fault

    with pytest.raises(KeyError) as raised, OverlayLedger(below).claims(BOB, Patience()) as claims:
        fails(claims)
    assert raised.value is fault
    assert below.ended == ["rolled back"]
    assert below.holder(LOGIN, "new@example.com", Patience()) is None


def test_a_ledger_that_cannot_open_a_transaction_fails_as_it_would_below() -> None:
    """The rule fails; the overlay hides nothing."""

    class Away(MemoryLedger):
        @contextmanager
        def claims(self, owner: Owner, patience: Patience | None = None) -> Iterator[Any]:
            del patience
            raise TimeoutError(owner.subject)
            yield  # pragma: no cover

    with pytest.raises(TimeoutError), OverlayLedger(Away()).claims(BOB, Patience()):
        pass


def test_a_transaction_may_be_opened_while_another_thread_has_none(below: GuardedLedger) -> None:
    """An overlay leaves no lock behind: the ledger goes on as before."""
    overlay = OverlayLedger(below)
    with overlay.claims(BOB, Patience()) as claims:
        claims.take([(LOGIN, "bob@example.com")], "")
    with below.claims(BOB, Patience()) as claims:
        assert claims.take([(LOGIN, "bob@example.com")], "")
    assert overlay.holder(LOGIN, "bob@example.com", Patience()) == BOB
    assert below.ended == ["rolled back", "committed"]


def test_only_the_ledger_is_overlaid(below: GuardedLedger) -> None:
    """The directory is only read anyway."""
    stores = Stores(below, MemoryDirectory(), DEFAULT_NAMESPACES)
    over = overlaid(stores)
    assert isinstance(over.ledger, OverlayLedger)
    assert (over.directory, over.namespaces) == (stores.directory, stores.namespaces)
    assert stores.ledger is below


@given(worlds(), st.lists(st.sampled_from("123"), min_size=1, max_size=3))
def test_a_decision_on_an_overlay_is_the_one_below_and_leaves_nothing(
    policy_set: Callable[..., PolicySet], payload: Callable[..., dict[str, Any]], world: World, rows: list[str]
) -> None:
    """Law: for any policies and rows, the same is decided, and the ledger is as it was."""
    desk = Desk(policy_set, payload, namespaces=NAMESPACES)
    desk.hold_for("9", "held@example.com")
    for row in rows:
        held = dict(desk.ledger.held)
        user = {"login": "ann@example.com"}
        looked = Desk(policy_set, payload, namespaces=NAMESPACES, ledger=OverlayLedger(desk.ledger), loaded=desk.loaded)  # type: ignore[arg-type]  # a desk only asks it
        seen = looked.ask(world.files(), subject=row, user=user)
        assert desk.ledger.held == held
        made = desk.ask(world.files(), subject=row, user=user)
        assert (claimed(seen), seen.assignments, seen.holds) == (claimed(made), made.assignments, made.holds)
