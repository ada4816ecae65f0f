"""The page on the policy language is true: every function is on it, and every example holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from usher.cel import STANDARD, CompileError, EvaluationError
from usher.cel import compile as compile_cel

PAGE = (Path(__file__).parents[3] / "docs" / "policy-language.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^#### (.+)$", re.MULTILINE)
EXAMPLES = re.compile(r"^```cel\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MACROS = ("has", "all", "exists", "exists_one", "filter", "map", "cel.bind")


def examples_of(text: str) -> list[str]:
    """Each line of each example."""
    return [line for block in EXAMPLES.findall(text) for line in block.splitlines()]


def sections() -> dict[str, str]:
    """Return what stands below each heading that names functions, by function."""
    parts = HEADING.split(re.sub(r"^#{2,3} .*$", "#### ", PAGE, flags=re.MULTILINE))
    return {
        name: text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
        for name in re.findall(r"`(.+?)`", heading)
    }


@pytest.mark.parametrize("text", examples_of(PAGE))
def test_an_example_is_true(text: str) -> None:
    """What the page claims about CEL holds."""
    assert compile_cel(text, names=()).evaluate({}) is True


@pytest.mark.parametrize("name", [*STANDARD, *MACROS])
def test_a_function_is_documented(name: str) -> None:
    """Each function has a section, and an example that calls it, unless it needs a decision around it."""
    text = sections()[name]
    if name in STANDARD and not STANDARD[name].contextual:
        assert any(name in compile_cel(example, names=()).calls for example in examples_of(text))
    elif name in MACROS:
        assert any(f"{name}(" in example for example in examples_of(text))


@pytest.mark.parametrize("name", [name for name in STANDARD if "." not in name and not STANDARD[name].contextual])
def test_a_function_is_callable_both_ways(name: str) -> None:
    """`f(x)` and `x.f()` are the same call."""
    for overload in STANDARD[name].overloads:
        count = len(overload.parameters)
        parts = [f"a{position}" for position in range(count)]
        names = dict.fromkeys(parts, None)
        outcomes = [told(f"{name}({', '.join(parts)})", names), told(f"a0.{name}({', '.join(parts[1:])})", names)]
        assert outcomes[0] == outcomes[1]


def told(text: str, names: dict[str, None]) -> object:
    """Return the value of an expression, or the kind of its error."""
    try:
        return compile_cel(text, names=names).evaluate(names)
    except (CompileError, EvaluationError) as error:
        return type(error), getattr(error, "kind", "")


def test_deviations_are_documented() -> None:
    """Each case of the specification's suite that fails on purpose is named on the page."""
    for name in ("receiver_function_names", "self_eval_container_lookup", "triple_single_quoted_unescaped_punctuation"):
        assert name in PAGE
