"""Expressions under observation: the same value as ever, and which smallest part made it so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import NOW
from tests.unit.cel.test_cel_cases import CASES, Case, same
from usher.bootstrap.schemas import Schemas
from usher.cel import Budget, BudgetExceeded, CompileError, EvaluationError, Expression, Lazy, Sighting, observe
from usher.cel import compile as compile_cel
from usher.cel.reasons import MAX_SIGHTS, Reason
from usher.domain.request import ImportRequest
from usher.engine import (
    DEFAULT_NAMESPACES,
    Ladder,
    MemoryDirectory,
    MemoryLedger,
    Policy,
    PolicySet,
    Stores,
    load_policies,
    owner_of,
)
from usher.engine.lookups import Lookups
from usher.engine.policy import PlacedExpression
from usher.engine.scope import Scope, policy_scope, request_scope

ANN = {
    "name": "Ann",
    "age": 41,
    "city": None,
    "active": True,
    "gone": False,
    "tags": ["a", "b", "c"],
    "jobs": [{"title": "clerk"}, {"end": "never"}],
}
BINDINGS: dict[str, object] = {"user": ANN, "tables": {"towns": ["Ulm"], "size": 3}, "input": {"a": 1}}


def seen(text: str, bindings: dict[str, object] | None = None) -> Sighting:
    """Look at an expression."""
    return observe(compile_cel(text, names=None)).look(BINDINGS if bindings is None else bindings)


def came(text: str) -> tuple[str, object]:
    """Return the text of the part that decided, and its value or the code of its error."""
    reason = seen(text).reason
    return reason.text, reason.code or reason.value


def sights(text: str) -> list[tuple[str, object, str]]:
    """Return what the part that decided looked at."""
    return [(sight.text, sight.value, sight.note) for sight in seen(text).reason.sights]


def outcomes(text: str, bindings: dict[str, object] | None = None) -> dict[str, set[bool]]:
    """Return every part with what it came to."""
    observed = observe(compile_cel(text, names=None))
    sighting = observed.look(BINDINGS if bindings is None else bindings)
    return {part.text: set(came) for part, came in zip(observed.parts, sighting.outcomes, strict=True)}


# Parts and what they came to.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user.active", {"user.active": {True}}),
        ("true", {}),
        ("user.age == 41 && user.gone && user.active", {
            "user.age == 41 && user.gone && user.active": {False}, "user.age == 41": {True}, "user.gone": {False},
            "user.active": set(),
        }),
        ("user.gone || user.active || user.age < 3", {
            "user.gone || user.active || user.age < 3": {True}, "user.gone": {False}, "user.active": {True},
            "user.age < 3": set(),
        }),
        ("(user.active && (user.gone && true))", {
            "user.active && (user.gone && true)": {False}, "user.active": {True}, "user.gone": {False},
        }),
        ("!(user.age > 50)", {"user.age > 50": {False}}),
        ("user.gone ? user.age == 1 : user.age == 2", {
            "user.gone": {False}, "user.age == 1": set(), "user.age == 2": {False},
        }),
        ("(user.gone ? 'x' : user.name) == 'Ann'", {
            "(user.gone ? 'x' : user.name) == 'Ann'": {True}, "user.gone": {False},
        }),
        ("user.tags.all(tag, tag < 'c')", {"user.tags.all(tag, tag < 'c')": {False}, "tag < 'c'": {True, False}}),
        ("user.tags.map(tag, tag == 'a', tag + 'x') == ['ax']", {
            "user.tags.map(tag, tag == 'a', tag + 'x') == ['ax']": {True}, "tag == 'a'": {True, False},
        }),
        ("user.tags.map(tag, tag == 'a')[0]", {
            "user.tags.map(tag, tag == 'a')[0]": {True}, "tag == 'a'": {True, False},
        }),
        ("user.tags.filter(tag, tag > 'a').size() > 5", {
            "user.tags.filter(tag, tag > 'a').size() > 5": {False}, "tag > 'a'": {True, False},
        }),
        ("user.tags.exists_one(tag, tag == 'd')", {
            "user.tags.exists_one(tag, tag == 'd')": {False}, "tag == 'd'": {False},
        }),
        ("cel.bind(old, user.age > 40, old && user.gone)", {
            "user.age > 40": {True}, "old && user.gone": {False}, "old": {True}, "user.gone": {False},
        }),
        ("has(user.name) && !has(user.title)", {
            "has(user.name) && !has(user.title)": {True}, "has(user.name)": {True}, "has(user.title)": {False},
        }),
        ("blank(user.city) || user.name.startsWith('B')", {
            "blank(user.city) || user.name.startsWith('B')": {True}, "blank(user.city)": {True},
            "user.name.startsWith('B')": set(),
        }),
        ("user.title == 'x' || user.active", {
            "user.title == 'x' || user.active": {True}, "user.title == 'x'": set(), "user.active": {True},
        }),
        ("[].all(x, x == 1)", {"[].all(x, x == 1)": {True}, "x == 1": set()}),
        ("size(user.tags)", {"size(user.tags)": set()}),
    ],
)  # fmt: skip
def test_every_part_tells_what_it_came_to(text: str, expected: dict[str, set[bool]]) -> None:
    """What is true or false by itself is a part; one that was not asked, or failed, came to nothing."""
    assert outcomes(text) == expected


def test_a_part_has_its_place_in_a_text_of_several_lines() -> None:
    """Lines and columns count from 1 in the text as written, whatever stands between."""
    text = "user.age > 40\n  && // a comment: (\n  (user.gone\n     == user.active)"
    observed = observe(compile_cel(text, names=None))
    assert [(part.text, part.line, part.column) for part in observed.parts] == [
        ("user.age > 40 && (user.gone == user.active)", 1, 1),
        ("user.age > 40", 1, 1),
        ("user.gone == user.active", 3, 4),
    ]


def test_equal_parts_are_counted_apart() -> None:
    """One text at two places is two parts."""
    text = "user.active && user.gone || user.active"
    found = observe(compile_cel(text, names=None))
    assert [(part.text, part.column) for part in found.parts if part.text == "user.active"] == [
        ("user.active", 1),
        ("user.active", 29),
    ]


def test_one_observation_leaves_nothing_for_the_next() -> None:
    """An observed expression is immutable: what came of one look is in its sighting alone."""
    observed = observe(compile_cel("user.age == 41 && user.active", names=None))
    first = observed.look(BINDINGS)
    second = observed.look({"user": {"age": 1}})
    third = observed.look(BINDINGS)
    assert first == third
    assert [set(came) for came in second.outcomes] == [{False}, {False}, set()]


def test_conjuncts_are_the_operands_of_the_outermost_and() -> None:
    """Parentheses around them do not matter; a condition without `&&` is one."""

    def conjuncts(text: str) -> list[str]:
        return [part.text for part in observe(compile_cel(text, names=None)).conjuncts]

    assert conjuncts("user.a && (user.b || user.c) && (user.d && user.e)") == [
        "user.a", "user.b || user.c", "user.d", "user.e"
    ]  # fmt: skip
    assert conjuncts("user.a || user.b") == ["user.a || user.b"]


# The smallest part that decided.


@pytest.mark.parametrize(
    ("text", "reason", "value"),
    [
        ("user.age == 41 && user.age == 42 && user.gone", "user.age == 42", False),
        ("user.active && (user.active && user.gone)", "user.gone", False),
        ("user.gone || user.age == 41 || user.active", "user.age == 41", True),
        ("user.active && (user.gone || user.age < 3)", "user.gone || user.age < 3", False),
        ("user.active && user.age == 41", "user.active && user.age == 41", True),
        ("!(user.age == 41)", "user.age == 41", True),
        ("!(user.age == 41 && !user.active)", "user.active", True),
        ("!!user.gone", "user.gone", False),
        ("user.active ? user.age == 42 : user.gone", "user.age == 42", False),
        ("user.gone ? true : user.age == 42", "user.age == 42", False),
        ("user.age == 42 ? true : false", "user.age == 42", False),
        ("user.age == 41 ? false : user.active", "user.age == 41", True),
        ("user.tags.all(tag, tag < 'b')", "tag < 'b'", False),
        ("user.tags.all(tag, tag < 'z')", "user.tags.all(tag, tag < 'z')", True),
        ("user.tags.exists(tag, tag == 'z')", "user.tags.exists(tag, tag == 'z')", False),
        ("!user.tags.exists(tag, tag == 'b')", "tag == 'b'", True),
        ("user.tags.all(x, user.tags.exists(y, y > x))", "user.tags.exists(y, y > x)", False),
        ("user.tags.exists_one(tag, tag >= 'b')", "user.tags.exists_one(tag, tag >= 'b')", False),
        ("cel.bind(n, user.age, n > 3 && n == 42)", "n == 42", False),
        ("cel.bind(old, user.age == 42, user.active && old)", "user.age == 42", False),
        ("cel.bind(one, user.gone, cel.bind(two, one, !two))", "user.gone", False),
        ("user.tags.all(x, cel.bind(low, x < 'b', low))", "x < 'b'", False),
        ("user.active && has(user.title)", "has(user.title)", False),
        ("!blank(user.city) && user.active", "blank(user.city)", True),
        ("((user.age == 42))", "user.age == 42", False),
        ("user.active && // not yet\n (user.age\n   == 42)", "user.age == 42", False),
        ("user.title == 'x' && user.gone", "user.gone", False),
        ("user.title == 'x' || user.active", "user.active", True),
        ("user.tags.filter(tag, tag == 'z')", "user.tags.filter(tag, tag == 'z')", []),
        ("user.tags.map(tag, tag + 'x')", "user.tags.map(tag, tag + 'x')", ["ax", "bx", "cx"]),
        ("user.name + 'x'", "user.name + 'x'", "Annx"),
        ("user.active", "user.active", True),
        ("false", "false", False),
    ],
)
def test_the_smallest_part_that_decided_is_the_reason(text: str, reason: str, value: object) -> None:
    """Through `&&`, `||`, `!`, `?:`, macros and `cel.bind` down to one comparison, call or name."""
    assert came(text) == (reason, value)


@pytest.mark.parametrize(
    ("text", "reason", "code"),
    [
        ("user.title == 'x'", "user.title", "no-such-key"),
        ("user.title == 'x' && user.active", "user.title", "no-such-key"),
        ("user.active && (user.gone || user.title == 'x')", "user.title", "no-such-key"),
        ("has(user.title.short)", "user.title", "no-such-key"),
        ("user.age / 0 == 1 || user.gone", "user.age / 0", "division-by-zero"),
        ("user.tags[7] == 'x'", "user.tags[7]", "no-such-index"),
        ("user.jobs.all(job, job.title == 'clerk')", "job.title", "no-such-key"),
        ("user.jobs.exists(job, job.title == job.end)", "job.end", "no-such-key"),
        ("user.jobs.exists(job, job.end == 'x')", "job.end", "no-such-key"),
        ("user.jobs.map(job, job.title)", "job.title", "no-such-key"),
        ("cel.bind(title, user.title, user.active && title == 'x')", "user.title", "no-such-key"),
        ("cel.bind(title, user.title, (title == 'x' || true) && user.end == 'x')", "user.end", "no-such-key"),
        ("(user.title == 'x' || user.active) && user.end == 'x'", "user.end", "no-such-key"),
        ("dyn(1) && user.title == 'x'", "dyn(1) && user.title == 'x'", "no-such-overload"),
        ("!user.name", "!user.name", "no-such-overload"),
        ("user.name ? true : false", "user.name ? true : false", "no-such-overload"),
        ("user.tags.all(tag, tag)", "user.tags.all(tag, tag)", "no-such-overload"),
        ("nobody.name == 'x'", "nobody.name", "no-such-name"),
    ],
)
def test_the_smallest_part_that_failed_is_the_reason(text: str, reason: str, code: str) -> None:
    """It is the part whose error came out, not one whose error `&&`, `||` or a macro absorbed."""
    assert came(text) == (reason, code)
    sighting = seen(text)
    assert sighting.error is not None
    assert (sighting.reason.line, sighting.reason.column) == (sighting.error.line, sighting.error.column)


def test_a_reason_has_the_place_where_its_part_begins() -> None:
    """In the text as written."""
    reason = seen("user.active &&\n  (user.gone || // why not\n   user.age == 42)").reason
    assert (reason.text, reason.line, reason.column) == ("user.gone || user.age == 42", 2, 4)


# What the part looked at.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user.age == 42", [("user.age", 41, "")]),
        ("user.age > 40 && user.name == 'Bob'", [("user.name", "Ann", "")]),
        ("user.gone || user.name == 'Bob'", [("user.gone", False, ""), ("user.name", "Ann", "")]),
        ("user.name in ['Bob', 'Eve']", [("user.name", "Ann", "")]),
        ("user.name in tables.towns", [("user.name", "Ann", "")]),
        ("user.age < tables.size", [("user.age", 41, ""), ("tables.size", 3, "")]),
        ("'x' in input", []),
        ("size(user.tags) > 3", [("size(user.tags)", 3, ""), ("user.tags", ["a", "b", "c"], "")]),
        ("user.name.startsWith('B')", [("user.name", "Ann", "")]),
        ("user.name + 'x' == user.name", [("user.name + 'x'", "Annx", ""), ("user.name", "Ann", "")]),
        ("user.tags.exists(tag, tag == 'z')", [("user.tags", ["a", "b", "c"], "")]),
        ("user.tags.all(tag, tag == 'a')", [("tag", "b", "")]),
        ("user.tags[1] == 'x'", [("user.tags[1]", "b", "")]),
        ("cel.bind(n, user.age + 1, n == 41)", [("n", 42, "")]),
        ("has(user.name) && has(user.title)", [("user.title", None, "absent")]),
        ("!has(user.name)", [("user.name", "Ann", "")]),
        ("blank(user.name)", [("user.name", "Ann", "")]),
        ("!blank(user.title)", [("user.title", None, "absent")]),
        ("!blank(user.city)", [("user.city", None, "")]),
        ("get(user, 'name', '') == 'Bob'", [("get(user, 'name', '')", "Ann", "")]),
        ("get(user, 'title', '') == 'x'", [("get(user, 'title', '')", "", "absent")]),
        ("get(user, 'city', 'Ulm') == 'x'", [("get(user, 'city', 'Ulm')", "Ulm", "null")]),
        ("get(user, 'gone', true)", []),
        ("user.gone", []),
        ("user.title == 'x'", [("user.title", None, "absent")]),
        ("user.jobs.exists(job, job.end == 'x')", [("job.end", None, "absent")]),
        ("user.age / 0 == 1", [("user.age", 41, "")]),
        ("user.name && user.active", [("user.name", "Ann", ""), ("user.active", True, "")]),
        ("1 == 2", []),
    ],
)
def test_the_reason_shows_the_values_it_looked_at(text: str, expected: list[tuple[str, object, str]]) -> None:
    """Each operand once, with what it was made of; constants, whole tables and the whole request say nothing."""
    assert sights(text) == expected


def test_the_number_of_values_shown_is_bounded() -> None:
    """A line that nobody can read explains nothing."""
    names = {f"n{number}": number for number in range(MAX_SIGHTS + 5)}
    reason = seen(" || ".join(f"{name} > 99" for name in names), dict(names)).reason
    assert [sight.text for sight in reason.sights] == list(names)[:MAX_SIGHTS]


def test_a_policy_variable_is_named() -> None:
    """So that whoever explains can go on into it; in a `has` and within a comparison it is none."""
    bindings: dict[str, object] = {"variables": {"known": False, "city": "Ulm"}}
    assert seen("!variables.known", bindings).reason.variable == "known"
    assert seen("variables.city == 'Bonn'", bindings).reason.variable == ""
    assert seen("has(variables.known)", bindings).reason.variable == ""


def test_a_variable_that_fails_is_named_and_not_called_absent() -> None:
    """The error is another expression's, whose place stands there and not here."""

    def fail() -> object:
        raise EvaluationError("no-such-key", "there is no 'x'", line=7, column=9)

    reason = seen("user.active && variables.city == 'Bonn'", {**BINDINGS, "variables": {"city": Lazy(fail)}}).reason
    assert (reason.text, reason.variable, reason.code) == ("variables.city", "city", "no-such-key")
    assert (reason.line, reason.column) == (1, 16)
    assert reason.sights == ()


