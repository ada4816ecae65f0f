"""The semantics table, row by row: what a target receives."""

from collections.abc import Callable, Mapping

import pytest

from tests.unit.engine.engine_desk import Desk, literal, values, verdicts, written
from usher.domain.decision import Conflict, RuleFault
from usher.domain.place import Severity
from usher.engine import LoadedPolicies

Load = Callable[..., LoadedPolicies]


def sets(identifier: str, *, overrides: tuple[str, ...] = (), **targets: object) -> dict[str, object]:
    """Return a rule that sets attributes of the Okta profile to literals."""
    given = {"overrides": list(overrides)} if overrides else {}
    return {"id": identifier, "set": {f"user.{name}": literal(value) for name, value in targets.items()}, **given}


def test_equal_values_for_one_target_are_fine(desk: Desk) -> None:
    """Row: two rules, one target, equal values."""
    decision = desk.ask(written(sets("a", title="x"), sets("b", title="x")))
    assert values(decision) == {"user.title": "x"}
    assert decision.assignments["user.title"].rules == ("p/a", "p/b")
    assert decision.conflicts == ()


def test_different_values_are_a_conflict_and_the_rest_stands(desk: Desk) -> None:
    """Row: two rules, one target, different values."""
    decision = desk.ask(written(sets("a", title="x", city="Rome"), sets("b", title="y", state="RM")))
    assert values(decision) == {"user.city": "Rome", "user.state": "RM"}
    assert decision.conflicts == (Conflict("user.title", ("p/a", "p/b")),)
    assert decision.fired == ("p/a", "p/b")
    assert decision.holds == ()


def test_conflicts_are_told_in_the_order_of_their_targets(desk: Desk) -> None:
    """Whatever the order of rules, the account of it reads the same."""
    one, other = sets("a", title="x", city="x"), sets("b", city="y", title="y")
    told = {desk.ask(written(*rules)).conflicts for rules in ((one, other), (other, one))}
    assert told == {(Conflict("user.city", ("p/a", "p/b")), Conflict("user.title", ("p/a", "p/b")))}


def test_the_named_rule_loses_the_targets_both_have_and_nothing_else(desk: Desk) -> None:
    """Row: `overrides: [rule]`."""
    files = written(sets("a", title="x", city="Rome"), sets("b", overrides=("a",), title="y", state="RM"))
    decision = desk.ask(files)
    assert values(decision) == {"user.title": "y", "user.city": "Rome", "user.state": "RM"}
    assert decision.conflicts == ()
    assert decision.fired == ("p/a", "p/b")


def test_a_rule_that_does_not_fire_overrides_nothing(desk: Desk) -> None:
    """Row: `overrides`: when both fire. False, in error and unfit are not fired."""
    for reason in ({"when": "false"}, {"when": "user.nickName == 'x'"}, {"only": "link"}):
        files = written(sets("a", title="x"), {**sets("b", overrides=("a",), title="y"), **reason})
        assert values(desk.ask(files)) == {"user.title": "x"}, reason


def test_a_value_of_null_overrides_nothing(desk: Desk) -> None:
    """Row: `overrides`: the targets both *have*; null is no value."""
    files = written(sets("a", title="x"), sets("b", overrides=("a",), title=None))
    assert values(desk.ask(files)) == {"user.title": "x"}


def test_a_ladders_name_stands_for_its_branches_and_its_overrides_for_theirs(desk: Desk) -> None:
    """Row: `overrides`, with ladders on either side."""
    ladder = {"id": "l", "first": [{**sets("x", title="x"), "when": "false"}, sets("y", title="y")]}
    assert values(desk.ask(written(ladder, sets("b", overrides=("l",), title="z")))) == {"user.title": "z"}
    assert values(desk.ask(written(ladder, sets("b", overrides=("l/y",), title="z")))) == {"user.title": "z"}
    decision = desk.ask(written(ladder, sets("b", overrides=("l/x",), title="z")))
    assert [conflict.target for conflict in decision.conflicts] == ["user.title"]
    assert values(desk.ask(written({**ladder, "overrides": ["b"]}, sets("b", title="z")))) == {"user.title": "y"}


def test_a_rule_of_another_policy_is_overridden_by_its_full_name(desk: Desk) -> None:
    """Row: `overrides`, across files; within a policy its own rule is meant."""
    other = written(sets("a", title="x"), name="q")
    files = {**other, **written(sets("b", overrides=("q/a",), title="y"))}
    assert values(desk.ask(files)) == {"user.title": "y"}


def test_a_rule_that_is_overridden_overrides_nevertheless(desk: Desk) -> None:
    """ADR 0007: all overrides are applied at once, so a chain has no beginning."""
    files = written(
        sets("a", title="a"), sets("b", overrides=("a",), title="b"), sets("c", overrides=("b",), title="c")
    )
    assert values(desk.ask(files)) == {"user.title": "c"}


def test_two_that_override_a_third_still_conflict_with_each_other(desk: Desk) -> None:
    """Row: `overrides`: nothing else is lost, and nothing else is decided."""
    files = written(
        sets("a", title="a"), sets("b", overrides=("a",), title="b"), sets("c", overrides=("a",), title="c")
    )
    assert desk.ask(files).conflicts == (Conflict("user.title", ("p/b", "p/c")),)


