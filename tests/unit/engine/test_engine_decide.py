"""What a policy set decides about a request."""

import copy
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.cel import Budget, BudgetExceeded
from usher.domain.decision import Conflict, Decision, RuleFault, Verdict
from usher.domain.request import ImportRequest
from usher.engine import (
    DEFAULT_NAMESPACES,
    Circumstances,
    MemoryDirectory,
    MemoryLedger,
    PolicySet,
    Stores,
    decide,
)
from usher.engine.values import same_value

Payload = Callable[..., dict[str, Any]]
Decide = Callable[..., Decision]
Load = Callable[[str | Mapping[str, str]], PolicySet]


def one_rule(body: str, *, head: str = "") -> str:
    """Return a policy named p whose one rule is named a."""
    return f"policy: p\n{head}rules:\n  - id: a\n{body}"


def fresh() -> Circumstances:
    """Return a budget of its own, nothing held, nobody known."""
    return Circumstances(0, Budget(), Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES))


def values(decision: Decision) -> dict[str, object]:
    """Return what each target receives."""
    return {target: assignment.value for target, assignment in decision.assignments.items()}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{value: x}", "x"),
        ("{value: ''}", ""),
        ("{value: \"'x'\"}", "'x'"),
        ("{value: 1}", 1),
        ("{value: 1.0}", 1.0),
        ("{value: true}", True),
        ("{value: NO}", "NO"),
        ("{value: 2026-01-01}", "2026-01-01"),
        ("{value: [a, 1]}", ["a", 1]),
        ("\"'x' + 'y'\"", "xy"),
        ("\"get(user, 'firstName', '')\"", "Ann"),
        ('"appuser.externalId"', "1042"),
        ('"context.application.name"', "test_app"),
        ('"action"', "CREATE_USER"),
        ('"matched_user_id"', ""),
        ('"string(now)"', "2026-03-02T09:00:00Z"),
        ('"input.eventId"', "event-1"),
        ('"constants.domain"', "example.com"),
        ('"variables.greeting"', "hello Ann"),
        ('"variables.literal"', 7),
    ],
)
def test_a_value_is_a_literal_or_what_its_expression_yields(
    decided: Decide, payload: Payload, written: str, value: object
) -> None:
    """Every name an expression may use, every type YAML may hold."""
    head = (
        "constants: {domain: example.com}\n"
        "variables:\n  literal: {value: 7}\n  first: get(user, 'firstName', '')\n"
        "  greeting: \"'hello ' + variables.first\"\n"
    )
    decision = decided(one_rule(f"    set: {{user.title: {written}}}\n", head=head), payload(user={"firstName": "Ann"}))
    assert values(decision) == {"user.title": value}
    assert type(decision.assignments["user.title"].value) is type(value)
    assert decision.fired == ("p/a",)


@pytest.mark.parametrize(
    ("when", "verdict", "code"),
    [
        ("true", Verdict.FIRED, ""),
        ("false", Verdict.FALSE, ""),
        ("user.firstName == 'Ann'", Verdict.FIRED, ""),
        ("user.firstName == 'Bob'", Verdict.FALSE, ""),
        ("user.lastName == 'Lee'", Verdict.ERROR, "no-such-key"),
        ("user.lastName == 'Lee' && false", Verdict.FALSE, ""),
        ("user.lastName == 'Lee' || true", Verdict.FIRED, ""),
        ("user.firstName", Verdict.ERROR, "not-boolean"),
        ("user.title", Verdict.ERROR, "not-boolean"),
        ("user.city && true", Verdict.ERROR, "not-boolean"),
        ("1 / size(context.conflicts) == 1", Verdict.ERROR, "division-by-zero"),
    ],
)
def test_a_when_is_true_false_or_an_error(
    decided: Decide, payload: Payload, when: str, verdict: Verdict, code: str
) -> None:
    """A non-boolean is an error; null is none; errors are absorbed as CEL says."""
    policy = one_rule(f'    when: "{when}"\n    set: {{user.title: {{value: x}}}}\n')
    decision = decided(policy, payload(user={"firstName": "Ann", "title": None, "city": 1}))
    [trace] = decision.trace
    assert (trace.verdict, trace.code) == (verdict, code)
    assert bool(decision.assignments) is (verdict is Verdict.FIRED)
    assert decision.faults == ((RuleFault("p/a", code),) if code else ())


