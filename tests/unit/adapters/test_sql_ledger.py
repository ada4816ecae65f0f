"""The ledger in SQL: one holder per value, all or none, on both databases, and no other than the one in memory."""

import itertools
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import func, select

from usher.adapters.sql.database import Database, DatabaseOptions, url_of
from usher.adapters.sql.ledger import SqlLedger
from usher.adapters.sql.ledger_tables import AUDIT, HOLDINGS
from usher.adapters.sql.versions import migrate
from usher.domain.bounded import bounded
from usher.engine import Ledger, MemoryLedger, Namespace, Owner, Patience
from usher.engine.stores import Named, is_claimable

LOGIN = Namespace("login")
ALIAS = Namespace("alias", compare="local")
ANN, BOB = Owner("0oa1", "7"), Owner("0oa1", "8")
RULE = "p/a"
NUMBERS = itertools.count()
"""Each example of a law has namespaces of its own: to empty a database sixty times would cost more than the law."""


@pytest.fixture
def database(store_url: str, tmp_path: Path) -> Iterator[Database]:
    """Return an empty ledger's database."""
    opened = Database(url_of(store_url, tmp_path, "ledger.url"), "ledger", DatabaseOptions(connections=10))
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    """Return an empty ledger whose clock moves on by itself."""
    return SqlLedger(database, clock=itertools.count(1_000, 1_000).__next__)


def take(ledger: Ledger, owner: Owner, *values: Named, reason: str = RULE) -> bool:
    """Claim values in a transaction of their own."""
    with ledger.claims(owner, Patience(60)) as claims:
        return claims.take(values, reason)


def earlier(ledger: Ledger, owner: Owner, namespace: Namespace = LOGIN) -> tuple[str, ...]:
    """Return what an owner holds."""
    with ledger.claims(owner, Patience(60)) as claims:
        return claims.earlier(namespace)


def rows(database: Database, table: Any) -> list[dict[str, object]]:
    """Return a table's rows without what differs from run to run."""
    with database.reading(database.patience()) as connection:
        found = connection.execute(select(table).order_by(table.c[0], table.c[1])).mappings()
        return [{name: value for name, value in row.items() if name != "id"} for row in found]


def written(database: Database) -> tuple[int, int]:
    """Return how many values are held, and how many changes are on record."""
    with database.reading(database.patience()) as connection:
        counts = (
            connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (HOLDINGS, AUDIT)
        )
        return next(counts), next(counts)


def test_a_value_has_one_holder(ledger: SqlLedger) -> None:
    """Who comes second is refused, however the value is spelled; everybody is told who holds it."""
    assert take(ledger, ANN, (LOGIN, "Jürgen@Example.com"))
    assert not take(ledger, BOB, (LOGIN, "JURGEN@example.com"))
    assert ledger.holder(LOGIN, "jurgen@example.com", Patience()) == ANN
    assert ledger.holder(LOGIN, "jurgen@example.org", Patience()) is None
    assert earlier(ledger, ANN) == ("Jürgen@Example.com",)


def test_a_claim_and_its_record_say_what_happened(ledger: SqlLedger, database: Database) -> None:
    """Value as written, key as compared, owner, rule and time; a login without a rule is told apart."""
    take(ledger, ANN, (LOGIN, "Ann@example.com"))
    take(ledger, ANN, (ALIAS, "Ann@example.com"), reason="")
    owned = {"application": "0oa1", "subject": "7"}
    value = {"value": "Ann@example.com", **owned}
    assert rows(database, HOLDINGS) == [
        {"namespace": "alias", "key": "ann", **value, "source": "remembered", "since": 2_000, "seen": None},
        {"namespace": "login", "key": "ann@example.com", **value, "source": "claim", "since": 1_000, "seen": None},
    ]
    assert rows(database, AUDIT) == [
        {"at": 1_000, "action": "claim", "namespace": "login", **value, "reason": RULE},
        {"at": 2_000, "action": "remembered", "namespace": "alias", **value, "reason": ""},
    ]


def test_an_own_value_is_granted_and_nothing_is_written(ledger: SqlLedger, database: Database) -> None:
    """A repeated import gets what it got, as often as it comes; what was given last is the newest."""
    take(ledger, ANN, (LOGIN, "ann@example.com"))
    before = rows(database, HOLDINGS), rows(database, AUDIT)
    assert take(ledger, ANN, (LOGIN, "ANN@example.com"))
    assert (rows(database, HOLDINGS), rows(database, AUDIT)) == before
    take(ledger, ANN, (LOGIN, "lee@example.com"))
    assert take(ledger, ANN, (LOGIN, "ANN@example.com"))
    assert earlier(ledger, ANN) == ("ann@example.com", "lee@example.com")
    assert written(database) == (2, 2)


