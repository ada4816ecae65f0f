"""The semantics table, row by row: what a claim gives, refuses, holds and remembers."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.unit.engine.engine_desk import (
    APPLICATION,
    Desk,
    claim,
    claimed,
    ending,
    literal,
    refused,
    values,
    verdicts,
    written,
)
from usher.cel import Budget, BudgetExceeded
from usher.domain.decision import Conflict, Remembered, RuleFault
from usher.domain.request import ImportRequest
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Namespace, Owner, Stores, owner_of

NEW = Callable[..., Desk]
LOGIN = DEFAULT_NAMESPACES["login"]
ACCOUNTS = {"login": LOGIN, "account": Namespace("account", directory=())}


def login(
    *candidates: str, to: int = 0, asked: Mapping[str, object] | None = None, **members: object
) -> dict[str, object]:
    """Return a rule that claims a login and sets it; `asked` says more about the claim."""
    claims = {"login": claim(*candidates, to=to, **(asked or {}))}
    return {"id": "free-login", "claim": claims, "set": {"user.login": "claimed.login"}, **members}


ANN = ("'ann@example.com'", "'ann' + string(n) + '@example.com'")


def test_the_first_candidate_that_nobody_else_holds(desk: Desk) -> None:
    """A claim: candidates in order; one that uses `n` is tried for all its `n` before the next."""
    files = written(login("'a@example.com'", "'b' + string(n) + '@example.com'", "'c@example.com'", to=3))
    given = [claimed(desk.ask(files, subject=str(row))).get("login") for row in range(4)]
    assert given == ["a@example.com", "b2@example.com", "b3@example.com", "c@example.com"]
    assert ending(desk.ask(files, subject="5")) == "hold"


def test_the_claim_is_the_owners_and_given_again(desk: Desk) -> None:
    """A committed claim stays with its owner, who gets it again, however often; others get other values."""
    files = written(login(*ANN, to=9))
    first = [claimed(desk.ask(files, subject=subject)) for subject in ("1", "2", "3")]
    again = [claimed(desk.ask(files, subject=subject, event_id="event-2")) for subject in ("1", "2", "3")]
    assert first == again
    assert desk.held() == {"ann@example.com": "1", "ann2@example.com": "2", "ann3@example.com": "3"}


@pytest.mark.parametrize("candidate", ["''", "null", "'   '", "'no-at-sign'", "'a@b'"])
def test_what_is_empty_or_breaks_the_targets_schema_is_skipped(desk: Desk, candidate: str) -> None:
    """Candidates: null, '' and what breaks the target's schema are skipped."""
    assert claimed(desk.ask(written(login(candidate, "'ann@example.com'")))) == {"login": "ann@example.com"}


def test_a_candidate_equal_to_the_present_value_is_claimed_and_gives_no_command(desk: Desk) -> None:
    """Row: candidates."""
    files = written(login("get(user, 'login', '')"))
    assert desk.commands(files, user={"login": "ann@example.com"}) == {}
    assert desk.ask(files, user={"login": "ann@example.com"}).remembered == ()
    assert desk.held() == {"ann@example.com": "1042"}


@pytest.mark.parametrize(
    ("candidate", "why"),
    [
        ("'a@b'", "unfit"),
        ("user.login", "conflict"),
        ("'PROJECTED@example.com'", "conflict"),
        ("'admin@example.com'", "reserved"),
        ("'Admin@elsewhere.example'", "reserved"),
        ("'root@example.com'", "reserved"),
        ("'root@elsewhere.example'", ""),
        ("'hèld@example.com'", "held"),
        ("'known@example.com'", "known"),
        ("'KNÖWN@example.com'", "known"),
    ],
)
def test_a_candidate_is_refused_for_a_reason_that_is_told(new_desk: NEW, candidate: str, why: str) -> None:
    """Reserved, reported by Okta, held in the ledger, known in the directory, all by Okta's equality; else unfit."""
    desk = new_desk(users=[{"id": "00u1", "status": "DEPROVISIONED", "login": "known@example.com"}])
    desk.hold_for("77", "Held@example.com")
    reserved = {"except": ["admin", "root@example.com"]}
    files = written(login(candidate, "'free@example.com'", asked=reserved))
    decision = desk.ask(files, user={"login": "projected@example.com"}, conflicts=["login"])
    assert refused(decision) == ([why] if why else [])
    assert (claimed(decision)["login"] == "free@example.com") is bool(why)


