"""docs/operations.md shows what happens when policies are edited, and names every event of the service log."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from tests.docs.page import blocks
from tests.docs.serving import followed, reading
from usher.adapters import last_good
from usher.answer import shadow
from usher.bootstrap import keeper, operations
from usher.settings.reloading import Gate

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def part(title: str) -> str:
    """Return what stands below a heading of the second level."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str, head: str) -> list[list[str]]:
    """Return the rows of the table whose first column is called `head`."""
    table = text.split(f"\n| {head} |")[1].partition("\n\n")[0]
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def test_an_edit_a_rejection_and_a_start_that_falls_back_are_as_shown(tmp_path: Path) -> None:
    """What `usher reload`, `/status` and a start print on the page is what they print, in this order."""
    played = blocks(part("Edit without redeploy"))
    assert [block.kind for block in played] == ["serve", "edit", "run", "edit", "run", "serve", "said"]
    with reading(tmp_path) as reader:
        for step in followed(played, reader):
            assert step.is_as_shown, f"$ {step.command}\n{step.came}"


def test_every_gate_has_its_row() -> None:
    """The table knows the gates of the settings, and no other."""
    assert [row[0] for row in rows(part("Edit without redeploy"), "gate")] == list(get_args(Gate))


def test_the_bounds_on_the_page_are_the_bounds() -> None:
    """Numbers in prose go stale."""
    assert f"after {keeper._MAX_SETTLING} readings" in PAGE
    assert (keeper.MAX_TOLD, "(ten of each;" in PAGE) == (10, True)
    assert (operations.MAX_PROBLEMS, "the first hundred problems" in PAGE) == (100, True)
    assert f"at most {shadow.SECONDS:g} s" in PAGE
    assert f"`{last_good.FILE_NAME}`" in PAGE


def events() -> Iterator[tuple[str, str]]:
    """Yield each event that the source logs, with its level."""
    for path in sorted((ROOT / "service" / "usher").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            words = [word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
            match called, words:
                case name, [event, *_] if name in _LEVELS and re.fullmatch(r"[a-z]+(_[a-z]+)+", event):
                    yield event, name
                case "event", [event]:  # single calls, past structlog
                    yield event, "info"
                case "event_of", [level, event]:
                    yield event, level


def test_every_event_of_the_service_log_has_its_row() -> None:
    """Who watches the log finds each event with its level, and no other."""
    found = sorted({*events()})
    assert len(found) > 10
    assert {("decided", "info"), ("request", "info"), ("log_lines_lost", "warning")} <= {*found}
    assert sorted((row[0], row[1]) for row in rows(part("Service log"), "event")) == found
