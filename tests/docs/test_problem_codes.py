"""The page lists exactly the codes the source can give: of problems, of errors in a decision, of a claim's refusals."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.docs.page import page

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_LISTED = re.compile(r"^- ((?:`[a-z0-9-]+`(?:, )?)+): \S", re.MULTILINE)
_PROBLEM_TAKERS = {"Problem", "problem", "_problem", "_add", "_declared", "_refuse", "refusal", "ExpressionProblem"}
_LOADING = ("engine/*.py", "bootstrap/schemas.py", "cel/*.py")
_TESTING = ("proof/*.py",)
_GATE = ("bootstrap/candidates.py",)
_DECIDING = ("engine/*.py", "cel/*.py", "answer/render.py")


def sources(service: Path, patterns: Iterable[str]) -> Iterator[ast.AST]:
    """Yield every syntax node of the modules."""
    for pattern in patterns:
        for path in sorted((service / "usher").glob(pattern)):
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def constants(node: ast.AST) -> set[str]:
    """Return every text within a node."""
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def called(node: ast.Call) -> str:
    """Return the last part of what is called."""
    return ast.unparse(node.func).rpartition(".")[2]


def loading_codes(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the codes of problems: texts like codes among the arguments of what notes a problem, and `_CODES`."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Call) and called(node) in _PROBLEM_TAKERS:
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                if isinstance(argument, ast.JoinedStr) and ast.unparse(argument) == "f'unknown-{root[:-1]}'":
                    found |= {"unknown-constant", "unknown-variable", "unknown-table"}
                found |= {text for text in constants(argument) if _CODE.fullmatch(text)}
            if called(node) == "Problem" and isinstance(node.args[1], ast.Constant):
                found.add(str(node.args[1].value))  # a code may be one word
        elif isinstance(node, ast.FunctionDef) and node.name in _PROBLEM_TAKERS:
            found |= {text for default in node.args.defaults for text in constants(default) if _CODE.fullmatch(text)}
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_CODES":
            found |= {text for text in constants(node) if _CODE.fullmatch(text)}
    return found


def codes_of_tests(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the codes of problems in test files: texts like codes among the arguments of what notes one."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and called(node) in {"add", "known", "Problem"}]
    found = {text for call in calls for argument in call.args for text in constants(argument) if _CODE.fullmatch(text)}
    computed = [argument for call in calls for argument in call.args if ast.unparse(argument) == "f'unknown-{what}'"]
    return found | ({"unknown-constant", "unknown-table"} if computed else set())


def codes_of_the_gate(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the codes of what the gate finds: the constants that are texts like codes."""
    values = [
        node.value for node in nodes if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "Final"
    ]
    return {
        text
        for value in values
        if isinstance(value, ast.Constant)
        for text in constants(value)
        if _CODE.fullmatch(text)
    }


def deciding_codes(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the codes of errors: what exceptions are given first, and the constants that stand for codes."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Call) and called(node) in {"EvaluationError", "BudgetExceeded"} and node.args:
            found |= {text for text in constants(node.args[0]) if text and isinstance(node.args[0], ast.Constant)}
        elif isinstance(node, ast.Call) and called(node) == "RuleFault":
            found |= {text for text in constants(node) if _CODE.fullmatch(text)}
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "kind":
            found |= constants(node.value) - {""}
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "Final" and node.value:
            value = node.value
            found |= (
                constants(value) if isinstance(value, ast.Constant) and _CODE.fullmatch(str(value.value)) else set()
            )
    return found


def section(title: str) -> str:
    """Return what stands below a heading of the second or third level."""
    level, text = title.split(" ", 1)
    start = page().index(f"\n{level} {text}\n")
    rest = page()[start + 1 + len(title) :]
    end = re.search(rf"^#{{2,{len(level)}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def listed(text: str) -> list[str]:
    """Return the codes that stand at the head of a list's items."""
    return [code for found in _LISTED.findall(text) for code in re.findall(r"`(.+?)`", found)]


def test_every_problem_is_on_the_page_and_nothing_else(root: Path) -> None:
    """An admin who meets a code finds its cause and remedy; no code on the page is a thing of the past."""
    codes = loading_codes(sources(root / "service", _LOADING))
    assert {"no-tags", "claim-mismatch", "unknown-table", "too-long", "bad-schema", "missing-key"} <= codes
    of_tests = codes_of_tests(sources(root / "service", _TESTING))
    assert {"no-tests", "unused-key", "unknown-rule", "json-syntax", "unknown-table"} <= of_tests
    of_the_gate = codes_of_the_gate(sources(root / "service", _GATE))
    assert of_the_gate == {"policy-test", "tests-too-slow"}
    codes |= of_tests | of_the_gate
    written = listed(section("## Problems"))
    assert sorted(set(written)) == sorted(codes)
    assert len(written) == len(set(written))


def test_every_error_of_a_decision_is_on_the_page(root: Path) -> None:
    """A code in a trace, in `debugContext` or in the decision log is explained."""
    codes = deciding_codes(sources(root / "service", _DECIDING))
    assert {"no-such-key", "deadline", "bad-link-id", "breaks-profile-schema", "unsupported", "ladder-stopped"} <= codes
    assert sorted(listed(section("## Errors in a decision"))) == sorted(codes)


def test_every_refusal_of_a_claim_is_on_the_page(root: Path) -> None:
    """`usher eval --explain` says why a candidate was passed over in words the page explains."""
    nodes = [*sources(root / "service", ("engine/claims.py", "engine/options.py"))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name in {"unfit", "_held"}]
    assert len(functions) == 2
    words = {text for function in functions for part in function.body[1:] for text in constants(part)} - {""}
    assert words == set(listed(section("### Why a candidate is passed over")))


@pytest.mark.parametrize("code", sorted({*listed(page())}))
def test_a_paragraph_says_something(code: str) -> None:
    """Each item has words, not only a code."""
    item = next(line for line in page().splitlines() if line.startswith("- `") and f"`{code}`" in line.split(": ")[0])
    assert len(item) > len(code) + 20
