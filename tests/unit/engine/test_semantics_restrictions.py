"""The semantics table, row by row: vetoes, holds, ladders, and what an error means to each."""

from collections.abc import Callable

import pytest

from tests.unit.engine.engine_desk import Desk, claim, ending, literal, values, verdicts, written
from usher.domain.decision import Hold, RuleFault
from usher.engine import LoadedPolicies

FAILS = "input.nothing == 'x'"


def title(identifier: str, value: str = "x", **members: object) -> dict[str, object]:
    """Return a rule that sets the title."""
    return {"id": identifier, "set": {"user.title": literal(value)}, **members}


def hold(identifier: str, **members: object) -> dict[str, object]:
    """Return a rule that holds."""
    return {"id": identifier, "hold": f"'{identifier}'", **members}


def veto(identifier: str, *targets: str, **members: object) -> dict[str, object]:
    """Return a rule that vetoes."""
    return {"id": identifier, "veto": list(targets), **members}


def test_a_veto_wins_over_a_set_whatever_is_overridden(desk: Desk) -> None:
    """Row: veto: speaks of the outcome and wins over set."""
    files = written(title("a", "x", overrides=["b", "v"]), title("b", "y"), veto("v", "user.title"))
    decision = desk.ask(files)
    assert (values(decision), decision.vetoed, decision.conflicts) == ({}, ("user.title",), ())


def test_a_veto_wins_over_a_claim(desk: Desk) -> None:
    """Row: veto: wins over claim: nothing is reserved, and the rest of the rule stands."""
    rule = {
        "id": "a",
        "claim": {"login": claim("'a@example.com'")},
        "set": {"user.login": "claimed.login", "user.email": "claimed.login", "user.title": "'x'"},
    }
    decision = desk.ask(written(rule, veto("v", "user.email")))
    assert values(decision) == {"user.title": "x"}
    assert (decision.claims, desk.held()) == ((), {})


def test_a_veto_of_a_target_nobody_sets_is_told_and_nothing_else(desk: Desk) -> None:
    """Row: veto: speaks of the outcome, not of our command."""
    decision = desk.ask(written(title("a"), veto("v", "user.city", "appuser.title")))
    assert values(decision) == {"user.title": "x"}
    assert decision.vetoed == ("appuser.title", "user.city")


def test_a_vetoed_overrider_gives_the_target_to_nobody(desk: Desk) -> None:
    """Step 4: vetoes, then overrides: what is vetoed is vetoed for all."""
    assert values(desk.ask(written(title("a"), title("b", "y", overrides=["a"]), veto("v", "user.title")))) == {}


def test_a_claim_that_a_veto_takes_overrides_nothing(desk: Desk) -> None:
    """Step 4: vetoes, then overrides: a rule that has lost its claim has none to override with."""
    claiming = {
        "id": "a",
        "claim": {"login": claim("'a@example.com'")},
        "set": {"user.login": "claimed.login", "user.email": "claimed.login"},
        "overrides": ["b"],
    }
    other = {"id": "b", "only": "create", "set": {"user.login": literal("b@example.com")}}
    decision = desk.ask(written(claiming, other, veto("v", "user.email")))
    assert values(decision) == {"user.login": "b@example.com"}


def test_a_hold_ends_the_decision(desk: Desk) -> None:
    """Row: hold: no claims, no policy commands, nothing remembered; the account of what fired stays."""
    files = written(
        title("a"),
        {"id": "c", "claim": {"login": claim("'a@example.com'")}, "set": {"user.login": "claimed.login"}},
        {"id": "l", "action": {"link": "'00u1'"}, "when": "false"},
        hold("h"),
    )
    decision = desk.ask(files, user={"login": "ann@example.com"})
    assert decision.holds == (Hold("p/h", "h"),)
    assert (values(decision), decision.claims, decision.remembered, desk.held()) == ({}, (), (), {})
    assert decision.fired == ("p/a", "p/c", "p/h")


def test_every_hold_is_told(desk: Desk) -> None:
    """Row: hold: several holds: one `errorCause` each; in one order, whatever that of the rules."""
    one = written(hold("b"), hold("a"), {"id": "c", "hold": "'a'"})
    other = written({"id": "c", "hold": "'a'"}, hold("a"), hold("b"))
    assert desk.ask(one).holds == desk.ask(other).holds == (Hold("p/a", "a"), Hold("p/b", "b"), Hold("p/c", "a"))


@pytest.mark.parametrize("text", ["'' + input.nothing", "''", "1 + 1", "null", "input.data.context.conflicts"])
def test_the_rules_name_stands_in_for_a_text_that_fails_or_is_none(desk: Desk, text: str) -> None:
    """Row: error in a hold's text: the rule's name stands in; recorded."""
    decision = desk.ask(written({"id": "h", "hold": text}))
    assert decision.holds == (Hold("p/h", "p/h"),)
    assert decision.faults == ((RuleFault("p/h", "no-such-key"),) if "nothing" in text else ())