@pytest.mark.parametrize(
    ("excepted", "code"),
    [
        (["admin"], ""),
        ("tables.reserved", ""),
        ("tables.by_name", ""),
        ("constants.reserved", ""),
        ("['ad' + 'min']", ""),
        ("'admin'", "except-not-a-list"),
        ("null", "except-not-a-list"),
        ("input.nothing", "no-such-key"),
    ],
)
def test_reserved_values_are_a_list_a_table_or_an_expression(desk: Desk, excepted: object, code: str) -> None:
    """`except`: values never given out; what is no list fails the rule, and nothing is given out by mistake."""
    files = {
        **written(
            login("'admin@example.com'", "'ann@example.com'", asked={"except": excepted}),
            constants={"reserved": ["admin", 7, ""]},
        ),
        "tables/reserved.yaml": "[Admin, root]",
        "tables/by_name.csv": "name;why\nADMIN;x\n",
    }
    decision = desk.ask(files)
    assert claimed(decision) == ({} if code else {"login": "ann@example.com"})
    assert verdicts(decision) == {"p/free-login": code or "fired"}


def test_the_projected_login_counts_as_held_even_if_the_namespace_asks_no_directory(new_desk: NEW) -> None:
    """While `login` is in `context.conflicts`, the projected login counts as held by somebody else."""
    desk = new_desk(namespaces={"login": Namespace("login", directory=())})
    files = written(login("get(user, 'login', '')", "'free@example.com'"))
    decision = desk.ask(files, user={"login": "ann@example.com"}, conflicts=["login"])
    assert (claimed(decision), refused(decision)) == ({"login": "free@example.com"}, ["conflict"])


def test_several_namespaces_are_one_claim(new_desk: NEW) -> None:
    """Row: a claim over several namespaces: same place, same `n`, free in all."""
    desk = new_desk(namespaces=ACCOUNTS)
    desk.hold_for("77", "lee", "account")
    desk.hold_for("78", "lee2@example.com")
    rule = {
        "id": "a",
        "claim": {
            "login": claim("'lee@example.com'", "'lee' + string(n) + '@example.com'", to=9),
            "account": claim("'lee'", "'lee' + string(n)"),
        },
        "set": {"user.login": "claimed.login", "appuser.userName": "claimed.account"},
    }
    assert claimed(desk.ask(written(rule))) == {"login": "lee3@example.com", "account": "lee3"}
    assert claimed(desk.ask(written(rule))) == {"login": "lee3@example.com", "account": "lee3"}
    assert claimed(desk.ask(written(rule), subject="2")) == {"login": "lee4@example.com", "account": "lee4"}
    assert ("login", "lee@example.com") not in desk.ledger.held


def test_a_place_without_a_value_in_one_namespace_is_no_candidate(new_desk: NEW) -> None:
    """Row: a claim over several namespaces: all of it or none."""
    desk = new_desk(namespaces=ACCOUNTS)
    rule = {
        "id": "a",
        "claim": {"login": claim("'a@example.com'", "'b@example.com'"), "account": claim("''", "'b'")},
        "set": {"user.login": "claimed.login", "appuser.userName": "claimed.account"},
    }
    assert claimed(desk.ask(written(rule))) == {"login": "b@example.com", "account": "b"}
    assert desk.held() == {"b@example.com": "1042", "b": "1042"}


BOTH = {"user.login": "claimed.login", "user.email": "claimed.login", "user.title": literal("x")}


