"""docs/operations.md and the code say the same about every setting."""

import re
from pathlib import Path

from usher.settings.options import Option, described
from usher.settings.show import allowed, toml

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"


def documented_rows() -> list[tuple[str, ...]]:
    """Return the cells of the table under "Settings"."""
    section = PAGE.read_text(encoding="utf-8").split("\n## Settings\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| `[a-z]+\.[a-z_<>.]+` \|", line)]
    return [tuple(cell.strip() for cell in row.strip().strip("|").split("|")) for row in rows]


def row_of(option: Option) -> tuple[str, ...]:
    """Return the row the table must hold."""
    return (f"`{option.path}`", option.about.unit, allowed(option), f"`{toml(option.default)}`", option.about.reason)


def test_the_table_and_the_code_are_the_same() -> None:
    """Every setting stands in the table with unit, range, default and reason, in the code's order, and nothing else."""
    assert documented_rows() == [row_of(option) for option in described()]


def test_every_setting_is_explained_in_one_sentence_or_two() -> None:
    """A reason is a sentence; a number has a range, so that a slip of a key is noticed."""
    for option in described():
        assert option.about.unit, option.path
        assert re.fullmatch(r"[^\n|]{20,200}\.", option.about.reason), option.path
        assert option.kind not in (int, float) or allowed(option), option.path