def test_an_error_in_a_changing_rule_changes_nothing(desk: Desk) -> None:
    """Row: error in a rule that changes something."""
    decision = desk.ask(written(title("a", when=FAILS), {"id": "b", "set": {"user.city": "'x'"}}))
    assert (values(decision), verdicts(decision)) == ({"user.city": "x"}, {"p/a": "no-such-key", "p/b": "fired"})


@pytest.mark.parametrize("fails", [FAILS, "input.eventId"])
def test_an_error_in_a_restriction_applies_it(desk: Desk, fails: str) -> None:
    """Row: error in a veto's or a hold's `when`: restrictions fail closed, marked so that they can be counted apart."""
    decision = desk.ask(written(title("a"), veto("v", "user.title", when=fails)))
    assert (values(decision), decision.vetoed) == ({}, ("user.title",))
    [fault] = decision.faults
    assert (fault.rule, fault.closed) == ("p/v", True)
    held = desk.ask(written(hold("h", when=fails)))
    assert held.holds == (Hold("p/h", "h"),)
    assert [fault.closed for fault in held.faults] == [True]


def test_a_veto_of_an_action_fails_closed_too(desk: Desk) -> None:
    """Row: error in a veto's `when`: also where it decides the ending."""
    assert ending(desk.ask(written(veto("v", "action.link", when=FAILS)), matched="00u1")) == "create"
    assert ending(desk.ask(written(veto("v", "action.create", when=FAILS)))) == "hold"


def ladder(*branches: dict[str, object], **members: object) -> dict[str, str]:
    """Return a policy of one ladder and a rule beside it; a branch that says nothing else is true."""
    beside = {"id": "beside", "set": {"user.city": literal("stands")}}
    first = [*({"when": "true", **branch} for branch in branches[:-1]), branches[-1]]
    return written({"id": "l", "first": first, **members}, beside)


def test_the_first_branch_that_is_true_fires_and_no_other(desk: Desk) -> None:
    """`first`: a ladder: the first branch whose `when` is true; one without `when` always is."""
    files = ladder(title("a", "a", when="false"), title("b", "b", when="true"), title("c", "c"))
    decision = desk.ask(files)
    assert values(decision) == {"user.title": "b", "user.city": "stands"}
    assert verdicts(decision) == {"p/l/a": "false", "p/l/b": "fired", "p/beside": "fired"}
    assert values(desk.ask(ladder(title("a", "a", when="false"), title("c", "c"))))["user.title"] == "c"


@pytest.mark.parametrize(("when", "fires"), [("true", True), ("false", False), (FAILS, False)])
def test_a_ladders_own_when_opens_or_closes_it(desk: Desk, when: str, *, fires: bool) -> None:
    """A ladder may have its own `when`; in error, no branch that changes something fires."""
    decision = desk.ask(ladder(title("a"), when=when))
    assert ("user.title" in values(decision)) is fires
    assert values(decision)["user.city"] == "stands"


def test_a_ladders_only_holds_for_its_branches_and_a_branchs_own_stands_in_its_place(desk: Desk) -> None:
    """ADR 0007: a branch's own `only` stands in place of its ladder's."""
    assert verdicts(desk.ask(ladder(title("a"), only="link")))["p/l/a"] == "unfit"
    assert verdicts(desk.ask(ladder(title("a", only="create"), only="link")))["p/l/a"] == "fired"


def test_a_branch_that_drops_out_is_not_replaced(desk: Desk) -> None:
    """ADR 0007: a ladder is climbed in step 1: `only`, vetoes, overrides and exhaustion come later."""
    fallback: dict[str, object] = {"id": "z", "set": {"user.state": literal("z")}}
    assert "user.state" not in values(desk.ask(ladder(title("a", only="link"), fallback)))
    files = {**ladder(title("a"), fallback), **written(veto("v", "user.title"), name="q")}
    assert "user.state" not in values(desk.ask(files))


@pytest.mark.parametrize(
    "failing",
    [
        title("a", when=FAILS),
        {"id": "a", "set": {"user.title": "'' + input.nothing"}},
        {"id": "a", "action": {"link": "''"}},
    ],
)
def test_an_error_stops_the_ladder(desk: Desk, failing: dict[str, object]) -> None:
    """Row: error in a rule that changes something: its ladder stops, the error never falls through to the fallback."""
    decision = desk.ask(ladder(failing, {"id": "z", "set": {"user.state": literal("z")}}))
    assert values(decision) == {"user.city": "stands"}
    assert "p/l/z" not in verdicts(decision)


