"""The page on the policy language as data: its marked blocks.

A block is a fenced one below a comment `<!-- KIND: NAMES -->`; everything else on the page is prose. Pure functions.
"""

import itertools
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "policy-language.md"
_BLOCK: Final = re.compile(r"^<!-- (\w+)(?:: (.*?))? -->\n```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its kind (`file`, `more`, `run`, `example`), names in its comment, language, text, line."""

    kind: str
    names: tuple[str, ...]
    language: str
    text: str
    line: int

    def under(self, folder: str) -> "Block":
        """Return an example's file as one to be saved in a folder."""
        return replace(self, kind="file", names=(f"{folder}/{self.names[1]}",))


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


def part(title: str) -> str:
    """Return what stands below a heading of the second level."""
    text = page()
    start = text.index(f"\n## {title}\n")
    end = text.find("\n## ", start + 1)
    return text[start : end if end >= 0 else None]


def table(title: str, head: str = "key") -> list[list[str]]:
    """Return the rows of a table below a heading: the one whose first column is called `head`."""
    below = page().partition(f"\n{title}\n")[2]
    lines = below[: below.find("\n#")].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {head} |"))
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def quoted(text: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`(.+?)`", text)