@pytest.mark.parametrize(
    ("match", "traced", "faults"),
    [
        ("action == 'CREATE_USER'", [("p/a", Verdict.FIRED)], ()),
        ("action == 'LINK_USER'", [], ()),
        ("1 / size(context.conflicts) == 1", [("p", Verdict.ERROR)], (RuleFault("p", "division-by-zero"),)),
        ("input.eventId", [("p", Verdict.ERROR)], (RuleFault("p", "not-boolean"),)),
    ],
)
def test_a_match_opens_or_closes_the_whole_policy(
    decided: Decide, payload: Payload, match: str, traced: list[tuple[str, Verdict]], faults: tuple[RuleFault, ...]
) -> None:
    """An error in it changes nothing and is recorded under the policy's name; other policies stand."""
    decision = decided(
        {
            "p.yaml": one_rule("    set: {user.title: {value: x}}\n", head=f'match: "{match}"\n'),
            "q.yaml": one_rule("    set: {user.city: {value: y}}\n").replace("policy: p", "policy: q"),
        },
        payload(),
    )
    assert [(trace.rule, trace.verdict) for trace in decision.trace if trace.rule != "q/a"] == traced
    assert decision.faults == faults
    assert values(decision)["user.city"] == "y"
    assert ("user.title" in values(decision)) is (traced == [("p/a", Verdict.FIRED)])


PAIRS: list[tuple[str, str, bool]] = [
    ("x", "x", True),
    ("''", "''", True),
    ("x", "y", False),
    ("x", "X", False),
    ("1", "1", True),
    ("1", "1.0", False),
    ("1", "true", False),
    ("0", "false", False),
    ("1.0", "true", False),
    ("1", "'1'", False),
    ("[a, 1]", "[a, 1]", True),
    ("[a, 1]", "[a, 1.0]", False),
    ("[a, 1]", "[a]", False),
    ("[[1]]", "[[true]]", False),
    ("''", "[]", False),
]


@pytest.mark.parametrize(("one", "other", "same"), PAIRS)
def test_two_rules_and_one_target(decided: Decide, payload: Payload, one: str, other: str, *, same: bool) -> None:
    """Equal values agree; different ones (1, 1.0 and true are three) cancel that target and nothing else."""
    policy = (
        "policy: p\nrules:\n"
        f"  - id: b\n    set: {{user.title: {{value: {one}}}, user.city: {{value: stands}}}}\n"
        f"  - id: a\n    set: {{user.title: {{value: {other}}}}}\n"
    )
    decision = decided(policy, payload())
    assert decision.fired == ("p/b", "p/a")
    if same:
        assert set(decision.assignments) == {"user.title", "user.city"}
        assert decision.assignments["user.title"].rules == ("p/b", "p/a")
        assert decision.conflicts == ()
    else:
        assert values(decision) == {"user.city": "stands"}
        assert decision.conflicts == (Conflict("user.title", ("p/a", "p/b")),)


def test_a_third_rule_that_agrees_does_not_settle_a_conflict(decided: Decide, payload: Payload) -> None:
    """No majority: the target gets no command, and every rule is named."""
    rules = "".join(
        f"  - id: {name}\n    set: {{user.title: {{value: {value}}}}}\n"
        for name, value in [("a", 1), ("b", 1), ("c", 2)]
    )
    decision = decided("policy: p\nrules:\n" + rules, payload())
    assert decision.assignments == {}
    assert decision.conflicts == (Conflict("user.title", ("p/a", "p/b", "p/c")),)


