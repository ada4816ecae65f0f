"""The page on the policy language is true: every function is on it, and every example holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from usher.cel import STANDARD, Duration, Kind, Timestamp, TypeValue, Uint
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


# A value of each kind that the functions can do something with; texts that must have a form stand below.
SAMPLES: dict[Kind, object] = {
    Kind.INT: 1, Kind.UINT: Uint(1), Kind.DOUBLE: 1.5, Kind.BOOL: True, Kind.STRING: "abc", Kind.BYTES: b"abc",
    Kind.LIST: ["a", "b"], Kind.MAP: {"abc": "x"}, Kind.NULL: None, Kind.TIMESTAMP: Timestamp(0),
    Kind.DURATION: Duration(1), Kind.TYPE: TypeValue("int"),
}  # fmt: skip
TEXTS = {
    "bool": ("true",), "int": ("1",), "uint": ("1",), "double": ("1.5",), "timestamp": ("2024-02-29T00:00:00Z",),
    "duration": ("1s",), "e164": ("030 123456", "DE"), "date": ("29.02.2024", "DD.MM.YYYY"), "ascii": ("abc", "de"),
    "slug": ("abc", "de"), "format": ("%s",),
}  # fmt: skip
ZONED = {name for name in STANDARD if name.startswith("get") and name != "get"}


def samples(name: str, parameters: tuple[frozenset[Kind], ...]) -> Iterator[tuple[object, ...]]:
    """Return arguments for a signature, once for each kind of the first."""
    for kind in sorted(parameters[0]):
        arguments = [SAMPLES[kind], *(SAMPLES[min(kinds, key=_text_first)] for kinds in parameters[1:])]
        for position, text in enumerate(TEXTS.get(name, ())[: len(arguments)]):
            if isinstance(arguments[position], str):
                arguments[position] = text
        if name in ZONED and len(arguments) > 1:
            arguments[1] = "Europe/Berlin"
        yield tuple(arguments)


def _text_first(kind: Kind) -> tuple[bool, str]:
    return kind is not Kind.STRING, kind


def calls_of(name: str) -> list[tuple[object, ...]]:
    """Return arguments for every signature of a function."""
    return [
        arguments for overload in STANDARD[name].overloads for arguments in samples(name, tuple(overload.parameters))
    ]


@pytest.mark.parametrize("name", [name for name in STANDARD if "." not in name and not STANDARD[name].contextual])
def test_a_function_is_callable_both_ways(name: str) -> None:
    """`f(x)` and `x.f()` are the same call, with a value, of every signature."""
    for arguments in calls_of(name):
        bindings = {f"a{position}": argument for position, argument in enumerate(arguments)}
        first, *others = bindings
        function = compile_cel(f"{name}({', '.join(bindings)})", names=bindings).evaluate(bindings)
        method = compile_cel(f"{first}.{name}({', '.join(others)})", names=bindings).evaluate(bindings)
        assert (function, type(function)) == (method, type(method)), arguments


def test_deviations_are_documented() -> None:
    """Each case of the specification's suite that fails on purpose is named on the page."""
    for name in ("receiver_function_names", "self_eval_container_lookup", "triple_single_quoted_unescaped_punctuation"):
        assert name in PAGE
