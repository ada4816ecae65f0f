"""What the settings declare about claims: what is kept, who is the same person, by what users are found."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.claims_crashing import CrashingLedger, Moment
from tests.unit.engine.engine_desk import Desk, claim, claimed, refused, values, verdicts, written
from usher.bootstrap.schemas import Schemas
from usher.domain.decision import Remembered
from usher.engine import MemoryLedger, Namespace, Owner, Patience, User, load_policies
from usher.engine.claims import REPLACED
from usher.engine.stores import MAX_FOLDED_CHARS, is_claimable

NEW = Callable[..., Desk]
NAMESPACES = {"login": Namespace("login"), "account": Namespace("account", directory=())}
RELEASES: Mapping[str, object] = {"keeps_earlier": False}


def claiming(*candidates: str, name: str = "login", **asked: object) -> dict[str, object]:
    """Return a rule that claims in a namespace."""
    target = {"login": "user.login", "account": "appuser.title"}[name]
    return {"id": name, "claim": {name: {**claim(*candidates), **asked}}, "set": {target: f"claimed.{name}"}}


OLD, NEWER = written(claiming("'old@example.com'")), written(claiming("'new@example.com'"))
BOTH = written(claiming("'old@example.com'", "'new@example.com'"))


# An owner's earlier values.


@pytest.mark.parametrize(("declared", "left"), [({}, {"old", "new"}), (RELEASES, {"new"})])
def test_an_earlier_value_is_kept_or_given_up(new_desk: NEW, declared: Mapping[str, object], left: set[str]) -> None:
    """`ledger.earlier`: once another value is granted, the setting says what becomes of the one before."""
    desk = new_desk(declared=declared)
    desk.ask(OLD)
    assert claimed(desk.ask(NEWER)) == {"login": "new@example.com"}
    assert set(desk.held()) == {f"{name}@example.com" for name in left}
    assert claimed(desk.ask(OLD, subject="2")).get("login") == (None if "old" in left else "old@example.com")


@pytest.mark.parametrize("declared", [{}, RELEASES])
def test_a_value_that_is_given_again_is_given_up_for_nothing(new_desk: NEW, declared: Mapping[str, object]) -> None:
    """Nor is what belongs to others, or to the owner in a namespace that was not claimed."""
    desk = new_desk(namespaces=NAMESPACES, declared=declared)
    desk.hold_for("77", "theirs@example.com")
    desk.hold_for("1042", "mine", "account")
    for _ in range(2):
        desk.ask(OLD)
    assert desk.held() == {"theirs@example.com": "77", "mine": "1042", "old@example.com": "1042"}


class NotingLedger(MemoryLedger):
    """A ledger that notes why values are given up."""

    def __init__(self) -> None:
        super().__init__()
        self.given_up: list[tuple[str, str]] = []

    @contextmanager
    def claims(self, owner: Owner, patience: Patience | None = None) -> Iterator[Any]:
        """Open a transaction."""
        with super().claims(owner, patience) as work:
            give_up = work.give_up

            def noted(values: Any, reason: str) -> None:
                self.given_up += [(value, reason) for _, value in values]
                give_up(values, reason)

            work.give_up = noted  # type: ignore[method-assign]  # an object of this transaction
            yield work


def test_what_is_given_up_is_on_record_with_its_reason(new_desk: NEW) -> None:
    """All earlier values of the namespace, once."""
    ledger = NotingLedger()
    desk = new_desk(ledger=ledger)
    desk.ask(OLD)
    desk.ask(NEWER)
    assert ledger.given_up == []
    desk.declared = RELEASES
    desk.ask(written(claiming("'third@example.com'")))
    assert sorted(ledger.given_up) == [("new@example.com", REPLACED), ("old@example.com", REPLACED)]


@pytest.mark.parametrize("moment", [Moment.BEFORE_COMMIT, Moment.NEVER])
def test_nothing_is_given_up_when_nothing_is_kept(new_desk: NEW, moment: Moment) -> None:
    """A hold for another claim, or a commit that fails, leaves the earlier value with its owner."""
    desk = new_desk(namespaces=NAMESPACES, declared=RELEASES)
    desk.ask(OLD)
    kept, desk.ledger = desk.ledger, CrashingLedger(desk.ledger, moment)  # type: ignore[assignment]  # a desk only asks it
    exhausted = [] if moment is Moment.BEFORE_COMMIT else [claiming("''", name="account")]
    # The login's claim comes last, in the order of names.
    decision = desk.ask(written(claiming("'new@example.com'"), *exhausted))
    assert claimed(decision) == {}
    assert {value for _, value in kept.held.values()} == {"old@example.com"}


def test_a_login_that_is_only_remembered_replaces_nothing(new_desk: NEW) -> None:
    """The setting speaks of claims."""
    desk = new_desk(declared=RELEASES)
    desk.ask(OLD)
    desk.ask(written({"id": "a", "set": {"user.title": "'x'"}}), user={"login": "kept@example.com"})
    assert set(desk.held()) == {"old@example.com", "kept@example.com"}


def test_the_value_given_last_is_the_owners_also_if_it_is_older(new_desk: NEW) -> None:
    """An owner's value changes only when its candidates no longer contain it: not back to one it had in between."""
    desk = new_desk()
    for files, given in ((OLD, "old"), (NEWER, "new"), (OLD, "old"), (BOTH, "old"), (NEWER, "new"), (BOTH, "new")):
        assert claimed(desk.ask(files)) == {"login": f"{given}@example.com"}


