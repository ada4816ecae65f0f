"""The page on the policy language as data: its marked blocks.

A block is a fenced one below a comment `<!-- KIND: NAMES -->`; everything else on the page is prose. Pure functions.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "policy-language.md"
_BLOCK: Final = re.compile(r"^<!-- (\w+)(?:: (.*?))? -->\n```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: what it is (`file`, `run`, `example`), the names in its comment, language, text, line."""

    kind: str
    names: tuple[str, ...]
    language: str
    text: str
    line: int


def blocks(text: str) -> list[Block]:
    """Return every marked block, in the order of the page."""
    return [
        Block(found[1], tuple((found[2] or "").split()), found[3], found[4], text.count("\n", 0, found.start()) + 1)
        for found in _BLOCK.finditer(text)
    ]


def fences(text: str, language: str) -> int:
    """Return how many fenced blocks of a language there are, marked or not."""
    return len(re.findall(rf"^```{language}$", text, re.MULTILINE))


def page() -> str:
    """Return the page's text."""
    return PAGE.read_text(encoding="utf-8")
