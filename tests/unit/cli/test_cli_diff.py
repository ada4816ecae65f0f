"""`usher diff OLD NEW`: two folders, rule by rule."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
Write = Callable[[str | Mapping[str, str]], Path]

OLD = """\
policy: p
constants: {town: Ulm}
rules:
  - id: a
    when: |-
      'a' in context.conflicts
      && 1 == 1
    set: {user.title: {value: x}}
  - id: gone
    when: "'b' in context.conflicts"
    set: {user.city: {value: x}}
"""
NEW = """\
policy: p
constants: {town: Bonn}
rules:
  # moved, and new
  - id: new
    when: "'b' in context.conflicts"
    set: {user.city: {value: x}}
  - id: a
    when: "'a' in context.conflicts"
    only: create
    set: {user.title: {value: x}}
"""
BROKEN = OLD.replace("user.title", "user.titel")


@pytest.fixture
def pair(write_folder: Write) -> tuple[Path, Path]:
    """Return the two folders of this page."""
    return write_folder(OLD), write_folder(NEW)


def test_every_change_is_told_with_what_was_and_what_is(run: Run, pair: tuple[Path, Path]) -> None:
    """Signed as in any diff, each at its place, the parts of it in words of the file; exit 0."""
    old, new = pair
    result = run("diff", old, new)
    assert result.stdout.replace(old.as_posix(), "old").replace(new.as_posix(), "new").splitlines() == [
        "~ policy p (new/policy.yaml:1:1)",
        "    constants town:",
        '      - "Ulm"',
        '      + "Bonn"',
        "~ rule p/a (new/policy.yaml:8:5)",
        "    when:",
        "      - 'a' in context.conflicts",
        "      - && 1 == 1",
        "      + 'a' in context.conflicts",
        "    only:",
        "      - nothing",
        "      + create",
        "- rule p/gone (old/policy.yaml:9:5)",
        "+ rule p/new (new/policy.yaml:5:5)",
    ]
    assert result.stderr == ""


def test_as_json_it_is_one_list(run: Run, pair: tuple[Path, Path]) -> None:
    """For a review tool: the same changes with place and parts."""
    old, new = pair
    made = json.loads(run("diff", old, new, "--format", "json").stdout)
    assert [(entry["kind"], entry["what"], entry["name"]) for entry in made] == [
        ("changed", "policy", "p"),
        ("changed", "rule", "p/a"),
        ("removed", "rule", "p/gone"),
        ("added", "rule", "p/new"),
    ]
    assert made[0] == {
        "kind": "changed",
        "what": "policy",
        "name": "p",
        "file": f"{new.as_posix()}/policy.yaml",
        "line": 1,
        "column": 1,
        "parts": [{"part": "constants town", "before": '"Ulm"', "after": '"Bonn"'}],
    }


@pytest.mark.parametrize(("report", "expected"), [("text", ""), ("json", "[]\n")])
def test_two_folders_that_decide_alike_are_no_change(run: Run, write_folder: Write, report: str, expected: str) -> None:
    """Comments, order of rules and names of files do not count; neither do tests."""
    other = write_folder({"below/q.yml": "# a comment\n" + OLD, "p_test.yaml": "tests_for: p\ntests: []\n"})
    result = run("diff", write_folder(OLD), other, "--format", report, "--exit-code")
    assert (result.stdout, result.stderr) == (expected, "")


def test_with_exit_code_a_change_is_a_finding(run: Run, pair: tuple[Path, Path]) -> None:
    """As with git: without it, only folders that cannot be compared are."""
    run("diff", *pair, expected=0)
    run("diff", *pair, "--exit-code", expected=1)


@pytest.mark.parametrize("broken", ["old", "new", "both"])
def test_a_folder_with_errors_cannot_be_compared(run: Run, write_folder: Write, broken: str) -> None:
    """The errors of both are told on standard error, nothing on standard output; exit 1."""
    old = write_folder(OLD if broken == "new" else BROKEN)
    new = write_folder(NEW if broken == "old" else BROKEN)
    result = run("diff", old, new, "--format", "json", expected=1)
    assert result.stdout == ""
    told = [line.split(": ")[:2] for line in result.stderr.splitlines()]
    places = [[f"{folder.as_posix()}/policy.yaml:8:11", "unknown-attribute"] for folder in (old, new)]
    assert told == {"old": places[:1], "new": places[1:], "both": places}[broken]


def test_a_folder_that_is_not_there_is_told(run: Run, write_folder: Write, folder: Path) -> None:
    """As `usher check` tells it."""
    result = run("diff", write_folder(OLD), folder / "nowhere", expected=1)
    assert "nowhere: no-folder: the policy folder does not exist" in result.stderr


def test_warnings_are_not_told(run: Run, write_folder: Write) -> None:
    """They are `usher check`'s; two sets with warnings can be compared."""
    competing = OLD.replace("user.city", "user.title")
    result = run("diff", write_folder(OLD), write_folder(competing))
    assert result.stderr == ""
    assert "set user.title" in result.stdout


def test_a_folder_is_compared_with_the_namespaces_of_the_settings(run: Run, write_folder: Write, folder: Path) -> None:
    """A claim in a namespace of the installation is no error here either."""
    rule = "{id: a, claim: {badge: {candidates: [\"'7'\"]}}, set: {user.title: claimed.badge}}"
    claim = f"policy: p\nrules: [{rule}]\n"
    (folder / "usher.toml").write_text("[ledger.namespaces.badge]\ndirectory = []\n", encoding="utf-8")
    result = run("diff", write_folder(claim), write_folder(claim.replace("'7'", "'8'")))
    assert [line for line in result.stdout.splitlines() if line.startswith("    ")] == [
        "    claim badge candidate 1:",
        "      - '7'",
        "      + '8'",
    ]


def test_names_of_every_script_are_told(run: Run, write_folder: Write) -> None:
    """As they are in text, escaped in JSON: any stream can take that."""
    changed = OLD.replace("value: x", "value: \u00df\u65e5", 1)
    result = run("diff", write_folder(OLD), write_folder(changed))
    assert '      + {value: "\u00df\u65e5"}' in result.stdout.splitlines()
    assert run("diff", write_folder(OLD), write_folder(changed), "--format", "json").stdout.isascii()