@pytest.mark.parametrize("written", ["{value: null}", "{value: }", '"null"', '"appuser.middleName"'])
def test_null_gives_no_command_and_conflicts_with_nothing(decided: Decide, payload: Payload, written: str) -> None:
    """To clear an attribute one writes {value: ''}."""
    policy = (
        "policy: p\nrules:\n"
        f"  - id: a\n    set: {{user.title: {written}}}\n"
        "  - id: b\n    set: {user.title: {value: x}, user.city: {value: y}}\n"
    )
    decision = decided(policy, payload(appuser={"middleName": None}))
    assert values(decision) == {"user.title": "x", "user.city": "y"}
    assert decision.assignments["user.title"].rules == ("p/b",)
    assert decision.fired == ("p/a", "p/b")


def test_a_rule_stands_or_falls_whole(decided: Decide, payload: Payload) -> None:
    """An error in the last value takes the first with it, and no other rule."""
    policy = (
        "policy: p\nrules:\n"
        "  - id: a\n    set: {user.title: {value: x}, user.city: user.nickName}\n"
        "  - id: b\n    set: {user.state: {value: y}}\n"
    )
    decision = decided(policy, payload())
    assert values(decision) == {"user.state": "y"}
    assert decision.faults == (RuleFault("p/a", "no-such-key"),)
    assert decision.conflicts == ()


def test_a_variable_nobody_uses_is_never_evaluated(decided: Decide, payload: Payload) -> None:
    """An error in it surfaces nowhere."""
    policy = one_rule("    set: {user.title: {value: x}}\n", head="variables: {bad: 1 / size(context.conflicts)}\n")
    decision = decided(policy, payload())
    assert decision.faults == ()
    assert decision.fired == ("p/a",)


def test_a_variable_is_evaluated_once(decided: Decide, payload: Payload) -> None:
    """However many rules use it: the budget of steps is that of one evaluation."""
    head = "variables: {big: \"size(context.conflicts.map(c, c + 'x'))\"}\n"
    rules = "".join(f"  - id: r{number}\n    set: {{user.title: string(variables.big)}}\n" for number in range(50))
    budget = Budget()
    full = budget.steps
    decision = decided(
        "policy: p\n" + head + "rules:\n" + rules, payload(context={"conflicts": ["login"] * 20}), budget=budget
    )
    assert values(decision) == {"user.title": "20"}
    assert full - budget.steps == 20


def test_an_error_in_a_variable_surfaces_where_it_is_used_and_names_the_variables_place(
    decided: Decide, payload: Payload
) -> None:
    """The rules that use it fail, at the place that has to be mended, through other variables and macros too."""
    policy = (
        "policy: p\n"
        "variables:\n"
        "  bad: \"'x' +\n"
        '    user.nickName"\n'
        "  worse: variables.bad + 'y'\n"
        "rules:\n"
        "  - id: direct\n"
        "    set: {user.title: variables.bad}\n"
        "  - id: through\n"
        "    set: {user.title: variables.worse}\n"
        "  - id: condition\n"
        "    when: variables.worse == 'x'\n"
        "    set: {user.title: {value: x}}\n"
        "  - id: macro\n"
        "    set: {user.title: \"string(['a'].all(v, variables.bad == v))\"}\n"
        "  - id: absorbed\n"
        "    when: variables.bad == 'x' || true\n"
        "    set: {user.city: {value: x}}\n"
        "  - id: own\n"
        "    when: variables.bad == 'x' && true || 1 / 0 == 1\n"
        "    set: {user.city: {value: x}}\n"
        "  - id: untouched\n"
        "    set: {user.state: {value: x}}\n"
    )
    decision = decided(policy, payload())
    places = {trace.rule: (trace.verdict, trace.code, trace.line, trace.column) for trace in decision.trace}
    failed = (Verdict.ERROR, "no-such-key", 4, 10)
    assert [places[f"p/{rule}"] for rule in ("direct", "through", "condition", "macro")] == [failed] * 4
    assert places["p/own"][0] is Verdict.ERROR
    assert decision.fired == ("p/absorbed", "p/untouched")


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("    when: user.city == 'x'\n", (5, 11)),
        ("    when: >-\n      true &&\n      false\n", (7, 7)),
        ("    when: |\n      true\n\n        && action == 'LINK_USER'\n", (8, 12)),
        ("    when: 'true && ''a'' == ''b'''\n", (5, 20)),
        ('    when: "\\x74rue \\\n      && (false)"\n', (6, 11)),
    ],
)
def test_a_trace_names_the_smallest_false_part_at_its_place_in_the_file(
    decided: Decide, payload: Payload, written: str, place: tuple[int, int]
) -> None:
    """Line and column are those an editor shows."""
    policy = "policy: p\n\nrules:\n  - id: a\n" + written + "    set: {user.title: {value: x}}\n"
    [trace] = decided(policy, payload(user={"city": "y"})).trace
    assert trace.verdict is Verdict.FALSE
    assert (trace.line, trace.column) == place


