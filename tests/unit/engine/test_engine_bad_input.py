"""What identity teams get wrong, and folders of a size nobody planned for."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.engine.engine_desk import Desk, claim, ending, literal, values, verdicts, written
from usher.cel import Budget
from usher.engine import LoadedPolicies

Load = Callable[..., LoadedPolicies]
PATIENCE_SECONDS = 60  # the aim is 5 s; a machine that is busy with other things must not fail this
DEADLINE_SECONDS = 2.0


def codes(loaded: LoadedPolicies) -> list[str]:
    """Return the codes of the errors."""
    return [problem.code for problem in loaded.errors]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"set": {"user.loginn": "'x'"}}, "unknown-attribute"),
        ({"set": {"appuser.login": "'x'"}}, "unknown-attribute"),
        ({"set": {"user.title": "user.middlName"}}, "unknown-attribute"),
        ({"veto": ["user.loginn"]}, "unknown-attribute"),
        ({"debug": "directory('emploeeNumber', 'x')"}, "unknown-attribute"),
        ({"action": {"link": None}}, "wrong-type"),
        ({"action": "link"}, "bad-value"),
        ({"set": {"user.costCenter": 4711}}, "wrong-type"),
        ({"set": {"user.title": None}}, "wrong-type"),
        ({"set": {"user.title": "tables.missing"}}, "unknown-table"),
        ({"set": {"user.title": "missing.x"}}, "unknown-name"),
        ({"claim": {"login": claim("'a'", to=9)}, "set": {"user.city": "claimed.login"}}, "unused-counter"),
        ({"claim": {"login": claim("string(n)")}, "set": {"user.city": "claimed.login"}}, "missing-counter"),
        ({"claim": {"logins": claim("'a'")}, "set": {"user.city": "claimed.logins"}}, "unknown-namespace"),
        ({"when": "string(n) == '2'", "debug": "1"}, "unknown-name"),
        ({"when": "claimed.login == 'x'", "debug": "1"}, "unknown-name"),
        ({"when": "'x'", "debug": "1"}, "not-boolean"),
    ],
)
def test_a_mistake_is_an_error_before_anybody_is_imported(load: Load, rule: dict[str, object], code: str) -> None:
    """Unknown attributes, names, tables, namespaces; a link to '' or null; a number where a text is due."""
    loaded = load(written({"id": "a", **rule}))
    assert loaded.policy_set is None
    assert codes(loaded) == [code]


@pytest.mark.parametrize("empty", ["", "   "])
def test_a_link_to_an_empty_expression_is_an_error(load: Load, empty: str) -> None:
    """It would link to nobody, or to everybody."""
    loaded = load(written({"id": "a", "action": {"link": empty}}))
    assert loaded.policy_set is None
    assert "cel-syntax" in codes(loaded)


@pytest.mark.parametrize(
    "variables",
    [
        {"v": "variables.v"},
        {"v": "variables.w", "w": "variables.v"},
        {"v": "get(variables, 'x', variables.v)"},
    ],
)
def test_a_variable_that_refers_to_itself_is_a_load_error(load: Load, variables: dict[str, str]) -> None:
    """A variable may use earlier ones."""
    assert set(codes(load(written({"id": "a", "debug": "1"}, variables=variables)))) == {"unknown-variable"}


def test_all_problems_are_told_at_once_and_sorted(load: Load) -> None:
    """Files in order, then lines and columns, whatever kind of check finds them."""
    files = {
        "b.yaml": "policy: p\nrules:\n  - id: a\n    set: {user.titel: 'x'}\n    overrides: [gone]\n",
        "a.yaml": "policy: p\nmatch: 1 +\nrules:\n  - id: a\n    wen: 'x'\n  - id: a\n    hold: tables.gone\n",
        "tables/t.csv": "a,b\nx\n",
    }
    loaded = load(files)
    assert [f"{str(found.place).rpartition('/')[2]}: {found.code}" for found in loaded.problems] == [
        "a.yaml:2:11: cel-syntax",
        "a.yaml:4:5: no-effect",
        "a.yaml:5:5: unknown-key",
        "a.yaml:6:9: duplicate-id",
        "a.yaml:7:18: unknown-table",
        "b.yaml:1:1: duplicate-policy",
        "b.yaml:3:5: unknown-rule",
        "b.yaml:4:11: unknown-attribute",
        "b.yaml:4:24: unknown-name",
        "t.csv:2:1: csv-columns",
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (literal("a" * 89 + "@example.com"), {}),
        (literal(4711), {}),
        (literal(None), {}),
        ("null", {}),
        ("1 + 1", {}),
    ],
)
def test_what_no_check_can_see_gives_no_command_for_that_target(
    desk: Desk, value: object, told: dict[str, object]
) -> None:
    """A login of 101 characters, a number where a text is due, a null."""
    files = written({"id": "a", "only": "create", "set": {"user.login": value}})
    assert desk.commands(files) == told


def test_two_rules_that_conflict_are_warned_of_and_cancel_each_other(load: Load, desk: Desk) -> None:
    """Bad input: seen when loaded, and survived when not heeded."""
    files = written({"id": "a", "set": {"user.title": "'x'"}}, {"id": "b", "set": {"user.title": "'y'"}})
    assert [problem.code for problem in load(files).problems] == ["competing-rules"]
    assert values(desk.ask(files)) == {}


def test_a_variable_that_needs_itself_by_a_computed_name_fails_its_rule_alone(desk: Desk) -> None:
    """No check when loaded can see it."""
    files = written(
        {"id": "a", "set": {"user.title": "variables.v"}},
        {"id": "b", "set": {"user.city": "'x'"}},
        variables={"v": "variables['' + 'v']"},
    )
    decision = desk.ask(files)
    assert verdicts(decision) == {"p/a": "needs-itself", "p/b": "fired"}
    assert values(decision) == {"user.city": "x"}


def large_folder(policies: int, rules: int) -> dict[str, str]:
    """Return many policies for many applications, whose rules all set the same few attributes."""
    texts = {}
    for number in range(policies):
        items = [
            {
                "id": f"r{rule}",
                "when": f"get(user, 'department', '') == 'D{rule}' && variables.name != ''",
                "set": {"user.title": f"variables.name + '{rule}'"},
                **({"overrides": [f"r{rule - 1}"]} if rule else {}),
            }
            for rule in range(rules)
        ]
        policy = {
            "policy": f"p{number}",
            "match": f"context.application.name == 'app{number}'",
            "variables": {"name": "slug(get(user, 'lastName', ''))"},
            "rules": items,
        }
        texts[f"p{number}.yaml"] = json.dumps(policy)
    return texts


@pytest.mark.parametrize(("policies", "rules"), [(2000, 1), (200, 10), (4, 500)])
def test_two_thousand_rules_load_and_decide_within_the_deadline(
    load: Load, desk: Desk, policies: int, rules: int
) -> None:
    """A folder that has grown for years."""
    files = large_folder(policies, rules)
    started = time.monotonic()
    loaded = load(files)
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert loaded.policy_set is not None
    assert len(loaded.policy_set.rules) == 2000
    desk.loaded.append((files, loaded.policy_set))
    row: dict[str, Any] = {
        "user": {"lastName": "Lee", "department": "D0"},
        "context": {"application": {"name": "app1", "id": "1"}},
    }
    decision = desk.ask(files, budget=Budget(deadline=time.monotonic() + DEADLINE_SECONDS), **row)
    assert decision.fired == ("p1/r0",)
    assert values(decision) == {"user.title": "lee0"}


def test_two_thousand_rules_that_all_fire_are_decided(load: Load, desk: Desk) -> None:
    """Each overrides the one before; the last stands. None of the steps is quadratic enough to matter."""
    rules = [
        {
            "id": f"r{number}",
            "set": {"user.title": literal(number)},
            **({"overrides": [f"r{number - 1}"]} if number else {}),
        }
        for number in range(2000)
    ]
    files = written(*rules)
    loaded = load(files)
    assert loaded.policy_set is not None
    desk.loaded.append((files, loaded.policy_set))
    started = time.monotonic()
    decision = desk.ask(files)
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert values(decision) == {"user.title": 1999}
    assert ending(decision) == "create"
