"""What was expected beside what came out: what counts as different."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.domain.place import Place
from usher.proof.cases import Expectation
from usher.proof.comparing import NOTHING, Difference, differences
from usher.proof.found import Found

WHOLE = Place("p_test.yaml", 5, 5)
QUIET = Found((), {}, "create", (), (), (), (), {}, {}, {}, {})
BUSY = Found(
    fired=("p/a", "p/b"),
    set={"user.title": "x", "user.city": "Ulm"},
    action={"link": "00u1"},
    hold=("first", "second"),
    vetoed=("action.link", "user.title"),
    conflicts=("user.city",),
    errors=("p/c",),
    claims={"login": "ann@example.com"},
    remembered={"login": "eve@example.com"},
    collisions={},
    response={"commands": [{"type": "t", "value": {"title": "x"}}]},
)


def expected(wanted: dict[str, object], *, partial: bool = False) -> Expectation:
    """Return an expectation that knows no place but its own."""
    return Expectation(WHOLE, wanted, {}, partial)


def told(wanted: dict[str, object], found: Found, *, partial: bool = False) -> list[tuple[str, object, object]]:
    """Return what is different: what, expected, actual."""
    return [(one.what, one.expected, one.actual) for one in differences(expected(wanted, partial=partial), found)]


def found(**members: object) -> Found:
    """Return what came out of a decision in which little happened."""
    return replace(QUIET, **members)  # type: ignore[arg-type]  # the members are those of Found


# Each word, met and not met.

CASES: list[tuple[dict[str, object], Found, list[tuple[str, object, object]]]] = [
    ({"fired": ["p/b", "p/a"]}, found(fired=("p/a", "p/b")), []),
    ({"fired": []}, found(fired=("p/a",)), [("fired p/a", NOTHING, "p/a")]),
    ({"fired": ["p/a"]}, found(), [("fired p/a", "p/a", NOTHING)]),
    ({"fired": ["p/a"]}, found(fired=("p/b",)), [("fired p/a", "p/a", NOTHING), ("fired p/b", NOTHING, "p/b")]),
    ({"set": {"user.title": "x"}}, found(set={"user.title": "x"}), []),
    ({"set": {"user.title": "x"}}, found(set={"user.title": "y"}), [("set user.title", "x", "y")]),
    ({"set": {"user.title": "x"}}, found(), [("set user.title", "x", NOTHING)]),
    ({"set": {}}, found(set={"user.title": "x"}), [("set user.title", NOTHING, "x")]),
    ({"set": {"user.title": None}}, found(), [("set user.title", None, NOTHING)]),
    ({"set": {"user.title": "nothing"}}, found(), [("set user.title", "nothing", NOTHING)]),
    ({"action": "create"}, found(), []),
    ({"action": "create"}, found(action={"link": "1"}), [("action", "create", {"link": "1"})]),
    ({"action": {"link": "1"}}, found(action={"link": "1"}), []),
    ({"action": {"link": "1"}}, found(action={"link": "2"}), [("action", {"link": "1"}, {"link": "2"})]),
    ({"hold": True}, found(hold=("any text",)), []),
    ({"hold": True}, found(hold=("one", "two")), []),
    ({"hold": True}, found(), [("hold", True, NOTHING)]),
    ({"hold": "text"}, found(hold=("text",)), []),
    ({"hold": "text"}, found(hold=("other",)), [("hold", "text", "other")]),
    ({"hold": "text"}, found(hold=("text", "other")), [("hold", "text", "text; other")]),
    ({"hold": "text"}, found(), [("hold", "text", NOTHING)]),
    ({"hold": ""}, found(), []),
    ({"hold": False}, found(), []),
    ({"hold": ""}, found(hold=("text",)), [("hold", "", "text")]),
    ({"hold": False}, found(hold=("text",)), [("hold", False, "text")]),
    ({"vetoed": ["user.title"]}, found(vetoed=("user.title",)), []),
    ({"vetoed": []}, found(vetoed=("user.title",)), [("vetoed user.title", NOTHING, "user.title")]),
    ({"vetoed": ["action.link"]}, found(), [("vetoed action.link", "action.link", NOTHING)]),
    ({"conflicts": ["user.city"]}, found(conflicts=("user.city",)), []),
    ({"conflicts": ["user.city"]}, found(), [("conflicts user.city", "user.city", NOTHING)]),
    ({"errors": ["p/c"]}, found(errors=("p/c",)), []),
    ({"errors": ["p/c"]}, found(), [("errors p/c", "p/c", NOTHING)]),
    ({"claims": {"login": "a"}}, found(claims={"login": "a"}), []),
    ({"claims": {"login": "a"}}, found(claims={"login": "b"}), [("claims login", "a", "b")]),
    ({"claims": {}}, found(claims={"login": "b"}), [("claims login", NOTHING, "b")]),
    ({"remembered": {"login": "a"}}, found(remembered={"login": "a"}), []),
    ({"remembered": {}}, found(remembered={"login": "a"}), [("remembered login", NOTHING, "a")]),
    ({"collisions": {"login": "a"}}, found(collisions={"login": "a"}), []),
    ({"collisions": {"login": "a"}}, found(), [("collisions login", "a", NOTHING)]),
    ({"collisions": {}}, found(collisions={"login": "a"}), [("collisions login", NOTHING, "a")]),
    ({"response": {"commands": []}}, found(response={"commands": []}), []),
    ({"response": {}}, found(response={"commands": []}), [("response", {}, {"commands": []})]),
    ({"response": {"a": [1]}}, found(response={"a": [1, 2]}), [("response", {"a": [1]}, {"a": [1, 2]})]),
]


@pytest.mark.parametrize(("wanted", "came", "expected_differences"), CASES)
def test_each_word_is_compared_exactly(
    wanted: dict[str, object], came: Found, expected_differences: list[tuple[str, object, object]]
) -> None:
    """Nothing is different when all is as expected; else what was expected, and what came."""
    assert told(wanted, came) == expected_differences


def test_the_table_shows_every_word_met_and_not_met() -> None:
    """A word that is added to the language is added here."""
    met = {word for wanted, _, different in CASES if not different for word in wanted}
    missed = {word for wanted, _, different in CASES if different for word in wanted}
    assert met == missed == {field.name for field in fields(Found)}


# What is not said.


@pytest.mark.parametrize(
    ("came", "difference"),
    [
        (found(errors=("p/c",)), ("errors p/c", NOTHING, "p/c")),
        (found(conflicts=("user.city",)), ("conflicts user.city", NOTHING, "user.city")),
        (found(hold=("ask", "wait")), ("hold", NOTHING, "ask; wait")),
        (found(collisions={"login": "a"}), ("collisions login", NOTHING, "a")),
    ],
)
@pytest.mark.parametrize("partial", [False, True])
def test_an_error_a_conflict_a_hold_or_a_collision_that_is_not_expected_is_a_difference(
    came: Found, difference: tuple[str, object, object], *, partial: bool
) -> None:
    """Whatever else is expected, and however little."""
    assert told({"fired": []}, came, partial=partial) == [difference]


def test_what_is_not_named_is_let_be() -> None:
    """A test says what it is about."""
    assert told({"errors": ["p/c"], "conflicts": ["user.city"], "hold": True}, BUSY) == []


# Partial.


@pytest.mark.parametrize(
    ("wanted", "exactly"),
    [
        ({"fired": ["p/a"]}, ["fired p/b"]),
        ({"set": {"user.title": "x"}}, ["set user.city"]),
        ({"claims": {}}, ["claims login"]),
        ({"remembered": {}}, ["remembered login"]),
    ],
)
def test_partial_lets_further_entries_be(wanted: dict[str, object], exactly: list[str]) -> None:
    """Of `fired`, `set`, `claims` and `remembered`; without it they are differences."""
    wanted = {"errors": ["p/c"], "conflicts": ["user.city"], "hold": True, **wanted}
    assert told(wanted, BUSY, partial=True) == []
    assert [what for what, _, _ in told(wanted, BUSY)] == exactly


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        ({"fired": ["p/z"]}, "fired p/z"),
        ({"set": {"user.title": "y"}}, "set user.title"),
        ({"claims": {"login": "b"}}, "claims login"),
        ({"vetoed": ["action.link"]}, "vetoed user.title"),
        ({"response": {}}, "response"),
        ({"collisions": {"login": "a"}}, "collisions login"),
    ],
)
def test_partial_forgives_nothing_that_is_named(wanted: dict[str, object], what: str) -> None:
    """And vetoes, the answer, errors, conflicts and collisions stay exact."""
    wanted = {"errors": ["p/c"], "conflicts": ["user.city"], "hold": True, **wanted}
    assert [name for name, _, _ in told(wanted, BUSY, partial=True)] == [what]


# What is the same.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        (1, 1.0),
        (1, "1"),
        ("", None),
        (None, False),
        ([1], [True]),
        ({"a": 1}, {"a": True}),
        ({"a": [{"b": 0}]}, {"a": [{"b": False}]}),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({}, []),
        ("a", "A"),
    ],
)
def test_values_of_two_types_are_never_the_same(one: object, other: object) -> None:
    """1 is not true, in a list or a map as little as alone; order counts in lists."""
    assert len(told({"set": {"user.title": one}}, found(set={"user.title": other}))) == 1
    assert len(told({"response": {"a": one}}, found(response={"a": other}))) == 1
    assert told({"response": {"a": one}}, found(response={"a": one})) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=3),
    st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=3),
)
def test_only_equals_are_without_difference(one: dict[str, object], other: dict[str, object]) -> None:
    """Whatever comes is as expected of itself; of another, the targets that differ are told once each."""
    assert told({"set": one}, found(set=one)) == []
    different = told({"set": one}, found(set=other))
    assert len(different) == len({what for what, _, _ in different})
    assert bool(different) == bool(told({"set": other}, found(set=one)))
    assert {what for what, _, _ in different} >= {f"set {name}" for name in one.keys() ^ other.keys()}


# Places.


def test_a_difference_stands_where_the_test_expects_otherwise() -> None:
    """At the member, where the test names it, else at the word, else at the whole expectation."""
    member, word = Place("p_test.yaml", 8, 9), Place("p_test.yaml", 7, 7)
    expectation = Expectation(WHOLE, {"set": {"user.title": "y"}}, {"set": word, "set.user.title": member})
    places = [(one.what, one.place) for one in differences(expectation, replace(BUSY, hold=(), conflicts=()))]
    assert places == [("set user.title", member), ("set user.city", word), ("errors p/c", WHOLE)]


def test_differences_come_in_one_order() -> None:
    """That of the words; within one, what is missing before what is too much."""
    different = list(differences(expected({"fired": ["p/z"], "set": {}, "action": "create", "response": {}}), BUSY))
    assert [one.what for one in different] == [
        "fired p/z",
        "fired p/a",
        "fired p/b",
        "set user.city",
        "set user.title",
        "action",
        "hold",
        "conflicts user.city",
        "errors p/c",
        "response",
    ]
    assert all(isinstance(one, Difference) for one in different)