@pytest.mark.parametrize(
    "against",
    [
        {"id": "b", "veto": ["user.email"]},
        {"id": "b", "set": {"user.email": literal("z@example.com")}},
        {"id": "b", "set": {"user.email": literal("z@example.com")}, "overrides": ["free-login"]},
        {"id": "b", "claim": {"login": claim("'z@example.com'")}, "set": {"user.nickName": "claimed.login"}},
    ],
)
def test_a_claim_is_made_only_if_every_target_it_feeds_survives(desk: Desk, against: dict[str, object]) -> None:
    """Row: a claim: made only if every target it feeds survived step 4; they stand or fall together."""
    decision = desk.ask(written(login("'ann@example.com'", set=BOTH), against))
    assert "user.login" not in values(decision)
    assert values(decision)["user.title"] == "x"
    assert "ann@example.com" not in desk.held()


def test_a_target_fed_by_a_claim_and_by_another_rule_is_a_conflict_whatever_the_values(desk: Desk) -> None:
    """Row: … whatever the values: the same one too; `overrides` decides."""
    other = {"id": "b", "only": "create", "set": {"user.login": literal("ann@example.com")}}
    decision = desk.ask(written(login("'ann@example.com'"), other))
    assert decision.conflicts == (Conflict("user.login", ("p/b", "p/free-login")),)
    assert (values(decision), desk.held()) == ({}, {})
    decision = desk.ask(written(login("'ann@example.com'", overrides=["b"]), other))
    assert (values(decision), decision.conflicts) == ({"user.login": "ann@example.com"}, ())
    assert claimed(desk.ask(written(login("'ann@example.com'"), {**other, "overrides": ["free-login"]}))) == {}


def test_two_rules_that_claim_one_namespace_are_a_conflict_whatever_the_values(desk: Desk) -> None:
    """Row: two rules claim one namespace; `overrides` decides, even if they feed different targets."""
    other = {"id": "b", "claim": {"login": claim("'ann@example.com'")}, "set": {"user.nickName": "claimed.login"}}
    decision = desk.ask(written(login("'ann@example.com'"), other))
    assert decision.conflicts == (Conflict("claim.login", ("p/b", "p/free-login")),)
    assert (values(decision), desk.held()) == ({}, {})
    decision = desk.ask(written(login("'ann@example.com'"), {**other, "overrides": ["free-login"]}))
    assert values(decision) == {"user.nickName": "ann@example.com"}
    assert decision.conflicts == ()


def test_two_rules_may_claim_two_namespaces(new_desk: NEW) -> None:
    """Only one namespace is contested."""
    desk = new_desk(namespaces=ACCOUNTS)
    other = {"id": "b", "claim": {"account": claim("'ann'")}, "set": {"appuser.userName": "claimed.account"}}
    assert claimed(desk.ask(written(login("'ann@example.com'"), other))) == {
        "login": "ann@example.com",
        "account": "ann",
    }


@pytest.mark.parametrize("matched", ["", "00u1"])
def test_nothing_is_claimed_or_remembered_for_a_row_that_ends_in_a_link(desk: Desk, matched: str) -> None:
    """Row: a claim: `only: create` unless it says otherwise; whoever links, Okta or a rule."""
    rules: list[dict[str, object]] = [login("'ann@example.com'", set=BOTH)]
    rules += [] if matched else [{"id": "b", "action": {"link": "'00u1'"}}]
    decision = desk.ask(written(*rules), matched=matched, user={"login": "x@example.com"})
    assert verdicts(decision)["p/free-login"] == "unfit"
    assert (values(decision), decision.remembered, desk.held()) == ({}, (), {})