def test_an_error_in_a_set_is_traced_at_the_value(decided: Decide, payload: Payload) -> None:
    """Not at the rule, not at the condition."""
    policy = one_rule("    when: 'true'\n    set:\n      user.title: >-\n        'x' +\n        user.nickName\n")
    [trace] = decided(policy, payload()).trace
    assert (trace.verdict, trace.line, trace.column) == (Verdict.ERROR, 8, 14)


def test_a_fired_rule_is_traced_at_its_own_place(decided: Decide, payload: Payload) -> None:
    """Where its mapping begins."""
    [trace] = decided("policy: p\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n", payload()).trace
    assert (trace.line, trace.column) == (3, 5)


def test_policies_do_not_see_each_others_constants_and_variables(decided: Decide, payload: Payload) -> None:
    """The same names, other values."""
    texts = {
        f"{name}.yaml": (
            f"policy: {name}\nconstants: {{c: {name}}}\nvariables: {{v: \"constants.c + '!'\"}}\n"
            f"rules:\n  - id: a\n    set: {{user.{target}: variables.v}}\n"
        )
        for name, target in [("one", "title"), ("two", "city")]
    }
    assert values(decided(texts, payload())) == {"user.title": "one!", "user.city": "two!"}


def test_a_budget_that_is_spent_ends_the_decision(decided: Decide, payload: Payload) -> None:
    """No decision is better than half of one; no rule absorbs it."""
    policy = one_rule("    when: context.conflicts.all(c, c != '') || true\n    set: {user.title: {value: x}}\n")
    with pytest.raises(BudgetExceeded):
        decided(policy, payload(context={"conflicts": ["x"] * 100}), budget=Budget(steps=10))


def test_a_budget_is_one_for_all_rules(decided: Decide, payload: Payload) -> None:
    """Many cheap rules are as dear as one dear rule."""
    rules = "".join(
        f"  - id: r{number}\n    when: context.conflicts.all(c, c != '')\n    set: {{user.title: {{value: x}}}}\n"
        for number in range(10)
    )
    request = payload(context={"conflicts": ["x"] * 10})
    assert decided("policy: p\nrules:\n" + rules, request, budget=Budget(steps=101)).assignments
    with pytest.raises(BudgetExceeded):
        decided("policy: p\nrules:\n" + rules, request, budget=Budget(steps=50))


def test_a_variable_that_needs_itself_fails_its_rule_alone(decided: Decide, payload: Payload) -> None:
    """Its own name may be computed, which no check at load can see."""
    policy = one_rule("    set: {user.title: string(variables.v)}\n", head="variables: {v: \"variables['' + 'v']\"}\n")
    [trace] = decided(policy, payload()).trace
    assert (trace.verdict, trace.code) == (Verdict.ERROR, "needs-itself")


RULES = [
    "    set: {user.title: {value: x}}\n",
    "    set: {user.title: {value: y}}\n",
    "    set: {user.title: {value: 1}}\n",
    "    set: {user.title: {value: true}}\n",
    "    set: {user.city: {value: [1]}}\n",
    "    set: {user.city: {value: [true]}, user.state: {value: s}}\n",
    "    set: {user.state: variables.v}\n",
    "    set: {user.state: {value: s}, user.title: user.nickName}\n",
    "    when: user.nickName == 'x'\n    set: {user.title: {value: z}}\n",
    "    when: action == 'LINK_USER'\n    set: {user.title: {value: z}}\n",
    "    when: context.conflicts\n    set: {user.title: {value: z}}\n",
    "    set: {user.zipCode: {value: null}}\n",
    "    set: {user.zipCode: {value: z}}\n",
]
WORLDS = st.lists(
    st.lists(st.sampled_from(range(len(RULES))), min_size=1, max_size=4, unique=True), min_size=1, max_size=3
)


