"""The page on the policy language is true: every policy on it loads, and every claim that has an example holds."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.docs.page import Block, blocks, fences, page, part, quoted, table
from usher.bootstrap.testing import LoadedTests, load_tests, run_tests
from usher.engine.reads import NAMES
from usher.proof.mutation import score
from usher.proof.run_words import failed_lines
from usher.settings import load


def examples() -> dict[str, list[Block]]:
    """Return the blocks of each worked example, in the order of the page."""
    found: dict[str, list[Block]] = {}
    for block in blocks(page()):
        if block.kind == "example":
            found.setdefault(block.names[0], []).append(block)
    return found


def loaded(example: Sequence[Block], root: Path, folder: Path) -> LoadedTests:
    """Save an example as a reader would, its settings beside the policy folder, and load it."""
    for block in example:
        path = folder / block.names[1] if block.names[1] == "usher.toml" else folder / "policies" / block.names[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8", newline="\n")
    settings = load(None, environ={}, overrides={"schemas.folder": str(root / "schemas")}, folder=folder)
    return load_tests(settings, folder / "policies")


@pytest.mark.parametrize("name", examples())
def test_an_example_loads_and_does_what_its_tests_say(name: str, root: Path, tmp_path: Path) -> None:
    """A policy on the page has no problem but those it is there to show, and decides as its policy tests say."""
    shown = {code for block in examples()[name] for code in block.names[2:]}
    tests = loaded(examples()[name], root, tmp_path)
    assert {problem.code for problem in tests.problems} == shown
    run = run_tests(tests)
    assert [line for result in run.failed for line in failed_lines(result)] == []
    assert len(run.results) > 0


def test_the_examples_would_notice_a_wrong_policy(root: Path, tmp_path: Path) -> None:
    """The examples prove something: with one thing made wrong in a policy, mostly a test on the page fails."""
    judged = tuple(
        mutant
        for name, example in examples().items()
        for mutant in run_tests(loaded(example, root, tmp_path / name), mutating=True).judged or ()
    )
    assert len(judged) > 50
    assert score(judged) > 80, [entry.mutant.what for entry in judged if not entry.caught]


@pytest.mark.parametrize("language", ["yaml", "toml", "csv", "json", "console"])
def test_nothing_on_the_page_stands_outside_the_tests(language: str) -> None:
    """A block without its comment would never be looked at."""
    assert fences(page(), language) == sum(block.language == language for block in blocks(page()))


def test_every_command_on_the_page_is_run() -> None:
    """Each part that shows commands has a test that plays it; a new part needs one."""
    played = ["Tutorial", "Shadow policies", "Policy tests", "Comparing two folders"]
    assert sum(block.kind == "run" for title in played for block in blocks(part(title))) == sum(
        block.kind == "run" for block in blocks(page())
    )


def keys(title: str) -> list[str]:
    """Return what the first column of the table of keys below a heading names."""
    return [key for row in table(title) for key in quoted(row[0])]


@pytest.mark.parametrize(
    ("title", "schema", "definition"),
    [
        ("### The keys of a policy", "policy", ""),
        ("### The keys of a rule", "policy", "rule"),
        ("### The keys of a claim", "policy", "claim"),
        ("### The keys of a test file", "policy-test", ""),
        ("### The keys of a fixture", "policy-test", "fixture"),
        ("### The keys of a known user", "policy-test", "known_user"),
        ("### The keys of what is held", "policy-test", "held"),
        ("### The keys of an expectation", "policy-test", "expect"),
    ],
)
def test_every_key_has_its_row(title: str, schema: str, definition: str, root: Path) -> None:
    """The reference knows the keys the schemas know, and no other."""
    assert sorted(keys(title)) == sorted(properties(root, schema, definition))


@pytest.mark.parametrize("kind", ["test", "case", "step"])
def test_every_key_of_tests_cases_and_steps_has_its_row(kind: str, root: Path) -> None:
    """The table says of each key what may have it."""
    rows = table("### The keys of a test, a case and a step")
    named = [key for key, of, _ in rows for key in quoted(key) if kind in of.split(", ")]
    assert sorted(named) == sorted(properties(root, "policy-test", kind))


def properties(root: Path, schema: str, definition: str) -> list[str]:
    """Return the keys that a schema, or a part of it, declares."""
    node = json.loads((root / "schemas" / f"{schema}.schema.json").read_text(encoding="utf-8"))
    return list((node["$defs"][definition] if definition else node)["properties"])


def test_every_name_has_its_row() -> None:
    """The reference knows the names an expression may use, and no other."""
    names = [name for row in table("## Names", "name") for name in quoted(row[0])]
    assert sorted(names) == sorted(NAMES | {"n", "claimed"})


def test_links_within_the_page_lead_somewhere() -> None:
    """A heading that is renamed takes its links along."""
    headings = re.findall(r"^#+ (.+)$", page(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#(.+?)\)", page())
    assert len(links) > 20
    assert [link for link in links if link not in anchors] == []
