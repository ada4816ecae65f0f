"""How the ledger's keys are made: agreed on at a start, made anew by `usher ledger migrate`, never lost on the way."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from usher.adapters.sql.database import Database, DatabaseOptions, StoreSetupError, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.ledger_admin import PAGE_ROWS, Sought, count, release
from usher.adapters.sql.ledger_keys import require_agreement
from usher.adapters.sql.ledger_rekey import Collision, Rekeyed, rekey
from usher.adapters.sql.ledger_tables import AUDIT, HOLDINGS, NAMESPACES
from usher.adapters.sql.versions import migrate
from usher.domain.bounded import bounded
from usher.engine import Namespace, Owner, Patience
from usher.engine.stores import is_claimable

WHOLE, LOCAL = Namespace("login"), Namespace("login", compare="local")
ANN, BOB = Owner("0oa1", "7"), Owner("0oa2", "8")
NUMBERS = itertools.count()


@pytest.fixture
def database(store_url: str, tmp_path: Path) -> Iterator[Database]:
    """Return an empty ledger's database."""
    opened = Database(url_of(store_url, tmp_path, "ledger.url"), "ledger", DatabaseOptions(connections=8))
    migrate(opened)
    yield opened
    opened.close()


def agree(database: Database, *namespaces: Namespace) -> None:
    """Start with these namespaces."""
    require_agreement(database, {namespace.name: namespace for namespace in namespaces})


def made_anew(database: Database, *namespaces: Namespace) -> Sequence[Rekeyed | Collision]:
    """Make keys anew, at the moment 9."""
    return rekey(database, {namespace.name: namespace for namespace in namespaces}, clock=lambda: 9)


def claim(database: Database, owner: Owner, value: str, namespace: Namespace = WHOLE, *, at: int = 1) -> bool:
    """Claim a value at a moment."""
    with SqlLedger(database, clock=lambda: at).claims(owner, Patience(60)) as claims:
        return claims.take([(namespace, value)], "p/a")


def keys(database: Database, name: str = "login") -> dict[str, tuple[str, str, int | None]]:
    """Return value, subject and `seen` by key."""
    with database.reading(database.patience()) as connection:
        found = connection.execute(select(HOLDINGS).where(HOLDINGS.c.namespace == name))
        return {row.key: (row.value, row.subject, row.seen) for row in found}


def noted(database: Database, *actions: str) -> list[tuple[object, ...]]:
    """Return what the audit says of some actions."""
    with database.reading(database.patience()) as connection:
        columns = (AUDIT.c.at, AUDIT.c.action, AUDIT.c.value, AUDIT.c.subject, AUDIT.c.reason)
        found = connection.execute(select(*columns).where(AUDIT.c.action.in_(actions)).order_by(AUDIT.c.id))
        return [tuple(row) for row in found]


def see(database: Database, value: str, at: int) -> None:
    """Let a load of the directory have shown a value."""
    with database.writing(database.patience()) as connection:
        connection.execute(update(HOLDINGS).where(HOLDINGS.c.value == value).values(seen=at))


# --- agreement


def test_a_new_namespace_is_put_down_and_found_again(database: Database) -> None:
    """With what its keys depend on; a second start writes nothing."""
    agree(database, Namespace("login", (".ext",), "local"))
    with database.reading(database.patience()) as connection:
        found = connection.execute(select(NAMESPACES)).all()
    assert [(row.name, row.fold_version, row.compare, row.ignoring) for row in found] == [
        ("login", 1, "local", '[".ext"]')
    ]
    agree(database, Namespace("login", (".ext",), "local", directory=("email",)))


@pytest.mark.parametrize("other", [LOCAL, Namespace("login", ("x",)), "fold"], ids=["compare", "ignoring", "fold"])
def test_other_keys_than_those_that_are_there_are_refused(database: Database, other: Namespace | str) -> None:
    """Whatever they depend on; a namespace that holds nothing may change."""
    agree(database, WHOLE, Namespace("alias"))
    claim(database, ANN, "ann@example.com")
    if isinstance(other, str):
        with database.writing(database.patience()) as connection:
            connection.execute(update(NAMESPACES).values(fold_version=0))
    wanted = WHOLE if isinstance(other, str) else other
    with pytest.raises(StoreSetupError, match=r"compares login otherwise .* run `usher ledger migrate`"):
        agree(database, wanted, Namespace("alias", compare="local"))
    release(database, WHOLE, "ann@example.com", reason="x")
    agree(database, wanted, Namespace("alias", compare="local"))


