"""The semantics table, row by row: how a decision ends, and what falls with an action."""

import pytest

from tests.unit.engine.engine_desk import Desk, ending, literal, values, verdicts, written
from usher.domain.decision import Conflict


def links(identifier: str, user_id: object, **members: object) -> dict[str, object]:
    """Return a rule that links to a user."""
    return {"id": identifier, "action": {"link": literal(user_id)}, **members}


def test_without_an_action_oktas_proposal_stands(desk: Desk) -> None:
    """Step 2: together with Okta's own proposal this is how the decision ends; nothing is sent."""
    files = written({"id": "a", "set": {"user.title": "'x'"}})
    assert ending(desk.ask(files)) == "create"
    assert ending(desk.ask(files, matched="00u1")) == "link 00u1"
    assert desk.commands(files, matched="00u1") == {"user.profile.update": {"title": "x"}}


@pytest.mark.parametrize(
    ("matched", "action", "sent"),
    [
        ("", "create", {}),
        ("00u1", "create", {"action.update": {"result": "CREATE_USER"}}),
        ("", "00u1", {"action.update": {"result": "LINK_USER"}, "user.update": {"id": "00u1"}}),
        ("00u1", "00u2", {"action.update": {"result": "LINK_USER"}, "user.update": {"id": "00u2"}}),
        ("00u1", "00u1", {}),
    ],
)
def test_a_link_takes_both_commands_or_neither(
    desk: Desk, matched: str, action: str, sent: dict[str, dict[str, str]]
) -> None:
    """Row: value already equal: neither only if Okta already links to that id."""
    rule = {"id": "a", "action": "create"} if action == "create" else links("a", action)
    assert desk.commands(written(rule), matched=matched) == sent


def test_two_rules_that_link_to_one_user_agree(desk: Desk) -> None:
    """Row: two different link ids: equal ones are fine."""
    assert ending(desk.ask(written(links("a", "00u1"), links("b", "00u1")))) == "link 00u1"


@pytest.mark.parametrize(
    "rules",
    [
        (links("a", "00u1"), links("b", "00u2")),
        (links("a", "00u1"), {"id": "b", "action": "create"}),
        (links("a", "00u1"), links("c", "00u1"), links("b", "00U1")),
    ],
)
@pytest.mark.parametrize("matched", ["", "00u1", "00u3"])
def test_different_link_ids_and_create_against_link_are_a_hold(
    desk: Desk, rules: tuple[dict[str, object], ...], matched: str
) -> None:
    """Row: two different link ids, or create against link: no majority, and not Okta's proposal either."""
    decision = desk.ask(
        written(
            *({**rule, "set": {"user.title": literal(rule["id"])}} for rule in rules),
            {"id": "z", "set": {"user.city": "'x'"}},
        ),
        matched=matched,
        user={"login": "ann@example.com"},
    )
    assert [hold.rule for hold in decision.holds] == ["action-conflict"]
    assert decision.conflicts == (Conflict("action", tuple(sorted(f"p/{rule['id']}" for rule in rules))),)
    assert decision.assignments == {}
    assert desk.held() == {}


def test_overrides_settle_the_action(desk: Desk) -> None:
    """Row: `overrides`: likewise the action, if both have one; and the loser's sets fall with it."""
    files = written(
        links("a", "00u1", set={"user.title": literal("a"), "user.city": literal("a")}),
        links("b", "00u2", set={"user.title": literal("b")}, overrides=["a"]),
    )
    decision = desk.ask(files)
    assert ending(decision) == "link 00u2"
    assert values(decision) == {"user.title": "b"}
    assert decision.conflicts == ()


def test_a_rule_without_an_action_overrides_none(desk: Desk) -> None:
    """Row: `overrides`: what both have."""
    files = written(
        links("a", "00u1", set={"user.title": literal("a")}),
        {"id": "b", "set": {"user.title": literal("b")}, "overrides": ["a"]},
    )
    decision = desk.ask(files)
    assert (ending(decision), values(decision)) == ("link 00u1", {"user.title": "b"})


@pytest.mark.parametrize(
    "against",
    [
        {"id": "v", "veto": ["action.link"]},
        links("o", "00u2", overrides=["a"]),
    ],
)
def test_when_the_action_falls_so_do_sets_and_claim(desk: Desk, against: dict[str, object]) -> None:
    """Row: a rule's `action` and `set` stand or fall together."""
    files = written(links("a", "00u1", set={"user.title": literal("a")}), against)
    decision = desk.ask(files)
    assert values(decision) == {}
    assert decision.conflicts == ()


def test_a_vetoed_creation_takes_the_claim_with_it(desk: Desk) -> None:
    """Row: a rule's `action` and `set` stand or fall together; so nothing is claimed either."""
    files = written(
        {
            "id": "a",
            "action": "create",
            "claim": {"login": {"candidates": ["'a@example.com'"]}},
            "set": {"user.login": "claimed.login", "user.title": "'x'"},
        },
        {"id": "v", "veto": ["action.create"]},
    )
    decision = desk.ask(files, matched="00u1")
    assert (ending(decision), values(decision), desk.held()) == ("link 00u1", {}, {})