def test_over_several_namespaces_a_claim_gets_all_or_nothing(ledger: SqlLedger, database: Database) -> None:
    """What came before the refused value is given back, within the same transaction, its record included."""
    take(ledger, BOB, (LOGIN, "ann@example.com"))
    with ledger.claims(ANN, Patience(60)) as claims:
        assert not claims.take([(ALIAS, "ann"), (LOGIN, "ann@example.com")], RULE)
        assert claims.take([(ALIAS, "ann2"), (LOGIN, "ann2@example.com")], RULE)
        assert claims.holders([(ALIAS, "ann"), (ALIAS, "ann2")]) == [None, ANN]
    assert written(database) == (3, 3)
    assert take(ledger, BOB, (ALIAS, "ann"))


def test_an_exception_leaves_nothing(ledger: SqlLedger, database: Database) -> None:
    """A hold after the claim gives everything back; there is not even a record of it."""

    class HoldError(Exception):
        pass

    def held() -> None:
        with ledger.claims(ANN, Patience(60)) as claims:
            assert claims.take([(LOGIN, "ann@example.com"), (ALIAS, "ann")], RULE)
            raise HoldError

    with pytest.raises(HoldError):
        held()
    assert written(database) == (0, 0)
    assert take(ledger, BOB, (LOGIN, "ann@example.com"))


def test_the_newest_of_an_owners_values_comes_first(ledger: SqlLedger) -> None:
    """By the time of the claim, and in one transaction by its order; other owners' and namespaces' are not there."""
    take(ledger, ANN, (LOGIN, "b@example.com"))
    take(ledger, BOB, (LOGIN, "x@example.com"))
    with ledger.claims(ANN, Patience(60)) as claims:
        for value in ("d@example.com", "a@example.com", "c@example.com"):
            assert claims.take([(LOGIN, value)], RULE)
        claims.take([(ALIAS, "ann")], RULE)
    assert earlier(ledger, ANN) == ("c@example.com", "a@example.com", "d@example.com", "b@example.com")
    assert earlier(ledger, Owner("0oa2", "7")) == ()


def test_who_gives_a_value_up_frees_it(ledger: SqlLedger, database: Database) -> None:
    """With the reason on record; what is not the owner's stays with whose it is, and nothing is noted."""
    take(ledger, ANN, (LOGIN, "ann@example.com"))
    with ledger.claims(BOB, Patience(60)) as claims:
        claims.give_up([(LOGIN, "ann@example.com"), (LOGIN, "nobody@example.com")], "replaced")
    assert ledger.holder(LOGIN, "ann@example.com", Patience()) == ANN
    with ledger.claims(ANN, Patience(60)) as claims:
        claims.give_up([(LOGIN, "ANN@example.com")], "replaced")
    noted = rows(database, AUDIT)
    assert [(row["action"], row["subject"], row["reason"]) for row in noted] == [
        ("claim", "7", RULE),
        ("release", "7", "replaced"),
    ]
    assert take(ledger, BOB, (LOGIN, "ann@example.com"))


def test_one_question_tells_the_holders_of_many_values(ledger: SqlLedger) -> None:
    """In the order of the values, over namespaces, with what this transaction took and with what nobody holds."""
    take(ledger, BOB, *((LOGIN, f"x{number}@example.com") for number in range(0, 1_000, 3)))
    with ledger.claims(ANN, Patience(60)) as claims:
        claims.take([(ALIAS, "x0"), (LOGIN, "x1@example.com")], RULE)
        asked = [(LOGIN, f"X{number}@example.com") for number in range(1_000)]
        assert claims.holders([*asked, (ALIAS, "X0")]) == [
            *(BOB if number % 3 == 0 else ANN if number == 1 else None for number in range(1_000)),
            ANN,
        ]
        assert claims.holders([]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Owner("0oa1", "x" * 5_000 + "1"), Owner("0oa1", "x" * 5_000 + "2")),
        (Owner("0oa1", "a\0b"), Owner("0oa1", "a\0c")),
        (Owner("0oa1", "a\ud800"), Owner("0oa1", "a\ud801")),
        (Owner("0oa\0", "1"), Owner("0oa", "1")),
        (Owner("0oa1", "1\n"), Owner("0oa1", "1")),
        (Owner("0oa1", "ä"), Owner("0oa1", "a\N{COMBINING DIAERESIS}")),
        (Owner("", "1"), Owner("1", "")),
    ],
    ids=["long", "nul", "surrogate", "application", "line-end", "composed", "sides"],
)
def test_owners_of_any_kind_are_told_apart(ledger: SqlLedger, one: Owner, other: Owner) -> None:
    """Ids come from HR: long, with characters that databases refuse, different by one of them."""
    value = (LOGIN, "ann@example.com")
    assert take(ledger, one, value)
    assert take(ledger, one, value)
    assert not take(ledger, other, value)
    assert earlier(ledger, one) == ("ann@example.com",)
    assert earlier(ledger, other) == ()