def test_several_instances_may_start_at_once(database: Database) -> None:
    """Each puts down what is new, and none fails for the others."""
    start = threading.Barrier(6)

    def run(_: int) -> None:
        start.wait(60)
        agree(database, WHOLE, Namespace("alias", compare="local"))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(run, range(6))) == [None] * 6
    with database.reading(database.patience()) as connection:
        assert sorted(connection.execute(select(NAMESPACES.c.name)).scalars()) == ["alias", "login"]


# --- making keys anew


def test_keys_that_agree_stay(database: Database) -> None:
    """Nothing is done, nothing noted."""
    agree(database, WHOLE)
    claim(database, ANN, "ann@example.com")
    assert made_anew(database, WHOLE) == ()
    assert noted(database, "rekey", "merge") == []


def test_keys_are_made_as_the_namespace_compares_now(database: Database) -> None:
    """From then on a start agrees, and a claim meets who holds the value; other namespaces stay as they are."""
    agree(database, WHOLE, Namespace("alias"))
    claim(database, ANN, "Ann@example.com")
    claim(database, BOB, "bob")
    claim(database, BOB, "ann@example.org", Namespace("alias"))
    assert made_anew(database, LOCAL) == (Rekeyed("login", 1, 0),)
    assert keys(database) == {"ann": ("Ann@example.com", "7", None), "bob": ("bob", "8", None)}
    assert keys(database, "alias") == {"ann@example.org": ("ann@example.org", "8", None)}
    agree(database, LOCAL, Namespace("alias"))
    assert not claim(database, BOB, "ann@elsewhere.example", LOCAL)
    reason = "1 keys made anew, 0 values merged: fold version 1, compare local, ignoring []"
    assert noted(database, "rekey", "merge") == [(9, "rekey", "", "", reason)]


def test_keys_of_an_older_fold_are_made_anew(database: Database) -> None:
    """As after an upgrade whose fold knows more letters."""
    agree(database, WHOLE)
    with database.writing(database.patience()) as connection:
        connection.execute(update(NAMESPACES).values(fold_version=0))
        row = {"namespace": "login", "key": "øre@x", "value": "Øre@x", "application": "", "subject": "7"}
        connection.execute(insert(HOLDINGS), {**row, "source": "claim", "since": 1, "seen": 2})
    assert made_anew(database, WHOLE) == (Rekeyed("login", 1, 0),)
    assert keys(database) == {"ore@x": ("Øre@x", "7", 2)}
    agree(database, WHOLE)


def test_of_one_owners_values_that_are_the_same_now_the_newest_stays(database: Database) -> None:
    """It was answered last; the others are on record as merged, and that a load had shown one counts for it."""
    agree(database, WHOLE)
    claim(database, ANN, "ann@a.example", at=1)
    claim(database, ANN, "ann@c.example", at=3)
    claim(database, ANN, "ann@b.example", at=2)
    see(database, "ann@a.example", 5)
    see(database, "ann@b.example", 4)
    assert made_anew(database, LOCAL) == (Rekeyed("login", 1, 2),)
    assert keys(database) == {"ann": ("ann@c.example", "7", 4)}
    merged = "the same as a newer value of its owner, as the namespace compares now"
    assert sorted(noted(database, "merge")) == [
        (9, "merge", "ann@a.example", "7", merged),
        (9, "merge", "ann@b.example", "7", merged),
    ]


def test_values_of_different_owners_that_are_the_same_now_collide(database: Database) -> None:
    """All are told, the oldest first, and nothing changes; once all but one are free, keys are made anew."""
    agree(database, WHOLE)
    claim(database, BOB, "ann@b.example", at=2)
    claim(database, ANN, "Ann@a.example", at=1)
    claim(database, ANN, "ann@c.example", at=3)
    claim(database, ANN, "free@a.example")
    claim(database, BOB, "x@a.example", at=1)
    claim(database, Owner("0oa1", "8"), "x@b.example", at=2)
    before = keys(database)
    assert made_anew(database, LOCAL) == (
        Collision("login", (("Ann@a.example", ANN), ("ann@b.example", BOB), ("ann@c.example", ANN))),
        Collision("login", (("x@a.example", BOB), ("x@b.example", Owner("0oa1", "8")))),
    )
    assert keys(database) == before
    assert noted(database, "rekey", "merge") == []
    agree(database, WHOLE)
    for value in ("ann@b.example", "x@a.example"):
        assert len(release(database, LOCAL, value, reason="two people")) == 1
    assert made_anew(database, LOCAL) == (Rekeyed("login", 3, 1),)
    assert sorted(keys(database)) == ["ann", "free", "x"]


