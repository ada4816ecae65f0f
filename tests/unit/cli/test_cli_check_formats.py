"""`usher check --format`: the same problems for a person, a program and a workflow."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import Result

from usher.cli.reports import REPORTS
from usher.domain.place import Place, Problem, Severity

Write = Callable[[str | Mapping[str, str]], Path]
Run = Callable[..., Result]
PROBLEMS = (
    Problem(Place("a,b:c%.yaml"), "no-folder", "100 % wrong,\r\nreally: wrong"),
    Problem(Place("p/x.yaml", 3, 7), "unguarded-attribute", "may be absent", Severity.WARNING),
)
BROKEN = "policy: p\nrules:\n  - id: a\n    set:\n      user.logn: usr.x\n      user.title: user.city\n"
WARNED = "policy: p\nrules:\n  - id: a\n    when: user.city == 'x'\n    set: {user.title: {value: x}}\n"
GOOD = "policy: p\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n"


def test_pretty_is_one_line_a_problem() -> None:
    """As editors and terminals read it; a problem of a whole file has no line."""
    assert list(REPORTS["pretty"](PROBLEMS[1:])) == ["p/x.yaml:3:7: warning: unguarded-attribute: may be absent"]
    assert next(REPORTS["pretty"](PROBLEMS)).startswith("a,b:c%.yaml: no-folder: 100 %")


def test_json_is_one_list_of_objects() -> None:
    """Whatever stands in a message; without problems it is a list, too."""
    found = json.loads("\n".join(REPORTS["json"](PROBLEMS)))
    assert found == [
        {
            "file": "a,b:c%.yaml",
            "line": 0,
            "column": 0,
            "code": "no-folder",
            "severity": "error",
            "message": "100 % wrong,\r\nreally: wrong",
        },
        {
            "file": "p/x.yaml",
            "line": 3,
            "column": 7,
            "code": "unguarded-attribute",
            "severity": "warning",
            "message": "may be absent",
        },
    ]
    assert json.loads("\n".join(REPORTS["json"](()))) == []


def test_github_gets_workflow_commands() -> None:
    """Escaped as GitHub's toolkit does: a message stays one command, a file name one property."""
    assert list(REPORTS["github"](PROBLEMS)) == [
        "::error file=a%2Cb%3Ac%25.yaml,title=no-folder::100 %25 wrong,%0D%0Areally: wrong",
        "::warning file=p/x.yaml,line=3,col=7,title=unguarded-attribute::may be absent",
    ]
    assert list(REPORTS["github"](())) == []


@pytest.mark.parametrize(("policy", "expected"), [(GOOD, 0), (WARNED, 0), (BROKEN, 1)])
def test_every_format_tells_the_same_and_exits_the_same(
    run: Run, write_folder: Write, policy: str, expected: int
) -> None:
    """The data goes to stdout, the count to stderr, whatever the format; no format is `pretty`."""
    folder = write_folder(policy)
    pretty, told, github = (
        run("check", folder, "--format", name, expected=expected) for name in ("pretty", "json", "github")
    )
    assert pretty.stdout == run("check", folder, expected=expected).stdout
    entries = json.loads(told.stdout)
    places = [f"{entry['file']}:{entry['line']}:{entry['column']}" for entry in entries]
    assert [line.split(": ")[0] for line in pretty.stdout.splitlines()] == places
    assert [line.partition(" ")[0] for line in github.stdout.splitlines()] == [
        f"::{entry['severity']}" for entry in entries
    ]
    assert pretty.stderr == told.stderr == github.stderr
    assert ("1 rules, " in pretty.stderr) is not expected


def test_strict_counts_in_every_format(run: Run, write_folder: Write) -> None:
    """A workflow that asks for --strict fails on a warning, which stays a warning."""
    result = run("check", write_folder(WARNED), "--strict", "--format", "github", expected=1)
    assert result.stdout.startswith("::warning file=")


def test_an_unknown_format_is_misuse(run: Run) -> None:
    """The choices are told."""
    result = run("check", "--format", "xml", expected=2)
    assert "'pretty', 'json', 'github'" in result.stderr
