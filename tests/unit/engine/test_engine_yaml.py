"""YAML read as JSON with comments."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usher.engine.yaml_text import Listing, Mapping, Node, plain, read_yaml


def read(text: str) -> object:
    """Return what a sound text holds."""
    node, problems = read_yaml(text, "f.yaml")
    assert [str(problem) for problem in problems] == []
    return None if node is None else plain(node)


def codes(text: str) -> list[str]:
    """Return `line:column code` of every problem."""
    _, problems = read_yaml(text, "f.yaml")
    return [f"{problem.place.line}:{problem.place.column} {problem.code}" for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("1:30", "1:30"),
        ("e5", "e5"),
        (".e5", ".e5"),
        ("-e5", "-e5"),
        (".", "."),
        ("+", "+"),
        ("1.2.3", "1.2.3"),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("-12", -12),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e-3", -0.0015),
        ("1E3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'null'", "null"),
        ('"true"', "true"),
        ("'007'", "007"),
        ("|-\n    12", "12"),
        ("[a, 1, [b]]", ["a", 1, ["b"]]),
        ("{a: {b: NO}}", {"a": {"b": "NO"}}),
        ("x # comment", "x"),
        ("x#no-comment", "x#no-comment"),
        ('"\\0\\n\\u00e9\\U0001F642"', "\0\né\U0001f642"),
    ],
)
def test_a_scalar_is_what_json_would_hold(text: str, value: object) -> None:
    """`NO` is Norway, a date is a text, a leading point is a number only with digits."""
    found = read(f"key: {text}\n")
    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "key"), [("1: x", "1"), ("null: x", "null"), ("true: x", "true"), ("2026-01-01: x", "2026-01-01")]
)
def test_a_plain_key_is_that_text(text: str, key: str) -> None:
    """A constant may be called 1 or null."""
    assert read(text) == {key: "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: !has(x)", ["1:4 no-tags"]),
        ("a: !!str x", ["1:4 no-tags"]),
        ("a: ! x", ["1:4 no-tags"]),
        ("!!map {a: 1}", ["1:1 no-tags"]),
        ("a: &x 1", ["1:4 no-aliases"]),
        ("a: &x [1]\nb: *x", ["1:4 no-aliases", "2:4 no-aliases"]),
        ("<<: {a: 1}", ["1:1 no-aliases"]),
        ("%YAML 1.2\n---\na: 1", ["1:1 no-directives"]),
        ("# first\n%TAG ! tag:x,2000:\n---\na: 1", ["2:1 no-directives"]),
        ("%UNHEARD of\n---\na: 1", ["1:1 no-directives"]),
        ("a: 1\n---\nb: 1", ["2:1 one-document"]),
        ("a: 1\n...\nb: 1", ["3:1 one-document"]),
        ("a: 007", ["1:4 odd-number"]),
        ("a: -007", ["1:4 odd-number"]),
        ("a: 00.5", ["1:4 odd-number"]),
        ("a: 1_000", ["1:4 odd-number"]),
        ("a: 0x1F", ["1:4 odd-number"]),
        ("a: 0o17", ["1:4 odd-number"]),
        ("a: 0b11", ["1:4 odd-number"]),
        ("a: .inf", ["1:4 odd-number"]),
        ("a: -.INF", ["1:4 odd-number"]),
        ("a: .nan", ["1:4 odd-number"]),
        ("a: 1e999", ["1:4 odd-number"]),
        ("a: 9223372036854775808", ["1:4 odd-number"]),
        ("a: " + "9" * 100_000, ["1:4 odd-number"]),
        ("a: 1\nb: 2\na: 3", ["3:1 duplicate-key"]),
        ("{a: 1, 'a': 2}", ["1:8 duplicate-key"]),
        ("1: x\n'1': y", ["2:1 duplicate-key"]),
        ("? [1]\n: x", ["1:3 text-key"]),
        ("? {a: 1}\n: x", ["1:3 text-key"]),
        ('a: "\\ud83d"', ["1:4 not-unicode"]),
        ('"\\udc00": a', ["1:1 not-unicode"]),
        ("a: " + "[" * 33 + "]" * 33, ["1:36 yaml-too-deep"]),
        ("a: " + "[" * 100_000, ["1:36 yaml-too-deep"]),
        ("{a: " * 40, ["1:130 yaml-too-deep"]),
        ("a: [", ["1:5 yaml-syntax"]),
        ("a: b: c", ["1:5 yaml-syntax"]),
        ("a: 'x", ["1:6 yaml-syntax"]),
        ("\ta: 1", ["1:1 yaml-syntax"]),
        ("a: @x", ["1:4 yaml-syntax"]),
        ("a: |9\n  x", ["2:3 yaml-syntax"]),
        ("a\0b: 1", ["1:2 yaml-syntax"]),
        ("a: \ud800", ["1:4 yaml-syntax"]),
        ('a: "\\xZZ"', ["1:7 yaml-syntax"]),
        ('a: "\\UFFFFFFFF"', ["0:0 yaml-syntax"]),
        ("%YAML 3.0\n---\na: 1", ["1:1 yaml-syntax"]),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(text: str, expected: list[str]) -> None:
    """At its place, under its code, never with an exception."""
    assert codes(text) == expected


@pytest.mark.parametrize(("text", "levels"), [("[" * 32 + "]" * 32, 32), ("{a: " * 32 + "1" + "}" * 32, 32)])
def test_as_many_levels_as_allowed_are_read(text: str, levels: int) -> None:
    """The bound itself is inside."""
    value: Any = read(text)
    for _ in range(levels - 1):
        value = value[0] if isinstance(value, list) else value["a"]
    assert value in ([], {"a": 1})


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n", "\ufeff"])
def test_an_empty_text_holds_nothing(text: str) -> None:
    """No node and no problem: what an empty file means is not YAML's business."""
    assert read_yaml(text, "f.yaml") == (None, ())