def test_a_new_key_may_be_the_old_one_of_another_value(database: Database) -> None:
    """All keys change at once: in between nothing collides."""
    old, new = Namespace("login"), Namespace("login", (".ext",))
    agree(database, old)
    claim(database, ANN, "a.ext.ext@x")
    claim(database, BOB, "a.ext@x")
    claim(database, ANN, "b@x")
    assert made_anew(database, new) == (Rekeyed("login", 2, 0),)
    assert {key: value for key, (value, _, _) in keys(database).items()} == {
        "a.ext@x": "a.ext.ext@x",
        "a@x": "a.ext@x",
        "b@x": "b@x",
    }
    assert made_anew(database, old) == (Rekeyed("login", 2, 0),)
    assert sorted(keys(database)) == ["a.ext.ext@x", "a.ext@x", "b@x"]


def test_more_keys_than_a_page_are_made_anew(database: Database) -> None:
    """None is left out where one page ends and the next begins."""
    agree(database, WHOLE)
    number = PAGE_ROWS + 3
    with SqlLedger(database).claims(ANN, Patience(60)) as claims:
        for index in range(number):
            claims.take([(WHOLE, f"x{index}@x")], "p/a")
    assert made_anew(database, LOCAL) == (Rekeyed("login", number, 0),)
    assert set(keys(database)) == {f"x{index}" for index in range(number)}
    assert count(database, Sought()) == number


VALUES = st.text(st.sampled_from("abAá.xet@"), min_size=1, max_size=8) | st.sampled_from(
    ["a@x", "a@y", "A@x", "á@z", "a.ext@x", "a.ext.ext@x", "b@x", "b.ext@y", ".ext@x", "@x", "x" * 300]
)
COMPARED = st.tuples(st.sampled_from([(), (".ext",), ("a", ".ext")]), st.sampled_from(["whole", "local"]))
HELD = st.lists(st.tuples(st.sampled_from([ANN, BOB, Owner("0oa1", "9")]), VALUES), max_size=8)


def test_whatever_is_held_it_is_moved_whole_or_told_to_collide(database: Database) -> None:
    """Each owner keeps the newest of what is the same; what collides are exactly the keys with two owners."""

    @given(HELD, COMPARED, COMPARED)
    def law(
        held: list[tuple[Owner, str]], before: tuple[tuple[str, ...], str], after: tuple[tuple[str, ...], str]
    ) -> None:
        name = f"n{next(NUMBERS)}"
        old, new = (
            Namespace(name, ignoring, "local" if how == "local" else "whole") for ignoring, how in (before, after)
        )
        assume(all(is_claimable(value) for _, value in held))
        agree(database, old)
        taken: dict[str, tuple[int, str, Owner]] = {}
        for at, (owner, value) in enumerate(held):
            if claim(database, owner, value, old, at=at):
                # Who gets a value again has it as the newest, as it was first written.
                _, written, _ = taken.get(old.key(value), (0, value, owner))
                taken[old.key(value)] = (at, written, owner)
        alike: dict[str, list[tuple[int, str, Owner]]] = {}
        for row in taken.values():
            alike.setdefault(bounded(new.key(row[1])), []).append(row)
        came = made_anew(database, new)
        collided = [rows for rows in alike.values() if len({owner for _, _, owner in rows}) > 1]
        assert len([one for one in came if isinstance(one, Collision)]) == len(collided)
        if collided:
            assert sorted(keys(database, name)) == sorted(map(bounded, taken))
        else:
            stays = {key: max(rows)[1:] for key, rows in alike.items()}
            assert {key: row[:2] for key, row in keys(database, name).items()} == {
                key: (value, owner.subject) for key, (value, owner) in stays.items()
            }
            agree(database, new)

    law()