@pytest.mark.parametrize(
    "rules",
    [
        (sets("a", overrides=("a",), title="x"),),
        (sets("a", overrides=("b",), title="x"), sets("b", overrides=("a",), title="x")),
        ({"id": "l", "first": [sets("a", overrides=("l",), title="x")]},),
    ],
)
def test_a_circle_of_overrides_is_a_load_error(load: Load, rules: tuple[Mapping[str, object], ...]) -> None:
    """Row: `overrides`: cycles are load errors."""
    loaded = load(written(*rules))
    assert loaded.policy_set is None
    assert {problem.code for problem in loaded.errors} == {"override-cycle"}


def test_a_shadow_rule_overrides_nothing_and_is_not_overridden(desk: Desk) -> None:
    """Row: `overrides`: a shadow rule overrides nothing. Its policy is never answered."""
    files = {
        **written(sets("a", title="x")),
        **written(sets("b", overrides=("p/a",), title="y"), {"id": "h", "hold": "'no'"}, name="q", mode="shadow"),
    }
    decision = desk.ask(files)
    assert values(decision) == {"user.title": "x"}
    assert decision.holds == ()
    assert set(verdicts(decision)) == {"p/a"}
    shadow = desk.ask(files, shadow=True)
    assert set(verdicts(shadow)) == {"q/b", "q/h"}
    assert [hold.rule for hold in shadow.holds] == ["q/h"]


def test_a_shadow_policys_claims_vetoes_and_memory_do_not_reach_the_enforced_ones(desk: Desk) -> None:
    """`mode: shadow`: evaluated and logged, never answered."""
    shadow = written(
        {"id": "v", "veto": ["user.title", "action.create"]},
        {"id": "l", "action": {"link": "'00u9'"}},
        name="q",
        mode="shadow",
    )
    decision = desk.ask({**written(sets("a", title="x")), **shadow}, user={"login": "ann@example.com"})
    assert (values(decision), decision.vetoed, decision.link_id) == ({"user.title": "x"}, (), "")


@pytest.mark.parametrize(
    ("when", "verdict"),
    [
        ("1 == 1", "fired"),
        ("1 == 2", "false"),
        ("input.eventId", "not-boolean"),
        ("input.data.user.profile.nickName", "not-boolean"),
        ("input.nothing", "no-such-key"),
    ],
)
def test_when_is_true_false_or_an_error(desk: Desk, when: str, verdict: str) -> None:
    """Row: `when`: a non-boolean is an error, null too."""
    decision = desk.ask(written({**sets("a", title="x"), "when": when}), user={"nickName": None})
    assert verdicts(decision) == {"p/a": verdict}
    assert bool(values(decision)) is (verdict == "fired")


def test_an_error_in_a_variable_surfaces_where_it_is_used(desk: Desk) -> None:
    """Row: error in a variable."""
    files = written(
        {"id": "a", "set": {"user.title": "variables.bad"}},
        sets("b", city="Rome"),
        {"id": "c", "when": "variables.bad == 'x'", "hold": "'restrictions fail closed'"},
        variables={"bad": "'' + input.nothing"},
    )
    decision = desk.ask(files)
    assert verdicts(decision) == {"p/a": "no-such-key", "p/b": "fired", "p/c": "no-such-key"}
    assert [hold.text for hold in decision.holds] == ["restrictions fail closed"]


@pytest.mark.parametrize(
    ("expression", "user", "code"),
    [
        ("user.nickName == 'x'", {}, "no-such-key"),
        ("has(user.nickName) && user.nickName == 'x'", {}, "false"),
        ("has(user.nickName) && user.nickName.size() == 1", {"nickName": None}, "no-such-overload"),
        ("get(user, 'nickName', '').size() == 1", {}, "false"),
        ("get(user, 'nickName', '').size() == 1", {"nickName": None}, "false"),
        ("!blank(user.nickName)", {}, "false"),
        ("!blank(user.nickName)", {"nickName": None}, "false"),
        ("!blank(user.nickName)", {"nickName": "x"}, "fired"),
    ],
)
def test_a_missing_attribute_is_an_error_unless_guarded(
    desk: Desk, expression: str, user: dict[str, object], code: str
) -> None:
    """Row: missing attribute: `has()` guards against absence only, `get` and `blank` against absence and null."""
    assert verdicts(desk.ask(written({**sets("a", title="x"), "when": expression}), user=user)) == {"p/a": code}


