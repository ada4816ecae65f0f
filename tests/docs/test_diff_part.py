"""What the page says about `usher diff` is so."""

from pathlib import Path

from tests.docs.page import blocks, part
from tests.docs.playing import played

PLAYED = blocks(part("Comparing two folders"))


def test_two_folders_differ_as_shown(tmp_path: Path) -> None:
    """Both forms say the same of the two folders on the page, and every sign is among it."""
    steps = list(played(PLAYED, tmp_path))
    assert len(steps) == 2
    for step in steps:
        assert step.is_as_shown, f"$ {step.command}\n{step.came}"
    assert {line[:2] for line in steps[0].came.splitlines() if not line.startswith("    ")} == {"+ ", "- ", "~ "}
