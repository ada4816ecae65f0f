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
        ("slug('Anne-Marie')", "anne-marie"), ("'\ud800'", "\ud800"),
    ],
)  # fmt: skip
def test_a_value_is_printed_as_json(text: str, printed: object) -> None:
    """The value, and nothing else, is on stdout."""
    given = '{"user": {"name": "Zo\\u00eb"}}'
    result = CliRunner().invoke(cel_command, [text, "--input", "-"], input=given)
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, printed, "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1 +", "expression:1:4: cel-syntax: the expression ends too early; expected a value"),
        ("usr.name", "expression:1:1: unknown-name: unknown name 'usr'; did you mean user?"),
        ("user.name.slugg()", "expression:1:11: unknown-function: unknown function 'slugg'; did you mean slug?"),
        ("size(1)", "expression:1:1: wrong-arguments: size() is not defined for int"),
        ("slug()", "expression:1:1: wrong-arguments: slug() does not take 0 arguments"),
        ("'a'.matches('(')", "expression:1:13: bad-pattern:"),
        ("user.nothing", "expression:1:6: no-such-key: there is no 'nothing'"),
        ("1 / 0", "expression:1:5: division-by-zero:"),
        ("user.name + 1", "expression:1:13: no-such-overload:"),
        ("l.all(x, l.all(y, true))", "expression:1:12: too-many-steps:"),
        ("taken('login', 'x')", "expression:1:1: no-implementation:"),
    ],
)
def test_a_mistake_is_one_clear_line(text: str, line: str) -> None:
    """Each kind of mistake has its code and its place, and exit code 1."""
    given = json.dumps({"user": {"name": "x"}, "l": [0] * 10_000})
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


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nope",
        "[1]",
        "1",
        '{"a": ',
        "\ud7ff",
        "[" * 100_000,
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"a": "\\ud800"}',
        '{"a": ' + "[" * 70 + "]" * 70 + "}",
    ],
)
def test_input_that_is_no_json_object_is_misuse(given: str) -> None:
    """What cannot be read is misuse, and is not repeated."""
    result = CliRunner().invoke(cel_command, ["1", "--input", "-"], input=given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("--input: ")
    assert result.stderr.count("\n") == 1


def test_the_deepest_input_can_be_printed() -> None:
    """What can be read can be printed, within lists of the expression as well."""
    value = "[" * 63 + "]" * 63
    result = CliRunner().invoke(cel_command, ["[[a]]", "--input", "-"], input='{"a": ' + value + "}")
    assert (result.exit_code, result.stdout.strip()) == (0, f"[[{value}]]")


def test_the_input_is_read_as_a_request_is() -> None:
    """What the hook refuses is refused here, by the same code and with its place."""
    result = CliRunner().invoke(cel_command, ["a", "--input", "-"], input='{"a": 1, "a": 2}')
    assert result.stderr.startswith("--input: duplicate-member: ")
    result = CliRunner().invoke(cel_command, ["a", "--input", "-"], input='{"a": }')
    assert result.stderr.startswith("--input: 1:7: not-json: ")


def test_misuse_is_exit_code_2() -> None:
    """No expression, or a file that does not exist."""
    assert CliRunner().invoke(cel_command, []).exit_code == 2
    assert CliRunner().invoke(cel_command, ["1", "--input", "does-not-exist.json"]).exit_code == 2