@pytest.mark.parametrize(
    "value", ["x" * 499 + "@", "\N{SNOWMAN}" * 400, "a\nb\x7f@x", "\N{NO-BREAK SPACE}a", "ﷺ" * 500]
)
def test_whatever_can_be_claimed_can_be_kept(ledger: SqlLedger, value: str) -> None:
    """Keys have a bound, values have the one that every claim has."""
    assert is_claimable(value)
    assert take(ledger, ANN, (LOGIN, value))
    assert not take(ledger, BOB, (LOGIN, value))
    assert earlier(ledger, ANN) == (value,)


def test_the_owner_that_is_told_is_the_one_that_took(ledger: SqlLedger) -> None:
    """The engine compares the two: an own value that looked like somebody else's would never be given again."""

    @given(st.text(max_size=250), st.text(max_size=250))
    def law(application: str, subject: str) -> None:
        owner = Owner(bounded(application), bounded(subject))
        value = (Namespace(f"n{next(NUMBERS)}"), "ann@example.com")
        with ledger.claims(owner, Patience(60)) as claims:
            assert claims.take([value], RULE)
            assert claims.holders([value]) == [owner]
        assert ledger.holder(*value, Patience()) == owner

    law()


def changed(text: str, how: int) -> str:
    """Return a text that is the same or nearly the same."""
    return [
        text,
        text.upper(),
        text.lower(),
        unicodedata.normalize("NFD", text),
        "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter)),
        text + "\N{COMBINING ACUTE ACCENT}",
        f".ext{text}",
        text.replace("@", ".ext@"),
        text.partition("@")[0] + "@b",
    ][how]


LETTERS = st.sampled_from("aAäÄßẞıIİiøØłæéÉ.@@ᾳΣςſKＡ½")  # noqa: RUF001 - letters that look alike are what this is about
VALUES = st.text(LETTERS, min_size=1, max_size=8) | st.text(min_size=1, max_size=30)
NAMESPACES = st.builds(
    lambda ignoring, compare: (ignoring, compare),
    st.sampled_from([(), (".ext",), ("Ä", ".ext")]),
    st.sampled_from(["whole", "local"]),
)


def test_two_values_collide_exactly_as_their_namespace_compares(ledger: SqlLedger) -> None:
    """No database adds an idea of its own of what is equal: collation, case, accents, blanks at the end."""

    @given(VALUES, st.integers(0, 8), VALUES, st.booleans(), NAMESPACES)
    def law(one: str, how: int, other: str, related: bool, compared: tuple[Any, Any]) -> None:  # noqa: FBT001 - drawn
        other = changed(one, how) if related else other
        assume(is_claimable(one) and is_claimable(other))
        namespace = Namespace(f"n{next(NUMBERS)}", ignoring=compared[0], compare=compared[1])
        assert take(ledger, ANN, (namespace, one))
        assert take(ledger, BOB, (namespace, other)) == (namespace.key(one) != namespace.key(other))

    law()


@dataclass(frozen=True)
class Transaction:
    """What one owner does in one transaction; `fails` rolls it back at its end."""

    owner: Owner
    steps: Sequence[tuple[str, Sequence[tuple[int, str]]]]
    fails: bool