def test_an_overridden_creation_takes_the_claim_with_it(desk: Desk) -> None:
    """Row: a rule's `action` and `set` stand or fall together: also where the row is created all the same."""
    claiming = {
        "id": "a",
        "action": "create",
        "claim": {"login": {"candidates": ["'a@example.com'"]}},
        "set": {"user.login": "claimed.login"},
    }
    decision = desk.ask(written(claiming, {"id": "b", "action": "create", "overrides": ["a"]}), matched="00u1")
    assert (ending(decision), values(decision), desk.held()) == ("create", {}, {})


def test_an_action_does_not_fall_with_a_target(desk: Desk) -> None:
    """ADR 0007: the action is settled in step 2, targets in step 4."""
    files = written(
        links("a", "00u1", set={"user.title": literal("a"), "user.city": literal("a")}),
        {"id": "b", "set": {"user.title": literal("b")}},
        {"id": "v", "veto": ["user.city"]},
    )
    decision = desk.ask(files)
    assert (ending(decision), values(decision)) == ("link 00u1", {})


@pytest.mark.parametrize("user_id", ["", "  ", None, 7, ["00u1"], True])
def test_a_link_to_nothing_is_an_error(desk: Desk, user_id: object) -> None:
    """Nobody is linked to '' or null: the rule does not fire, and none of it happens."""
    decision = desk.ask(written(links("a", user_id, set={"user.title": literal("x")})))
    assert verdicts(decision) == {"p/a": "bad-link-id"}
    assert (ending(decision), values(decision)) == ("create", {})


@pytest.mark.parametrize(
    ("only", "matched", "action", "verdict"),
    [
        ("create", "", None, "fired"),
        ("create", "00u1", None, "unfit"),
        ("link", "", None, "unfit"),
        ("link", "00u1", None, "fired"),
        ("create", "", {"link": literal("00u1")}, "unfit"),
        ("link", "", {"link": literal("00u1")}, "fired"),
        ("create", "00u1", "create", "fired"),
        ("link", "00u1", "create", "unfit"),
    ],
)
def test_only_asks_how_the_decision_ends(desk: Desk, only: str, matched: str, action: object, verdict: str) -> None:
    """`only`: applies only if the decision ends so, another rule's action and Okta's proposal included."""
    rules: list[dict[str, object]] = [{"id": "a", "only": only, "set": {"user.title": "'x'"}}]
    rules += [{"id": "b", "action": action}] if action else []
    decision = desk.ask(written(*rules), matched=matched)
    assert verdicts(decision)["p/a"] == verdict
    assert bool(values(decision)) is (verdict == "fired")


def test_holds_and_vetoes_with_only_drop_out_too(desk: Desk) -> None:
    """Step 3: rules whose `only` does not fit drop out, whatever they do, also those that apply through an error."""
    files = written(
        {"id": "h", "only": "link", "hold": "'x'"},
        {"id": "v", "only": "link", "veto": ["user.title"]},
        {"id": "e", "only": "link", "when": "input.nothing", "hold": "'x'"},
        {"id": "a", "set": {"user.title": "'x'"}},
    )
    decision = desk.ask(files)
    assert (decision.holds, decision.vetoed, values(decision)) == ((), (), {"user.title": "x"})
    assert len(desk.ask(files, matched="00u1").holds) == 2


def test_a_veto_of_linking_speaks_of_oktas_proposal_too(desk: Desk) -> None:
    """Row: veto: `action.link` while Okta proposes LINK_USER: the answer is CREATE_USER."""
    files = written({"id": "v", "veto": ["action.link"]}, {"id": "c", "only": "create", "set": {"user.title": "'x'"}})
    assert desk.commands(files, matched="00u1") == {
        "action.update": {"result": "CREATE_USER"},
        "user.profile.update": {"title": "x"},
    }
    assert desk.ask(files, matched="00u1").vetoed == ("action.link",)


def test_a_veto_of_linking_stops_a_rules_link(desk: Desk) -> None:
    """Row: veto: wins over action."""
    files = written({"id": "v", "veto": ["action.link"]}, links("a", "00u1"))
    assert ending(desk.ask(files)) == "create"
    assert ending(desk.ask(files, matched="00u1")) == "create"


@pytest.mark.parametrize(
    ("rules", "matched", "ends"),
    [
        ((), "", "hold"),
        ((), "00u1", "link 00u1"),
        (({"id": "a", "action": "create"},), "", "hold"),
        (({"id": "a", "action": "create"},), "00u1", "link 00u1"),
        ((links("a", "00u2"),), "", "link 00u2"),
        (({"id": "a", "veto": ["action.link"]},), "00u1", "hold"),
        ((links("a", "00u2"), {"id": "b", "veto": ["action.link"]}), "", "hold"),
    ],
)
def test_a_veto_of_creating_with_nobody_to_link_to_is_a_hold(
    desk: Desk, rules: tuple[dict[str, object], ...], matched: str, ends: str
) -> None:
    """Row: veto: `action.create` with nobody to link to: a hold."""
    decision = desk.ask(written({"id": "v", "veto": ["action.create"]}, *rules), matched=matched)
    assert ending(decision) == ends
    assert [hold.rule for hold in decision.holds] == (["create-vetoed"] if ends == "hold" else [])