def test_a_claim_that_holds_when_it_is_exhausted(desk: Desk) -> None:
    """Row: `exhausted`: `hold` holds, and is what happens if nothing is said."""
    desk.hold_for("77", "ann@example.com")
    for given in ({}, {"exhausted": "hold"}):
        decision = desk.ask(written(login("'ann@example.com'", asked=given), {"id": "b", "set": {"user.city": "'x'"}}))
        assert [hold.rule for hold in decision.holds] == ["p/free-login"]
        assert values(decision) == {}
        assert verdicts(decision)["p/free-login"] == "exhausted"


def test_a_claim_that_is_skipped_takes_its_rule_with_it_and_stops_its_ladder(desk: Desk) -> None:
    """Row: `exhausted`: `skip`: the rule does not fire, its ladder stops, recorded."""
    desk.hold_for("77", "ann@example.com")
    skipping = login("'ann@example.com'", asked={"exhausted": "skip"}, set=BOTH, when="true", debug="action")
    fallback = {"id": "z", "set": {"user.state": "'z'"}}
    agreeing = {"id": "b", "set": {"user.title": "'x'", "user.city": "'x'"}}
    decision = desk.ask(written({"id": "l", "first": [skipping, fallback]}, agreeing))
    assert decision.holds == ()
    assert verdicts(decision) == {"p/l/free-login": "exhausted", "p/b": "fired"}
    assert values(decision) == {"user.title": "x", "user.city": "x"}
    assert decision.assignments["user.title"].rules == ("p/b",)
    assert "p/l/free-login" not in decision.fired
    assert decision.debug == {}


def test_a_hold_gives_back_what_other_claims_of_the_row_took(new_desk: NEW) -> None:
    """All claims of a decision are one transaction; a hold before the commit rolls it back."""
    desk = new_desk(namespaces=ACCOUNTS)
    desk.hold_for("77", "ann@example.com")
    other = {"id": "a", "claim": {"account": claim("'ann'")}, "set": {"appuser.userName": "claimed.account"}}
    decision = desk.ask(written(login("'ann@example.com'"), other))
    assert ending(decision) == "hold"
    assert (claimed(decision), decision.remembered, values(decision)) == ({}, (), {})
    assert desk.held() == {"ann@example.com": "77"}


def test_a_counter_that_is_used_up_is_exhausted(desk: Desk) -> None:
    """Bad input: candidates all taken."""
    files = written(login("'ann' + string(n) + '@example.com'", to=300))
    for number in range(2, 301):
        desk.hold_for("77", f"ann{number}@example.com")
    decision = desk.ask(files)
    assert ending(decision) == "hold"
    assert refused(decision) == ["held"] * 299


def test_a_long_counter_does_not_outlast_the_time_of_the_decision(desk: Desk) -> None:
    """A deadline is looked at between candidates; what was taken so far is given back."""
    files = written(login("'ann' + string(n) + '@example.com'", to=90_000))
    with pytest.raises(BudgetExceeded):
        desk.ask(files, budget=Budget(deadline=0.0))
    assert desk.held() == {}


def test_the_earlier_value_is_given_again_while_it_is_a_candidate(desk: Desk) -> None:
    """The owner's earlier value, though one before it in the list has become free."""
    files = written(login(*ANN, to=9))
    desk.hold_for("77", "ann@example.com")
    assert claimed(desk.ask(files)) == {"login": "ann2@example.com"}
    desk.ledger.held.pop(("login", "ann@example.com"))
    assert claimed(desk.ask(files)) == {"login": "ann2@example.com"}


def test_the_earlier_value_is_not_given_again_when_it_is_no_candidate_reserved_or_reported(desk: Desk) -> None:
    """Otherwise a new one is claimed, and the earlier is kept."""
    assert claimed(desk.ask(written(login("'old@example.com'")))) == {"login": "old@example.com"}
    assert claimed(desk.ask(written(login("'new@example.com'")))) == {"login": "new@example.com"}
    both = ("'old@example.com'", "'new@example.com'")
    assert claimed(desk.ask(written(login(*both, asked={"except": ["new"]})))) == {"login": "old@example.com"}
    reported: dict[str, Any] = {"user": {"login": "New@example.com"}, "conflicts": ["login"]}
    assert claimed(desk.ask(written(login(*both)), **reported)) == {"login": "old@example.com"}
    assert desk.held() == {"old@example.com": "1042", "new@example.com": "1042"}