def test_of_several_namespaces_the_values_that_were_given_together_are_given_again(new_desk: NEW) -> None:
    """Also where two places of the list have the same value in one of them."""
    desk = new_desk(namespaces=NAMESPACES)

    def both(*accounts: str) -> dict[str, str]:
        claims = {"login": claim(*["'a@example.com'"] * len(accounts)), "account": claim(*accounts)}
        return written(
            {"id": "a", "claim": claims, "set": {"user.login": "claimed.login", "user.title": "claimed.account"}}
        )

    assert claimed(desk.ask(both("'a1'")))["account"] == "a1"
    assert claimed(desk.ask(both("'a2'")))["account"] == "a2"
    assert claimed(desk.ask(both("'a1'", "'a2'")))["account"] == "a2"


def test_an_earlier_value_may_be_fit_in_another_spelling(new_desk: NEW) -> None:
    """A spelling that breaks the target's schema ends the search for the newest no more than it does otherwise."""
    desk = new_desk()
    desk.ask(OLD)
    desk.ask(NEWER)
    marked = f"'new{chr(0x301) * 100}@example.com'"
    candidates = claiming(marked, "'free@example.com'", "'old@example.com'", "'new@example.com'")
    assert claimed(desk.ask(written(candidates))) == {"login": "new@example.com"}


# What can be kept at all.

TOO_MUCH = ["a" * (MAX_FOLDED_CHARS + 1), "a\0b", "a\ud800b", "\udfff", "\0"]


@pytest.mark.parametrize("value", [*TOO_MUCH, "", "   ", "\n"])
def test_what_no_database_takes_cannot_be_claimed(value: str) -> None:
    """Nor what is empty."""
    assert not is_claimable(value)


@pytest.mark.parametrize("value", ["a", " a ", "a" * MAX_FOLDED_CHARS, "\ud7ff\ue000\U0001f600", "ü", "\x01"])
def test_what_databases_take_can_be_claimed(value: str) -> None:
    """Up to the longest that is compared by its fold; pairs of surrogates are characters."""
    assert is_claimable(value)


@pytest.mark.parametrize("value", TOO_MUCH)
def test_a_candidate_that_cannot_be_kept_is_unfit(new_desk: NEW, value: str) -> None:
    """The next is tried, and no store hears of it."""
    desk = new_desk(namespaces=NAMESPACES)
    decision = desk.ask(written(claiming("get(appuser, 'title', '')", "'b'", name="account")), appuser={"title": value})
    assert (refused(decision), claimed(decision)) == (["unfit"], {"account": "b"})