@pytest.mark.parametrize(
    ("text", "hinted"),
    [
        ("a: 'x' in y", True),
        ("a: b ? c: d", True),
        ("a: {x} == y", True),
        ("a: [1] + [2]", True),
        ("a: x && 'y': z", True),
        ("a: b: c", False),
        ("a: [", True),
        ("- a\nb", False),
        ("x: \u2028\na: b: c", False),
    ],
)
def test_a_syntax_error_on_a_line_that_looks_like_cel_says_quote_it(text: str, *, hinted: bool) -> None:
    """The most common mistake gets the cure with it; the hint looks at the line the error is on."""
    _, problems = read_yaml(text, "f.yaml")
    [problem] = problems
    assert problem.code == "yaml-syntax"
    assert problem.message.endswith("; quote the expression or put it after `|-`") is hinted


BASIC_PLANE = st.characters(
    exclude_categories=["Cs"], max_codepoint=0xFFFF
)  # no surrogate pairs in what json.dumps writes
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(BASIC_PLANE, max_size=8),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(BASIC_PLANE, max_size=6), children, max_size=4)
    ),
    max_leaves=15,
)


@given(JSON)
@example({"a": 1e22, "b": 1e-7, "c": -0.0, "<": "<<"})
def test_json_is_read_as_json_reads_it(value: object) -> None:
    """Law: every JSON document without merge keys is YAML and means the same here."""
    text = json.dumps(value)
    if '"<<"' not in text:
        assert repr(read(text)) == repr(value)


@given(st.text(st.sampled_from("ab: -[]{},&*!|>'\"%@`#?\\\n\t\r 01.e_~<\u2028\x85\ufeff\U0001f642"), max_size=60))
@example('a: "\\U00110000"')
@example("a: |\n\tb")
@example("? |\n  a\n: b")
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """Law: whatever is typed gives nodes or problems, every one placed inside the text and said in one line."""
    node, problems = read_yaml(text, "f.yaml")
    lines = text.count("\n") + 1
    for problem in problems:
        assert 0 <= problem.place.line <= lines
        assert "\n" not in str(problem)
    if node is not None:
        walk(node, lines)


def walk(node: Node, lines: int) -> None:
    """Check that every node stands inside the text."""
    assert 1 <= node.place.line <= lines
    assert node.place.column >= 1
    children: list[Node] = []
    if isinstance(node, Listing):
        children = list(node.items)
    elif isinstance(node, Mapping):
        children = [part for entry in node.entries for part in entry]
    elif node.positions is not None:
        assert node.positions.at(1, 1)[0] <= lines
    for child in children:
        walk(child, lines)