def test_of_several_earlier_values_the_newest_is_given(desk: Desk) -> None:
    """Not the first in the list of candidates."""
    desk.ask(written(login("'a@example.com'")))
    desk.ask(written(login("'b@example.com'")))
    files = written(login("'a@example.com'", "'b@example.com'"))
    assert claimed(desk.ask(files)) == {"login": "b@example.com"}


def test_an_earlier_value_in_another_spelling_is_the_same(desk: Desk) -> None:
    """Values are compared by Okta's equality and given as they are written now."""
    desk.ask(written(login("'Ann@example.com'")))
    assert claimed(desk.ask(written(login("'x@example.com'", "'änn@example.com'")))) == {"login": "änn@example.com"}
    assert len(desk.ledger.held) == 1


@pytest.mark.parametrize(
    ("candidates", "code", "given"),
    [
        (("'' + input.nothing", "'ann@example.com'"), "no-such-key", {}),
        (("'ann@example.com'", "'' + input.nothing"), "", {"login": "ann@example.com"}),
        (("1 + 1", "'ann@example.com'"), "candidate-not-text", {}),
        (("input.data.context.conflicts",), "candidate-not-text", {}),
    ],
)
def test_a_candidate_that_fails_fails_the_rule_where_it_is_needed(
    desk: Desk, candidates: tuple[str, ...], code: str, given: dict[str, str]
) -> None:
    """ADR 0007: a candidate in error takes the rule's other sets with it; never falls through to the next."""
    decision = desk.ask(written(login(*candidates, set=BOTH)))
    assert claimed(decision) == given
    assert verdicts(decision) == {"p/free-login": code or "fired"}
    assert bool(values(decision)) is not bool(code)
    assert decision.faults == ((RuleFault("p/free-login", code),) if code else ())


def test_a_value_fed_by_a_claim_that_fails_fails_the_rule(desk: Desk) -> None:
    """The same for the values that use `claimed`; nothing is reserved."""
    decision = desk.ask(written(login("'ann@example.com'", set={"user.login": "claimed.login + input.nothing"})))
    assert verdicts(decision) == {"p/free-login": "no-such-key"}
    assert desk.held() == {}


def test_claimed_is_shared_by_all_sets_of_the_rule(desk: Desk) -> None:
    """Whole, and as part of a longer value."""
    fed = {
        "user.login": "claimed.login + '@example.com'",
        "appuser.userName": "claimed.login",
        "user.nickName": "null",
        "user.displayName": "claimed['login'].upperAscii()",
    }
    assert values(desk.ask(written(login("'ann'", set=fed)))) == {
        "user.login": "ann@example.com",
        "appuser.userName": "ann",
        "user.displayName": "ANN",
    }


def test_a_length_limit_cuts_the_name_and_never_the_counter(desk: Desk) -> None:
    """The documented way to keep within 20 characters."""
    stem = "'maximiliane.mustermann'"
    cut = f"{stem}.substring(0, math.least(size({stem}), 20 - size(string(n)))) + string(n)"
    files = written(login(f"{stem}.substring(0, 20)", cut, to=9999, set={"appuser.userName": "claimed.login"}))
    given = [claimed(desk.ask(files, subject=str(row)))["login"] for row in range(12)]
    assert len(set(given)) == 12
    assert {len(value) for value in given} == {20}
    assert given[-1].endswith("12")