@pytest.mark.parametrize("value", TOO_MUCH)
def test_a_login_that_cannot_be_kept_is_not_remembered(new_desk: NEW, value: str) -> None:
    """Whether the row brings it or a rule sets it."""
    desk = new_desk()
    assert desk.ask(written({"id": "a", "set": {"user.title": "'x'"}}), user={"login": value}).remembered == ()
    assert desk.ledger.held == {}


# Who is the same person.

KNOWN: list[User] = [{"id": "00u1", "login": "ann@example.com", "employeeNumber": "1042"}]
MINE = {"subject_attribute": "employeeNumber"}


@pytest.mark.parametrize(
    ("declared", "users", "subject", "is_mine"),
    [
        (MINE, KNOWN, "1042", True),
        ({}, KNOWN, "1042", False),
        (MINE, KNOWN, "1043", False),
        (MINE, [*KNOWN, {"id": "00u2", "login": "ANN@example.com", "employeeNumber": "7"}], "1042", False),
        (MINE, [{**KNOWN[0], "employeeNumber": 1042}], "1042", True),
        (MINE, [{**KNOWN[0], "employeeNumber": True}], "True", False),
        (MINE, [{"id": "00u1", "login": "ann@example.com"}], "1042", False),
        (MINE, [{**KNOWN[0], "employeeNumber": "x" * 300}], "x" * 300, True),
        (MINE, [{**KNOWN[0], "employeeNumber": "x" * 300}], "x" * 299, False),
        (MINE, [{**KNOWN[0], "employeeNumber": ""}], "", False),
    ],
)
def test_a_known_user_with_the_rows_subject_is_the_rows_own_person(
    new_desk: NEW, declared: Mapping[str, object], users: list[User], subject: str, *, is_mine: bool
) -> None:
    """`directory.subject_attribute`: no obstacle for candidates, for what is remembered, nor for `taken`."""
    desk = new_desk(users=users, declared=declared)
    decision = desk.ask(written(claiming("'ann@example.com'", "'ann2@example.com'")), subject=subject)
    assert refused(decision) == ([] if is_mine else ["known"])
    asking = {"id": "a", "set": {"user.title": "string(taken('login', 'Ann@example.com'))"}}
    decision = new_desk(users=users, declared=declared).ask(
        written(asking), subject=subject, user={"login": "ann@example.com"}
    )
    assert values(decision) == {"user.title": "false" if is_mine else "true"}
    assert decision.remembered == (Remembered("login", "ann@example.com", collision=not is_mine),)


# By what known users are found.

INDEXED = frozenset({"id", "login", "employeeNumber"})


def test_a_look_up_by_what_is_not_indexed_is_found_when_the_policy_is_loaded(
    schemas: Schemas, write_folder: Callable[..., Path]
) -> None:
    """Where the attribute stands in the policy; without such a setting any will do."""
    rule = {"id": "a", "when": "size(directory('department', 'x')) == 1", "set": {"user.title": "'x'"}}
    folder = write_folder(written(rule))
    shape, profiles = schemas.policy, schemas.profiles
    assert load_policies(folder, shape=shape, profiles=profiles).problems == ()
    for indexed, codes in ((INDEXED, ["not-indexed"]), (INDEXED | {"department"}, [])):
        loaded = load_policies(folder, shape=shape, profiles=profiles, indexed=indexed)
        assert [problem.code for problem in loaded.problems] == codes


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [("department", "x", "not-indexed"), ("employeeNumber", "1042", ""), ("login", "x", ""), ("department", "", "")],
)
def test_a_look_up_by_a_name_that_is_computed_fails_when_it_is_made(
    new_desk: NEW, attribute: str, value: str, code: str
) -> None:
    """The rule fails, and no store is asked; a value that finds nobody anyway asks nothing."""
    desk = new_desk(users=KNOWN, declared={"indexed": INDEXED})
    asked = f"directory('{attribute[:2]}' + '{attribute[2:]}', '{value}')"
    decision = desk.ask(written({"id": "a", "set": {"user.title": f"string(size({asked}))"}}))
    assert verdicts(decision) == {"p/a": code or "fired"}
    assert bool(decision.lookups) == (not code and bool(value))