@pytest.mark.parametrize(
    "failing",
    [
        title("a", when=FAILS),
        {"id": "a", "set": {"user.title": "'' + input.nothing"}},
        hold("a", when=FAILS),
    ],
)
def test_an_error_in_a_ladder_applies_every_restriction_in_that_branch_or_below(
    desk: Desk, failing: dict[str, object]
) -> None:
    """Row: error … in a ladder, so does every restriction in that branch or below; those above were false."""
    above = hold("above", when="false")
    decision = desk.ask(ladder(above, failing, hold("h", when="false"), title("c"), veto("v", "user.city")))
    expected = {"p/l/h", "p/l/a"} if "hold" in failing else {"p/l/h"}
    assert {found.rule for found in decision.holds} == expected
    assert decision.vetoed == ("user.city",)
    closed = {fault.rule for fault in decision.faults if fault.closed}
    assert closed == {"p/l/h", "p/l/v"} | ({"p/l/a"} if "hold" in failing else set())


def test_an_error_in_a_ladders_own_when_applies_all_its_restrictions(desk: Desk) -> None:
    """Row: error … in a ladder: nobody knows which branch it would have been."""
    decision = desk.ask(ladder(title("a"), hold("h", when="false"), veto("v", "user.city"), when=FAILS))
    assert [found.rule for found in decision.holds] == ["p/l/h"]
    assert decision.vetoed == ("user.city",)


def test_a_restriction_above_an_error_is_judged_as_it_stands(desk: Desk) -> None:
    """Row: error … in a ladder: that branch or *below*: a branch that fired ends the climb before the error."""
    decision = desk.ask(ladder(title("a"), hold("h", when=FAILS)))
    assert (decision.holds, decision.faults) == ((), ())


MATCH_FAILS = {"match": FAILS}


def test_an_error_in_match_changes_nothing_and_claims_nothing(desk: Desk) -> None:
    """Row: error in `match`; other policies stand."""
    rules = (
        title("a"),
        {"id": "c", "claim": {"login": claim("'a@example.com'")}, "set": {"user.login": "claimed.login"}},
        {"id": "l", "action": {"link": "'00u1'"}},
        {"id": "first", "first": [title("b")]},
    )
    files = {**written(*rules, **MATCH_FAILS), **written({"id": "a", "set": {"user.city": "'x'"}}, name="q")}
    decision = desk.ask(files)
    assert (values(decision), ending(decision), desk.held()) == ({"user.city": "x"}, "create", {})
    assert decision.faults == (RuleFault("p", "no-such-key"),)
    assert decision.fired == ("q/a",)


@pytest.mark.parametrize(("when", "applies"), [("true", True), ("false", False), (FAILS, True)])
def test_an_error_in_match_has_vetoes_and_holds_judged_as_if_it_were_true(
    desk: Desk, when: str, *, applies: bool
) -> None:
    """Row: error in `match`."""
    files = {
        **written(hold("h", when=when), veto("v", "user.city", when=when), **MATCH_FAILS),
        **written({"id": "a", "set": {"user.city": "'x'"}}, name="q"),
    }
    decision = desk.ask(files)
    assert (ending(decision), decision.vetoed) == (("hold", ("user.city",)) if applies else ("create", ()))


@pytest.mark.parametrize(
    ("above", "applies"),
    [
        (title("a", when="true"), False),
        (title("a", when="false"), True),
        (title("a", when=FAILS), True),
        ({"id": "a", "when": "true", "set": {"user.title": "'' + input.nothing"}}, True),
    ],
)
def test_an_error_in_match_leaves_ladders_as_if_it_were_true(
    desk: Desk, above: dict[str, object], *, applies: bool
) -> None:
    """Row: error in `match`: a branch that would have fired, or failed, counts as it would have."""
    files = written({"id": "l", "first": [above, hold("h")]}, **MATCH_FAILS)
    decision = desk.ask(files)
    assert (ending(decision) == "hold") is applies
    assert values(decision) == {}
    same = desk.ask(written({"id": "l", "first": [above, hold("h")]}))
    assert (ending(same) == "hold") is applies


def test_a_match_that_is_false_closes_restrictions_too(desk: Desk) -> None:
    """`match`: the imports this policy speaks about."""
    decision = desk.ask(written(hold("h"), veto("v", "user.city"), match="action == 'LINK_USER'"))
    assert (decision.holds, decision.vetoed, decision.trace) == ((), (), ())


def test_a_rule_changes_or_restricts(load: Callable[..., LoadedPolicies]) -> None:
    """Mixing is a load error, in a branch as in a rule; `hold` and `veto` may stand together."""
    for changing in ({"set": {"user.title": "'x'"}}, {"action": "create"}):
        for restricting in ({"hold": "'x'"}, {"veto": ["user.city"]}):
            rule = {"id": "a", **changing, **restricting}
            for rules in (rule, {"id": "l", "first": [rule]}):
                assert {problem.code for problem in load(written(rules)).errors} == {"mixed-effects"}
    assert load(written(veto("v", "user.city", hold="'x'"))).problems == ()