def test_the_login_a_created_row_ends_with_is_remembered(desk: Desk) -> None:
    """Without a claiming rule: the projected login, or what a rule makes of it."""
    projected = desk.ask(written({"id": "a", "set": {"user.city": "'x'"}}), user={"login": "ann@example.com"})
    assert projected.remembered == (Remembered("login", "ann@example.com", collision=False),)
    made = written({"id": "a", "only": "create", "set": {"user.login": literal("made@example.com")}})
    assert desk.ask(made, user={"login": "ann@example.com"}).remembered[0].value == "made@example.com"
    assert desk.held() == {"ann@example.com": "1042", "made@example.com": "1042"}


def test_a_login_that_the_schema_refuses_is_not_what_the_row_ends_with(desk: Desk) -> None:
    """Bad input: a login of 101 characters is no command, so the projected one is remembered."""
    files = written({"id": "a", "only": "create", "set": {"user.login": literal("a" * 89 + "@example.com")}})
    decision = desk.ask(files, user={"login": "ann@example.com"})
    assert decision.remembered == (Remembered("login", "ann@example.com", collision=False),)


def test_a_login_that_somebody_else_holds_is_a_collision_and_changes_no_answer(desk: Desk) -> None:
    """`collision`: recorded, never changing the answer, and the holder stays."""
    desk.hold_for("77", "Ann@example.com")
    files = written({"id": "a", "set": {"user.city": "'x'"}})
    decision = desk.ask(files, user={"login": "ann@example.com"})
    assert decision.remembered == (Remembered("login", "ann@example.com", collision=True),)
    assert (values(decision), desk.held()) == ({"user.city": "x"}, {"Ann@example.com": "77"})


def test_a_login_okta_reports_as_taken_is_not_remembered(desk: Desk) -> None:
    """It is somebody else's, whoever that is."""
    decision = desk.ask(
        written({"id": "a", "set": {"user.city": "'x'"}}), user={"login": "ann@example.com"}, conflicts=["login"]
    )
    assert (decision.remembered, desk.held()) == ((), {})


@pytest.mark.parametrize("subject", ["", "  "])
def test_without_an_immutable_id_the_event_owns(new_desk: NEW, subject: str) -> None:
    """Absent, null or blank: the `eventId` stands in, never shared by two rows."""
    desk = new_desk()
    files = written(login(*ANN, to=9))
    given = [claimed(desk.ask(files, subject=subject, event_id=f"e-{row}"))["login"] for row in (1, 2, 1)]
    assert given == ["ann@example.com", "ann2@example.com", "ann@example.com"]
    assert [owner.application for owner, _ in desk.ledger.held.values()] == [APPLICATION] * 2


def test_the_same_subject_of_another_application_is_another_owner(desk: Desk) -> None:
    """An owner is the application's id together with the subject."""
    files = written(login(*ANN, to=9))
    desk.ask(files)
    other = desk.ask(files, context={"application": {"name": "crm", "id": "0oa2"}})
    assert claimed(other) == {"login": "ann2@example.com"}
    assert desk.ledger.held["login", "ann2@example.com"][0] == Owner("0oa2", "1042")


def test_a_namespace_says_what_counts_as_the_same(new_desk: NEW) -> None:
    """`ignoring`: affixes left out of the comparison; `compare = "local"`: without the domain."""
    namespace = Namespace("login", ignoring=(".ext",), compare="local")
    desk = new_desk(namespaces={"login": namespace}, users=[{"id": "00u1", "login": "ann.lee@example.com"}])
    files = written(login("'ann.lee.ext@partners.example'", "'Ann.Lee@other.example'", "'ann.lee2@example.com'"))
    decision = desk.ask(files)
    assert (refused(decision), claimed(decision)) == (["known", "known"], {"login": "ann.lee2@example.com"})