NAMED = st.tuples(st.integers(0, 1), st.sampled_from(["a@x", "A@x", "á@x", "a@y", "b@x", "c@x", "d@x"]))
TRANSACTIONS = st.builds(
    Transaction,
    st.sampled_from([ANN, BOB, Owner("0oa2", "7")]),
    st.lists(
        st.tuples(
            st.sampled_from(["take", "take", "holders", "earlier", "give_up"]), st.lists(NAMED, min_size=1, max_size=3)
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([False, False, False, True]),
)


class FailedError(Exception):
    """Ends a transaction."""


def answers(ledger: Ledger, namespaces: Sequence[Namespace], work: Transaction) -> Iterator[object]:
    """Do what a transaction says and yield every answer."""
    with ledger.claims(work.owner, Patience(60)) as claims:
        for step, named in work.steps:
            values = [(namespaces[number], value) for number, value in named]
            if step == "take":
                yield claims.take(values, RULE)
            elif step == "holders":
                yield claims.holders(values)
            elif step == "give_up":
                claims.give_up(values, "replaced")
            else:
                yield [claims.earlier(namespace) for namespace in namespaces]
        if work.fails:
            raise FailedError


def told(ledger: Ledger, namespaces: Sequence[Namespace], work: Transaction) -> list[object]:
    """Return every answer of a transaction, the failure included."""
    found: list[object] = []
    try:
        found.extend(answers(ledger, namespaces, work))
    except FailedError:
        found.append("failed")
    return found


def test_it_answers_as_the_ledger_in_memory_does(ledger: SqlLedger) -> None:
    """Policy tests run on that one: what they show must be what the service does, whatever the order of events."""

    @given(st.lists(TRANSACTIONS, max_size=8))
    def law(history: list[Transaction]) -> None:
        number = next(NUMBERS)
        namespaces = (Namespace(f"n{number}"), Namespace(f"m{number}", compare="local"))
        memory = MemoryLedger()
        for work in history:
            assert told(ledger, namespaces, work) == told(memory, namespaces, work)
        values = [(namespace, value) for namespace in namespaces for value in ("a@x", "a@y", "b@x", "c@x", "d@x")]
        assert [ledger.holder(*value, Patience()) for value in values] == [memory.holder(*value) for value in values]

    law()


def first_free(ledger: SqlLedger, owner: Owner, names: Sequence[str]) -> str:
    """Claim as decisions do: look who holds what, take the first that is free; '' when none is left."""
    with ledger.claims(owner, Patience(60)) as claims:
        values = [(LOGIN, name) for name in names]
        held = claims.holders(values)
        free = (value for value, holder in zip(values, held, strict=True) if holder is None)
        return next((name for namespace, name in free if claims.take([(namespace, name)], RULE)), "")


def race(work: Callable[[int], dict[Owner, str]], threads: int) -> dict[Owner, str]:
    """Run work on many threads that begin at once, and put together what each got."""
    start = threading.Barrier(threads)

    def run(number: int) -> dict[Owner, str]:
        start.wait(60)
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return {owner: name for got in pool.map(run, range(threads)) for owner, name in got.items()}


def test_threads_that_want_the_same_names_share_them_out(ledger: SqlLedger, database: Database) -> None:
    """Eight threads, two hundred owners, fifty names: each name goes to one owner, and no name is lost."""
    names = [f"ann.lee{number}@example.com" for number in range(50)]

    def claim(thread: int) -> dict[Owner, str]:
        owners = [Owner("0oa1", f"{thread}-{number}") for number in range(25)]
        return {owner: first_free(ledger, owner, names) for owner in owners}

    got = {owner: name for owner, name in race(claim, 8).items() if name}
    assert sorted(got.values()) == sorted(names)
    assert {name: ledger.holder(LOGIN, name, Patience()) for name in names} == {got[owner]: owner for owner in got}
    assert written(database) == (50, 50)


def test_one_owner_on_many_threads_gets_one_name(ledger: SqlLedger, database: Database) -> None:
    """Okta repeats a call before the first is answered: the second waits for it and finds what it claimed."""

    def claim(thread: int) -> dict[Owner, str]:
        del thread
        with ledger.claims(ANN, Patience(60)) as claims:
            held = claims.earlier(LOGIN)
            if not held:
                assert claims.take([(LOGIN, f"ann{threading.get_ident()}@example.com")], RULE)
        return {ANN: ""}

    race(claim, 8)
    assert written(database) == (1, 1)


def test_threads_that_want_several_names_at_once_do_not_wait_for_each_other(ledger: SqlLedger) -> None:
    """Asked for in opposite orders they would lock each other out; nobody is refused what is free."""

    def claim(thread: int) -> dict[Owner, str]:
        owner = Owner("0oa1", str(thread))
        for number in range(20):
            values = [(LOGIN, f"x{number}@example.com"), (ALIAS, f"x{number}")]
            take(ledger, owner, *(values if thread % 2 else reversed(values)))
        return {owner: ""}

    race(claim, 4)
    for number in range(20):
        holders = {
            ledger.holder(LOGIN, f"x{number}@example.com", Patience()),
            ledger.holder(ALIAS, f"x{number}", Patience()),
        }
        assert len(holders) == 1
        assert None not in holders