def outcome(decision: Decision) -> tuple[object, ...]:
    """Return a decision without any order."""
    return (
        {
            target: (repr(assignment.value), frozenset(assignment.rules))
            for target, assignment in decision.assignments.items()
        },
        frozenset(decision.conflicts),
        frozenset(decision.faults),
        frozenset((trace.rule, trace.verdict, trace.code) for trace in decision.trace),
    )


@given(WORLDS, st.randoms(), st.permutations(range(3)))
def test_the_order_of_rules_and_files_never_matters(
    decided: Decide, payload: Payload, world: list[list[int]], random: Any, names: list[int]
) -> None:
    """Law: shuffled rules in renamed files decide the same."""

    def folder(file_names: list[int], *, shuffled: bool) -> dict[str, str]:
        texts = {}
        for number, rules in enumerate(world):
            order = list(rules)
            if shuffled:
                random.shuffle(order)
            body = "".join(f"  - id: r{rule}\n{RULES[rule]}" for rule in order)
            texts[f"{file_names[number]}.yaml"] = f"policy: p{number}\nvariables: {{v: \"'s'\"}}\nrules:\n{body}"
        return texts

    request = payload(user={"login": "a@example.com"})
    plain = decided(folder([0, 1, 2], shuffled=False), request)
    assert outcome(decided(folder(list(names), shuffled=True), request)) == outcome(plain)
    for decision_conflict in plain.conflicts:
        assert list(decision_conflict.rules) == sorted(decision_conflict.rules)


@given(WORLDS)
def test_a_decision_never_changes_the_request_and_gives_the_same_again(
    policy_set: Load, payload: Payload, world: list[list[int]]
) -> None:
    """Law: deciding is a function: same request, same decision; the request stays as it came."""
    texts = {
        f"{number}.yaml": f"policy: p{number}\nvariables: {{v: \"'s'\"}}\nrules:\n"
        + "".join(f"  - id: r{rule}\n{RULES[rule]}" for rule in rules)
        for number, rules in enumerate(world)
    }
    policies = policy_set(texts)
    body = payload(user={"login": "a@example.com", "list": [1, {"a": None}]})
    before = copy.deepcopy(body)
    request = ImportRequest.from_wire(body)
    first = decide(policies, request, fresh())
    second = decide(policies, request, fresh())
    assert first == second
    assert json.dumps(body) == json.dumps(before)


def test_values_taken_from_the_request_or_the_policy_are_not_changed_by_the_next_decision(
    policy_set: Load, payload: Payload
) -> None:
    """Lists of a literal, a constant and the request appear in many decisions."""
    policies = policy_set(
        "policy: p\nconstants: {c: [a]}\nrules:\n  - id: a\n"
        '    set: {appuser.groups: "constants.c + appuser.groups", user.title: {value: [x]}}\n'
    )
    for _ in range(3):
        body = payload(appuser={"groups": ["g"]})
        decision = decide(policies, ImportRequest.from_wire(body), fresh())
        assert values(decision) == {"appuser.groups": ["a", "g"], "user.title": ["x"]}
        assert body["data"]["appUser"]["profile"]["groups"] == ["g"]


SAMPLES = [1, 1.0, True, 0, 0.0, False, "1", "", [], [1], [1.0], [[True]], [[1]]]


@pytest.mark.parametrize(("one", "other"), list(itertools.product(SAMPLES, SAMPLES)))
def test_two_values_are_the_same_if_json_writes_them_alike(one: object, other: object) -> None:
    """1, 1.0 and true are three values to whoever reads the answer."""
    assert same_value(one, other) is (json.dumps(one) == json.dumps(other))
