"""Bad policies beside the problems they must give: tests/golden/policies/<case>/."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from usher.bootstrap.schemas import Schemas
from usher.domain.place import Problem, Severity
from usher.engine import load_policies

GOLDEN = Path(__file__).parents[2] / "golden" / "policies"
CASES = sorted(path.name for path in GOLDEN.iterdir())
# Problems of files and folders that a checkout cannot hold: test_engine_folder.py and test_engine_profiles.py.
MADE_ELSEWHERE = {
    "no-folder",
    "no-policies",
    "too-many-files",
    "file-too-large",
    "unreadable",
    "json-syntax",
    "bad-schema",
}


def line_of(problem: Problem, folder: Path) -> str:
    """Return a problem as `usher check` prints it, with paths below the folder."""
    warning = "warning: " if problem.severity is Severity.WARNING else ""
    return f"{problem.place}: {warning}{problem.code}: {problem.message}".replace(f"{folder.as_posix()}/", "")


def indexed_in(folder: Path) -> frozenset[str] | None:
    """Return the attributes a case says the directory is indexed by, one a line; any where it says nothing."""
    file = folder / "indexed.txt"
    return frozenset(file.read_text(encoding="utf-8").splitlines()) if file.exists() else None


@pytest.mark.parametrize("case", CASES)
def test_a_bad_policy_gives_exactly_the_expected_problems(schemas: Schemas, case: str) -> None:
    """All problems at once, sorted, each `file:line:column: code: message`; errors and only they prevent a set."""
    folder = GOLDEN / case
    loaded = load_policies(folder, shape=schemas.policy, profiles=schemas.profiles, indexed=indexed_in(folder))
    expected = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert [line_of(problem, folder) for problem in loaded.problems] == expected
    assert list(loaded.problems) == sorted(loaded.problems)
    assert (loaded.policy_set is None) is bool(loaded.errors)


def texts(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the kebab-case texts among syntax nodes."""
    constants = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {text for text in constants if isinstance(text, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", text)}


def codes_in(source: str) -> set[str]:
    """Return the codes of problems that a module of the engine can give."""
    takers = {"Problem", "_refuse", "_problem", "problem", "_add", "_declared"}
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in takers:
            found |= texts(node.args)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_CODES":
            found |= texts(ast.walk(node))
    return found


def test_every_code_of_the_engine_has_a_golden_case(root: Path) -> None:
    """A code that no case shows is a code nobody has seen."""
    engine = root / "service" / "usher" / "engine"
    codes = set().union(*(codes_in(path.read_text(encoding="utf-8")) for path in engine.glob("*.py")))
    shown = "\n".join((GOLDEN / case / "expected.txt").read_text(encoding="utf-8") for case in CASES)
    # Those whose names are put together, and one each of those that are read off the source.
    codes |= {"unknown-constant", "unknown-variable", "unknown-table"}
    assert {"no-tags", "duplicate-id", "unknown-key", "unguarded-attribute", "bad-counter", "override-cycle"} <= codes
    assert {code for code in codes - MADE_ELSEWHERE if f": {code}: " not in shown} == set()