# Bounds.


@pytest.mark.parametrize(
    ("budget", "code"),
    [(Budget(steps=10), "too-many-steps"), (Budget(deadline=0.0), "deadline"), (Budget(produced=10), "too-large")],
)
def test_an_exceeded_budget_is_told_and_not_raised(budget: Budget, code: str) -> None:
    """The whole expression is the reason: no part can be blamed."""
    text = "user.active && ns.map(n, string(n)).all(n, n != 'x')"
    bindings: dict[str, object] = {**BINDINGS, "ns": list(range(1000))}
    with pytest.raises(BudgetExceeded):
        compile_cel(text, names=None).evaluate(bindings, budget=Budget(budget.steps, budget.deadline, budget.produced))
    sighting = observe(compile_cel(text, names=None)).look(bindings, budget=budget)
    assert sighting.value is None
    assert sighting.error is not None
    assert sighting.error.code == sighting.reason.code == code
    assert sighting.reason.text == text


def test_values_that_are_nested_too_deeply_are_told_and_not_raised() -> None:
    """As `evaluate` says it."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    sighting = seen("x == y", {"x": deep, "y": [deep]})
    assert sighting.error is not None
    assert sighting.error.code == "too-large"


# Laws.


def outcome(expression: Expression, bindings: dict[str, object]) -> object:
    """Return value or error and its place, as `evaluate` gives it."""
    try:
        return expression.evaluate(bindings)
    except (EvaluationError, BudgetExceeded) as error:
        return {"error": [error.code, error.line, error.column]}


def observed_outcome(expression: Expression, bindings: dict[str, object]) -> object:
    """Return value or error and its place, as an observation gives it."""
    sighting = observe(expression).look(bindings)
    if sighting.error is not None:
        return {"error": [sighting.error.code, sighting.error.line, sighting.error.column]}
    return sighting.value


def compiled() -> Iterator[tuple[str, Expression, dict[str, object]]]:
    """Yield every expression of the case table that compiles."""
    case: Case
    for case in CASES:
        _, text, _, bindings = case
        try:
            yield text, compile_cel(text, names=set(bindings)), bindings
        except CompileError:
            continue


def test_observation_changes_nothing() -> None:
    """For every expression of the case table: the same value, or the same error at the same place."""
    different = [
        text
        for text, expression, bindings in compiled()
        if not same(outcome(expression, bindings), observed_outcome(expression, bindings))
    ]
    assert different == []


def on_one_line(text: str) -> str:
    """Return a text without its comments, blanks and line breaks as one blank."""
    return " ".join(re.sub("//[^\n]*", "", text).split())


def test_every_part_is_a_slice_of_the_source_that_stands_by_itself() -> None:
    """Its text stands in the source as it is, and compiles alone; its place is that of its beginning."""
    count = 0
    for text, expression, _ in compiled():
        observed = observe(expression)
        for part in observed.parts:
            count += 1
            assert part.text in on_one_line(text)
            assert observe(compile_cel(part.text, names=None)).text == part.text
            line = text.splitlines()[part.line - 1][part.column - 1 :]
            inside = re.sub(r"^(has\(|[a-z]+\.)", "", part.text)  # where errors of these are told
            assert line[0] in {part.text[0], inside[0]}, (text, part)
    assert count > 100


ATOMS = st.sampled_from(
    [
        *("user.active", "user.gone", "user.age == 41", "user.age > 50", "has(user.title)", "blank(user.city)", "true"),
        *("user.title == 'x'", "user.age / 0 == 1", "user.city.size() == 1", "!user.gone", "'a' in user.tags", "false"),
    ]
)


def conditions() -> st.SearchStrategy[str]:
    """Return conditions made of the atoms."""

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        several = st.lists(inner, min_size=2, max_size=4)
        return st.one_of(
            several.map(lambda parts: "(" + " && ".join(parts) + ")"),
            several.map(lambda parts: "(" + " || ".join(parts) + ")"),
            inner.map(lambda part: f"!({part})"),
            st.tuples(inner, inner, inner).map(lambda parts: "({} ? {} : {})".format(*parts)),
            st.tuples(inner, inner).map(lambda parts: "cel.bind(bound, {}, bound && {})".format(*parts)),
        )

    return st.recursive(ATOMS, larger, max_leaves=12)


@given(conditions())
def test_a_reason_is_itself_what_it_is_said_to_be(text: str) -> None:
    """Evaluated alone, the part that decided has the value, or the error, that is told of it."""
    expression = compile_cel(text, names=None)
    sighting = observe(expression).look(BINDINGS)
    assert observed_outcome(expression, BINDINGS) == outcome(expression, BINDINGS)
    reason = sighting.reason
    if "bound" in reason.text:
        return
    alone = outcome(compile_cel(reason.text, names=None), BINDINGS)
    assert (alone["error"][0] if isinstance(alone, dict) else alone) == (reason.code or reason.value)
    if sighting.error is None and sighting.value is not True:
        assert isinstance(reason.value, bool)


@given(conditions())
def test_what_every_part_came_to_is_what_it_comes_to_alone(text: str) -> None:
    """Every part that was asked came to its one value; a part that fails came to none."""
    for part, came_to in outcomes(text).items():
        if came_to and "bound" not in part:
            assert came_to == {outcome(compile_cel(part, names=None), BINDINGS)}


# The shipped policies.


@pytest.fixture(scope="module")
def shipped(root: Path, schemas: Schemas) -> PolicySet:
    """Return the shipped policies."""
    loaded = load_policies(root / "policies", shape=schemas.policy, profiles=schemas.profiles)
    assert loaded.policy_set is not None
    return loaded.policy_set


def placed_in(policy: Policy) -> Iterator[PlacedExpression]:
    """Yield every expression of a policy that needs no claim."""
    found: list[object] = [policy.match, *(value for _, value in policy.variables)]
    for item in policy.items:
        for rule in (item.gate, *item.branches) if isinstance(item, Ladder) else (item,):
            found += [rule.when, rule.because, *(value for _, value in rule.sets)]
    yield from (entry for entry in found if isinstance(entry, PlacedExpression))


def scopes(policy_set: PolicySet, policy: Policy, request: ImportRequest) -> tuple[Scope, Scope]:
    """Return two equal scopes: what one evaluates for the first time, the other must not know."""
    users = [{"id": "00u1", "login": "ann@example.com", "employeeNumber": "1042"}]
    stores = Stores(MemoryLedger(), MemoryDirectory(users), DEFAULT_NAMESPACES)
    made = [
        policy_scope(
            policy,
            request_scope(
                policy_set,
                request,
                now=NOW,
                budget=Budget(),
                functions=Lookups(request, stores, owner_of(request, stores)).functions,
            ),
        )
        for _ in range(2)
    ]
    return made[0], made[1]


def scoped_outcome(placed: PlacedExpression, scope: Scope) -> object:
    """Return a value or the code of an error."""
    try:
        return scope.value(placed)
    except (EvaluationError, BudgetExceeded) as error:
        return {"error": error.code}


def test_observation_changes_nothing_in_the_shipped_policies(shipped: PolicySet, root: Path) -> None:
    """Every expression of theirs, for every request of the golden points."""
    bodies: list[Any] = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((root / "tests/golden/points").glob("*/*.json"))
        if re.fullmatch(r"[0-9]+\.json", path.name)
    ]
    count = 0
    for body in bodies:
        for policy in shipped.policies:
            one, other = scopes(shipped, policy, ImportRequest.from_wire(body))
            for placed in placed_in(policy):
                sighting = observe(placed.expression).look(one.bindings, budget=one.budget, functions=one.functions)
                found = sighting.value if sighting.error is None else {"error": sighting.error.code}
                assert same(found, scoped_outcome(placed, other)), placed.expression.text
                count += 1
    assert count > 500


def reason_of(text: str, **bindings: object) -> Reason:
    """Return the reason of a condition over these names."""
    return observe(compile_cel(text, names=["user", "variables"])).look(bindings).reason


def test_what_stands_in_a_string_is_shown_as_it_is() -> None:
    """Two blanks are what somebody looks for; only those between words of an expression are folded."""
    reason = reason_of("variables.first\n   == 'a  b'  // names", variables={"first": "a b"})
    assert reason.text == "variables.first == 'a  b'"


def test_a_false_exists_shows_what_does_not_depend_on_its_items() -> None:
    """Over a constant list there would be nothing to see; a whole profile is none of it."""
    text = "['B', 'C'].exists(c, c == get(user, 'city', '') && user.state == 'X' && get(user, c, '') == '')"
    reason = reason_of(text, user={"city": "A", "state": "Y"})
    assert [(sight.text, sight.value) for sight in reason.sights] == [
        ("get(user, 'city', '')", "A"),
        ("user.state", "Y"),
    ]


def test_the_other_branch_is_not_shown() -> None:
    """What was not looked at had no part in it: the other side of `?:`, what came after the answer of `&&`."""
    reason = reason_of("(user.a == 2 ? user.zzz : user.b) == 'q'", user={"a": 1, "b": "x"})
    assert "user.zzz" not in {sight.text for sight in reason.sights}
    assert {"user.a", "user.b"} <= {sight.text for sight in reason.sights}
    reason = reason_of("(user.a == 2 && user.zzz == '') == true", user={"a": 1})
    assert "user.zzz" not in {sight.text for sight in reason.sights}


def test_a_part_that_failed_is_told_apart_from_one_nobody_asked() -> None:
    """Coverage must not say of the first that it was never reached."""
    sighting = observe(compile_cel("user.a == 1 || user.b == 2", names=["user"])).look({"user": {"a": 1}})
    assert sighting.failed == (False, False, False)
    sighting = observe(compile_cel("user.a == 1 || user.b == 2", names=["user"])).look({"user": {}})
    assert sighting.failed == (True, True, True)
