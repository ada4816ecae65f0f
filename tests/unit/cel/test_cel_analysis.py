"""What is known before anything runs: problems with their places, names, paths and guards, calls."""

from __future__ import annotations

import pytest

from usher.cel import CompileError, ContextualCall
from usher.cel import compile as compile_cel

NAMES = ("user", "appuser", "context", "variables")


def problems_of(text: str, *, boolean: bool = False) -> list[tuple[str, int, int]]:
    """Code, line and column of each problem."""
    with pytest.raises(CompileError) as caught:
        compile_cel(text, names=NAMES, boolean=boolean)
    return [(problem.code, problem.line, problem.column) for problem in caught.value.problems]


def reads_of(text: str) -> dict[str, bool]:
    """Each path read, joined by dots, and whether every read of it is guarded."""
    guarded: dict[str, bool] = {}
    for read in compile_cel(text, names=NAMES).reads:
        path = ".".join(read.path)
        guarded[path] = guarded.get(path, True) and read.guarded
    return guarded


def test_all_problems_come_at_once_in_order() -> None:
    """One compilation tells every problem it can find, by line and column."""
    assert problems_of("usr.a == foo(1)\n  && 'a'.matches('(') && size(1) > 0") == [
        ("unknown-name", 1, 1),
        ("unknown-function", 1, 10),
        ("bad-pattern", 2, 18),
        ("wrong-arguments", 2, 26),
    ]


@pytest.mark.parametrize(
    "text",
    ["1", "'a' + 'b'", "[true]", "size('a')", "true ? 1 : 2", "{}", "null", "user.a.size() + 1", "cel.bind(x, 1, x)"],
)
def test_what_cannot_be_boolean_is_refused_where_one_is_wanted(text: str) -> None:
    """A condition that provably has another type is a problem, and none where no boolean is asked for."""
    assert [code for code, _, _ in problems_of(text, boolean=True)] == ["not-boolean"]
    compile_cel(text, names=NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "user.a",
        "user.a == 1",
        "true",
        "[1].exists(x, true)",
        "dyn(1)",
        "user.a ? true : user.b",
        "get(user, 'a', false)",
    ],
)
def test_what_may_be_boolean_is_accepted(text: str) -> None:
    """Doubt is no problem."""
    compile_cel(text, names=NAMES, boolean=True)


def test_close_names_are_suggested() -> None:
    """A misspelt name or function says what was probably meant."""
    for text, meant in (("usr.a", "user"), ("slugg('a')", "slug"), ("'a'.startswith('a')", "startsWith")):
        with pytest.raises(CompileError, match=f"did you mean {meant}"):
            compile_cel(text, names=NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user.a", {"user.a": False}),
        ("user['a']", {"user.a": False}),
        ("user.a.b", {"user.a": False, "user.a.b": False}),
        ("has(user.a)", {"user.a": True}),
        ("has(user.a) && user.a == 'x'", {"user.a": True}),
        ("user.a == 'x' && has(user.a)", {"user.a": True}),
        ("has(user.a) || user.a == 'x'", {"user.a": False}),
        ("!has(user.a) || user.a == 'x'", {"user.a": True}),
        ("has(user.a) ? user.a : user.b", {"user.a": True, "user.b": False}),
        ("!has(user.a) ? '' : user.a", {"user.a": True}),
        ("!(has(user.a) && has(user.b)) || user.a == user.b", {"user.a": True, "user.b": True}),
        ("(has(user.a) || has(user.b)) && user.a == 1", {"user.a": False, "user.b": True}),
        ("get(user, 'a', '')", {"user.a": True}),
        ("user.get('a', '')", {"user.a": True}),
        ("get(user, 'a', '') != '' && user.a == 'x'", {"user.a": True}),
        ("get(user, 'a', '') == 'x' && user.a != ''", {"user.a": True}),
        ("get(user, 'a', '') == '' && user.a != ''", {"user.a": False}),
        ("get(user, 'a', 'x') == 'x' || user.a == 'y'", {"user.a": True}),
        ("blank(user.a)", {"user.a": True}),
        ("!blank(user.a) && user.a == 'x'", {"user.a": True}),
        ("blank(user.a) || user.a == 'x'", {"user.a": True}),
        ("blank(user.a) && user.a == 'x'", {"user.a": False}),
        ("blank(user.a) ? '' : user.a", {"user.a": True}),
        ("'a' in user && user.a == 'x'", {"user.a": True}),
        ("has(user.a) && appuser.a == 'x'", {"user.a": True, "appuser.a": False}),
        ("context.groups.exists(g, g.name == 'x')", {"context.groups": False, "context.groups.*.name": False}),
        ("variables.l.exists(g, has(g.n) && g.n == 'x')", {"variables.l": False, "variables.l.*.n": True}),
        ("user.l.exists(g, has(g.n)) && user.l.exists(h, h.n == 1)", {"user.l": False, "user.l.*.n": False}),
        ("context.groups.map(g, has(g.name), g.name)", {"context.groups": False, "context.groups.*.name": True}),
        ("context.groups.filter(g, true)[0].id", {"context.groups": False, "context.groups.*.id": False}),
        ("variables.same[0].id", {"variables.same": False, "variables.same.*.id": False}),
        ("cel.bind(u, user, u.a)", {"user.a": False}),
        ("[user].exists(user, user.a == 1)", {}),
        ("user.map(k, user[k])", {}),
        ("has(user.a) && [1].exists(x, user.a == x)", {"user.a": True}),
    ],
)  # fmt: skip
def test_paths_and_guards(text: str, expected: dict[str, bool]) -> None:
    """Field paths are traced through macros and indices, and a guard counts exactly where it protects."""
    assert reads_of(text) == expected


def test_reads_have_places() -> None:
    """A read is placed at its field, so that an error message can point there."""
    (read,) = compile_cel("  user.\n  name", names=NAMES).reads
    assert (read.path, read.line, read.column) == (("user", "name"), 2, 3)


def test_names_calls_and_contextual_calls() -> None:
    """The engine sees what an expression depends on, and the literal arguments of contextual functions."""
    expression = compile_cel("slug(user.a) == 'x' && taken('login', appuser.b) && size([int]) == 1", names=NAMES)
    assert expression.names == {"user", "appuser"}
    assert expression.calls == {"slug", "taken", "size"}
    assert expression.contextual_calls == (ContextualCall("taken", ("login", None), 1, 24),)
    assert not expression.literal


@pytest.mark.parametrize(
    ("text", "literal"), [("'a' + 'b'", True), ("[1].map(x, x)", True), ("user", False), ("taken('a', 'b')", False)]
)
def test_literal(text: str, *, literal: bool) -> None:
    """An expression is a constant if it uses neither names nor contextual functions."""
    assert compile_cel(text, names=NAMES).literal is literal


def test_any_name_goes_if_none_are_given() -> None:
    """Without a list of names nothing is unknown; a missing binding is an error at evaluation."""
    assert compile_cel("whatever.a", names=None).evaluate({"whatever": {"a": 1}}) == 1
