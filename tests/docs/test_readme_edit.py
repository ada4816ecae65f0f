"""The README's second screen is what happens: a policy edited while `usher serve` answers, then broken."""

import re
from pathlib import Path

from tests.docs.page import Block, blocks
from tests.docs.serving import followed, reading

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SCREEN = README.split("\n## Edit it while it runs\n")[1].split("\n## ")[0]
PLAYED = [block for block in blocks(SCREEN) if block.kind != "example"]


def of_kind(kind: str) -> list[Block]:
    """Return the screen's blocks of a kind."""
    return [block for block in PLAYED if block.kind == kind]


def test_an_edit_takes_effect_and_a_broken_one_does_not(tmp_path: Path) -> None:
    """Every line that the service's terminal and curl show on the screen is what they say, in this order."""
    with reading(tmp_path) as reader:
        steps = list(followed(PLAYED, reader))
    assert len(steps) == len(of_kind("run")) + len(of_kind("said"))
    for step in steps:
        assert step.is_as_shown, f"$ {step.command}\n{step.came}"


def test_the_screen_shows_what_it_is_there_for() -> None:
    """One set goes live, two are rejected, and the old one answers in between; nothing stands outside the test."""
    told = [(re.findall(r"policies_\w+", block.text) or ["answer"])[0] for block in PLAYED if block.kind != "edit"]
    assert told[2:] == ["answer", "policies_reloaded", "answer", "policies_rejected", "answer", "policies_rejected"]
    assert "policy-test" in of_kind("said")[-1].text
    assert len(re.findall(r"^```\w+$", SCREEN, re.MULTILINE)) == len(PLAYED)
