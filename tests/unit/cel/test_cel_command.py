"""`usher cel`: one value on stdout, or one clear line per mistake on stderr; exit codes 0, 1, 2; never a traceback."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from usher.cli.cel import cel_command


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1 + 1", 2), ("user.name + '!'", "Zoë!"), ("[1, 2.5, true, null]", [1, 2.5, True, None]),
        ("{'a': {1: 2}}", {"a": {"1": 2}}),
        ("timestamp(0)", "1970-01-01T00:00:00Z"), ("duration('90s')", "90s"), ("b'abc'", "YWJj"), ("type(1)",
        "int"), ("1.0 / 0.0", "Infinity"),
        ("slug('Anne-Marie')", "anne-marie"), ("broken", "\ud800"),
    ],
)  # fmt: skip
def test_a_value_is_printed_as_json(text: str, printed: object) -> None:
    """The value, and nothing else, is on stdout."""
    given = '{"user": {"name": "Zo\\u00eb"}, "broken": "\\ud800"}'
    result = CliRunner().invoke(cel_command, [text, "--input", "-"], input=given)
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, printed, "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1 +", "expression:1:4: cel-syntax: the expression ends too early; expected a value"),
        ("usr.name", "expression:1:1: unknown-name: unknown name 'usr'; did you mean 'user'?"),
        ("user.name.slugg()", "expression:1:11: unknown-function: unknown function 'slugg'; did you mean 'slug'?"),
        ("size(1)", "expression:1:1: wrong-arguments: size() is not defined for int"),
        ("slug()", "expression:1:1: wrong-arguments: slug() does not take 0 arguments"),
        ("'a'.matches('(')", "expression:1:13: bad-pattern:"),
        ("user.nothing", "expression:1:6: no-such-key: there is no 'nothing'"),
        ("1 / 0", "expression:1:5: division-by-zero:"),
        ("user.name + 1", "expression:1:13: no-such-overload:"),
        ("[0].all(x, [0].all(y, " + "l.all(z, true)))", "expression:1:25: too-many-steps:"),
        ("taken('login', 'x')", "expression:1:1: no-implementation:"),
    ],
)
def test_a_mistake_is_one_clear_line(text: str, line: str) -> None:
    """Each kind of mistake has its code and its place, and exit code 1."""
    given = json.dumps({"user": {"name": "x"}, "l": [0] * 200_000})
    result = CliRunner().invoke(cel_command, [text, "--input", "-"], input=given)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1


def test_all_problems_are_told() -> None:
    """Several problems are several lines."""
    result = CliRunner().invoke(cel_command, ["a + foo(b)"])
    assert [line.split(" ")[1] for line in result.stderr.splitlines()] == [
        "unknown-name:",
        "unknown-function:",
        "unknown-name:",
    ]


@pytest.mark.parametrize("given", ["", "nope", "[1]", "1", '{"a": ', "\ud7ff", "[" * 100_000])
def test_input_that_is_no_json_object_is_misuse(given: str) -> None:
    """What cannot be read is misuse, and is not repeated."""
    result = CliRunner().invoke(cel_command, ["1", "--input", "-"], input=given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("--input: ")
    assert result.stderr.count("\n") == 1


def test_a_value_too_deep_to_print_is_an_error() -> None:
    """A value that can be read but not printed is told as such."""
    result = CliRunner().invoke(cel_command, ["a", "--input", "-"], input='{"a": ' + "[" * 900 + "]" * 900 + "}")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in {0, 1}


def test_misuse_is_exit_code_2() -> None:
    """No expression, or a file that does not exist."""
    assert CliRunner().invoke(cel_command, []).exit_code == 2
    assert CliRunner().invoke(cel_command, ["1", "--input", "does-not-exist.json"]).exit_code == 2
