"""The page on the policy language is true: every policy on it loads, and every claim that has an example holds."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs import worked
from tests.docs.page import Block, blocks, fences, page
from usher.bootstrap.schemas import Schemas
from usher.engine import DEFAULT_NAMESPACES, Namespace, load_policies
from usher.engine.reads import NAMES
from usher.shapes import Shape

WriteFolder = Callable[[str | Mapping[str, str]], Path]


def examples() -> dict[str, list[Block]]:
    """Return the blocks of each worked example, in the order of the page."""
    found: dict[str, list[Block]] = {}
    for block in blocks(page()):
        if block.kind == "example":
            found.setdefault(block.names[0], []).append(block)
    return found


def namespaces(settings: str) -> dict[str, Namespace]:
    """Return the namespaces an example's settings declare, beside those there are from the start."""
    declared = tomllib.loads(settings).get("ledger", {}).get("namespaces", {})
    return {**DEFAULT_NAMESPACES, **{name: namespace(name, table) for name, table in declared.items()}}


def namespace(name: str, table: Mapping[str, object]) -> Namespace:
    """Return a namespace as the settings would give it; an example names what it relies on."""
    ignoring, directory = table.get("ignoring", []), table["directory"]
    assert isinstance(ignoring, list)
    assert isinstance(directory, list)
    whole = Namespace(name, ignoring=tuple(ignoring), directory=tuple(directory))
    return replace(whole, compare="local") if table.get("compare") == "local" else whole


@pytest.mark.parametrize("name", examples())
def test_an_example_loads_and_does_what_its_tests_say(name: str, schemas: Schemas, write_folder: WriteFolder) -> None:
    """A policy on the page has no problem but those it is there to show, and decides as the page says."""
    files = {block.names[1]: block.text for block in examples()[name]}
    shown = {code for block in examples()[name] for code in block.names[2:]}
    declared = namespaces(files.pop("usher.toml", ""))
    loaded = load_policies(write_folder(files), shape=schemas.policy, profiles=schemas.profiles, namespaces=declared)
    assert {problem.code for problem in loaded.problems} == shown
    assert loaded.policy_set is not None
    tests = [text for file, text in files.items() if file.endswith("_test.yaml")]
    assert tests
    world = worked.World(loaded.policy_set, declared)
    for text in tests:
        assert list(worked.failures(worked.read(text), world)) == []


@pytest.mark.parametrize("name", examples())
def test_an_example_is_a_policy_test(name: str, root: Path) -> None:
    """The tests on the page are what the schema of policy tests describes."""
    shape = Shape(worked.read((root / "schemas" / "policy-test.schema.json").read_text(encoding="utf-8")))
    for block in examples()[name]:
        if block.names[1].endswith("_test.yaml"):
            assert shape.faults(worked.read(block.text)) == ()


@pytest.mark.parametrize("language", ["yaml", "toml", "csv", "json", "console"])
def test_nothing_on_the_page_stands_outside_the_tests(language: str) -> None:
    """A block without its comment would never be looked at."""
    assert fences(page(), language) == sum(block.language == language for block in blocks(page()))


def test_an_expectation_that_is_wrong_is_noticed(schemas: Schemas, write_folder: WriteFolder) -> None:
    """The examples prove something: each kind of expectation fails when it is not met."""
    claiming = "{login: {candidates: [\"get(user, 'login', '')\"], exhausted: skip}}"
    first = f"  - id: a\n    claim: {claiming}\n    set: {{user.title: claimed.login}}\n"
    policy = f'policy: p\nrules:\n{first}  - id: b\n    set: {{user.city: "string(1 / size(appuser))"}}\n'
    loaded = load_policies(write_folder(policy), shape=schemas.policy, profiles=schemas.profiles)
    assert loaded.policy_set is not None
    wrong = {
        "fired": ["b"],
        "set": {"user.title": "x"},
        "action": {"link": "00u1"},
        "hold": True,
        "vetoed": ["user.city"],
        "conflicts": ["user.city"],
        "claims": {"login": "x"},
        "remembered": {"login": "x"},
    }
    fixtures = {"ann": {"user": {"login": "ann@example.com"}}}
    tests = [
        {"name": key, "given": "ann", "expect": {key: value, "errors": ["b"] * (key != "vetoed")}}
        for key, value in wrong.items()
    ]
    world = worked.World(loaded.policy_set, DEFAULT_NAMESPACES)
    failed = list(worked.failures({"tests_for": "p", "fixtures": fixtures, "tests": tests}, world))
    assert [text.partition(":")[0] for text in failed] == [key for key in wrong for _ in range(1 + (key == "vetoed"))]


def rows(title: str) -> set[str]:
    """Return what the first column of the table below a heading names."""
    part = page().partition(f"\n{title}\n")[2]
    table = part[: part.index("\n#")]
    heads = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    return {name for head in heads for name in re.findall(r"`(\w+)`", head)}


@pytest.mark.parametrize(
    ("title", "path"),
    [
        ("### The keys of a policy", ()),
        ("### The keys of a rule", ("$defs", "rule")),
        ("### The keys of a claim", ("$defs", "claim")),
    ],
)
def test_every_key_has_its_row(title: str, path: tuple[str, ...], root: Path) -> None:
    """The reference knows the keys the policy schema knows, and no other."""
    node = json.loads((root / "schemas" / "policy.schema.json").read_text(encoding="utf-8"))
    for part in path:
        node = node[part]
    assert rows(title) - {"rules"} == set(node["properties"]) - {"rules"}


def test_every_name_has_its_row() -> None:
    """The reference knows the names an expression may use, and no other."""
    assert rows("## Names") == NAMES | {"n", "claimed"}


def test_links_within_the_page_lead_somewhere() -> None:
    """A heading that is renamed takes its links along."""
    headings = re.findall(r"^#+ (.+)$", page(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#(.+?)\)", page())
    assert len(links) > 20
    assert [link for link in links if link not in anchors] == []