def test_taken_speaks_of_somebody_else(new_desk: NEW) -> None:
    """`taken`: not this row's owner, nor the user Okta matched; each question is asked once and recorded."""
    desk = new_desk(users=[{"id": "00u1", "login": "known@example.com"}])
    desk.hold_for("77", "held@example.com")
    desk.hold_for("1042", "mine@example.com")
    asked = {
        f"user.{name}": f"string(taken('login', '{value}'))"
        for name, value in {
            "title": "HELD@example.com",
            "city": "mine@example.com",
            "state": "known@example.com",
            "division": "nobody@example.com",
            "zipCode": "",
        }.items()
    }
    files = written({"id": "a", "set": asked}, {"id": "b", "set": {"user.nickName": asked["user.title"]}})
    told = {
        "user.title": "true",
        "user.nickName": "true",
        "user.city": "false",
        "user.state": "true",
        "user.division": "false",
        "user.zipCode": "false",
    }
    decision = desk.ask(files)
    assert values(decision) == told
    assert [(found.value, found.found) for found in decision.lookups] == [
        ("HELD@example.com", True),
        ("known@example.com", True),
        ("mine@example.com", False),
        ("nobody@example.com", False),
    ]
    assert values(desk.ask(files, matched="00u1")) == {**told, "user.state": "false"}
    assert values(desk.ask(files, matched="00u2")) == told


def test_a_namespace_that_no_check_could_see_is_an_error(desk: Desk) -> None:
    """`taken` with a name that is computed."""
    decision = desk.ask(written({"id": "a", "when": "taken('log' + 'out', 'x')", "set": {"user.title": "'x'"}}))
    assert verdicts(decision) == {"p/a": "unknown-namespace"}


def test_the_user_okta_matched_is_somebody_else_once_the_row_is_created(new_desk: NEW) -> None:
    """A veto of the link makes them two people: the new one does not get the login of the other."""
    desk = new_desk(users=[{"id": "00u1", "login": "ann@example.com"}])
    decision = desk.ask(written(login(*ANN, to=9), {"id": "v", "veto": ["action.link"]}), matched="00u1")
    assert (refused(decision), claimed(decision)) == (["known"], {"login": "ann2@example.com"})


@pytest.mark.parametrize(
    ("attribute", "value", "found"),
    [
        ("employeeNumber", "7", ("00u1", "00u2")),
        ("employeeNumber", " 7", ()),
        ("login", "ÄNN@example.com", ("00u1",)),
        ("login", "", ()),
        ("employeeNumber", " ", ()),
        ("status", "DEPROVISIONED", ("00u2",)),
        ("id", "00u2", ("00u2",)),
    ],
)
def test_directory_finds_known_users_of_every_status(
    new_desk: NEW, attribute: str, value: str, found: tuple[str, ...]
) -> None:
    """Login by fold, others as exact text; null, '' and blanks find nobody."""
    users = [
        {"id": "00u1", "status": "ACTIVE", "login": "ann@example.com", "employeeNumber": "7"},
        {"id": "00u2", "status": "DEPROVISIONED", "login": "bob@example.com", "employeeNumber": "7"},
        {"id": "00u3", "status": "ACTIVE", "login": "", "employeeNumber": " "},
    ]
    rule = {"id": "a", "debug": f"directory('{attribute}', '{value}').map(u, u.id)"}
    decision = new_desk(users=users).ask(written(rule))
    assert decision.debug == {"p/a": list(found)}
    assert [tuple(lookup.found) for lookup in decision.lookups if not isinstance(lookup.found, bool)] == (
        [found] if value.strip() else []
    )
    assert new_desk(users=users).ask(written({"id": "a", "debug": "directory('login', null)"})).debug == {"p/a": []}


def test_rows_without_an_id_are_never_one_owner_and_a_number_is_an_id() -> None:
    """A row comes back with a new event id: with an id of whatever kind it is the same owner, without one it is not."""

    def owner(external_id: object, event_id: str) -> Owner:
        profile = {"profile": {"externalId": external_id}}
        request = ImportRequest.from_wire({"eventId": event_id, "data": {"appUser": profile}})
        return owner_of(request, Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES))

    assert owner(1042, "first") == owner("1042", "second")
    assert owner(None, "first") != owner(None, "second")