@pytest.mark.parametrize(
    ("rule", "members", "severity"),
    [
        ({"set": {"user.title": "user.nickName"}}, {}, Severity.WARNING),
        ({"when": "user.nickName == 'x'", "set": {"user.title": "'x'"}}, {}, Severity.WARNING),
        ({"hold": "user.nickName"}, {}, Severity.WARNING),
        ({"when": "user.nickName == 'x'", "hold": "'x'"}, {}, Severity.ERROR),
        ({"when": "user.nickName == 'x'", "veto": ["user.city"]}, {}, Severity.ERROR),
        ({"set": {"user.title": "'x'"}}, {"match": "user.nickName == 'x'"}, Severity.ERROR),
        ({"when": "user.nickName == 'x'", "first": [{"id": "b", "veto": ["user.city"]}]}, {}, Severity.ERROR),
        ({"first": [{"id": "b", "when": "user.nickName == 'x'", "hold": "'x'"}]}, {}, Severity.ERROR),
    ],
)
def test_an_optional_attribute_without_a_guard(
    load: Load, rule: dict[str, object], members: dict[str, str], severity: Severity
) -> None:
    """Row: load error in `match` and in the `when` of a hold or veto; else a warning."""
    [problem] = load(written({"id": "a", **rule}, **members)).problems
    assert (problem.code, problem.severity) == ("unguarded-attribute", severity)


def test_null_gives_no_command_and_the_empty_text_clears(desk: Desk) -> None:
    """Row: a `set` that yields null."""
    files = written({"id": "a", "set": {"user.title": "null", "user.city": literal(None), "user.state": literal("")}})
    user = {"title": "x", "city": "Rome", "state": "RM"}
    assert desk.commands(files, user=user) == {"user.profile.update": {"state": ""}}


@pytest.mark.parametrize(
    ("target", "value", "sent"),
    [
        ("user.costCenter", 4711, False),
        ("user.costCenter", "4711", True),
        ("user.title", True, False),
        ("user.title", ["x"], False),
        ("appuser.groups", "x", False),
        ("appuser.groups", ["x"], True),
        ("user.login", "a" * 89 + "@example.com", False),
        ("user.login", "a" * 88 + "@example.com", True),
        ("user.login", "", False),
        ("user.login", "ann", False),
        ("user.countryCode", "Germany", False),
        ("user.countryCode", "DE", True),
    ],
)
def test_a_value_must_have_the_type_and_form_of_its_profile_schema(
    desk: Desk, target: str, value: object, *, sent: bool
) -> None:
    """Rows: type of a value (nothing is converted); a value that breaks the profile schema: that target gets none."""
    files = written({"id": "a", "only": "create", "set": {target: literal(value), "user.city": literal("Rome")}})
    commands = desk.commands(files)
    root, _, name = target.partition(".")
    found = commands.get("user.profile.update" if root == "user" else "appUser.profile.update", {})
    assert (name in found) is sent
    assert commands["user.profile.update"]["city"] == "Rome"


def test_a_value_already_equal_gives_no_command(desk: Desk) -> None:
    """Row: value already equal: in either profile, in type as in value."""
    files = written({"id": "a", "set": {"user.title": "'x'", "appuser.title": "'y'", "appuser.groups": literal(["g"])}})
    assert desk.commands(files, user={"title": "x"}, appuser={"title": "y", "groups": ["g"]}) == {}
    assert desk.commands(files, user={"title": "X"}, appuser={"title": "y", "groups": []}) == {
        "user.profile.update": {"title": "x"},
        "appUser.profile.update": {"groups": ["g"]},
    }


def test_when_nothing_fired_nothing_is_said(desk: Desk) -> None:
    """Row: nothing fired: Okta's default stands, whatever it is."""
    files = written({**sets("a", title="x"), "when": "false"})
    assert desk.commands(files) == {}
    assert desk.commands(files, matched="00u1") == {}
    assert desk.ask(files).fired == ()


def test_an_error_takes_the_whole_rule_and_no_other(desk: Desk) -> None:
    """Row: error in a rule that changes something: the rule does not fire; recorded."""
    files = written(
        {"id": "a", "set": {"user.title": "'x'", "user.city": "'' + input.nothing"}},
        {"id": "b", "action": {"link": "'' + input.nothing"}, "set": {"user.state": "'x'"}},
        sets("c", division="stands"),
    )
    decision = desk.ask(files)
    assert values(decision) == {"user.division": "stands"}
    assert decision.faults == (RuleFault("p/a", "no-such-key"), RuleFault("p/b", "no-such-key"))


def test_debug_is_published_for_rules_that_stand_and_the_name_stands_in_for_an_error(desk: Desk) -> None:
    """Row: error in `debug`. Any rule may carry one; one alone is a rule, too."""
    files = written(
        {"id": "a", "debug": "user.login"},
        {**sets("b", title="x"), "debug": "'' + input.nothing"},
        {"id": "c", "when": "false", "debug": "user.login"},
        {"id": "d", "only": "link", "debug": "user.login"},
        {"id": "e", "hold": "'x'", "debug": literal({"any": [1, None]})},
    )
    decision = desk.ask(files, user={"login": "ann@example.com"})
    assert decision.debug == {"p/a": "ann@example.com", "p/b": "p/b", "p/e": {"any": [1, None]}}
    assert decision.faults == (RuleFault("p/b", "no-such-key"),)


def test_an_error_in_because_costs_nothing(desk: Desk) -> None:
    """Row: error in `because`: it is not even looked at until somebody asks why."""
    decision = desk.ask(written({**sets("a", title="x"), "because": "'' + input.nothing"}))
    assert (values(decision), decision.faults) == ({"user.title": "x"}, ())
