"""The tutorial works: from an empty folder, every file it asks for, every command and every line it shows."""

from pathlib import Path

from tests.docs.page import blocks, part
from tests.docs.playing import played

TUTORIAL = [block for block in blocks(part("Tutorial")) if block.kind in {"file", "more", "run"}]


def test_every_step_of_the_tutorial_gives_what_it_shows(tmp_path: Path) -> None:
    """A person who knows Okta but not this project can follow it to the end, and sees what the page says."""
    steps = list(played(TUTORIAL, tmp_path))
    assert len(steps) > 10
    for step in steps:
        assert f"$ {step.command}\n{step.came}" == f"$ {step.command}\n{step.shown}"


def test_the_tutorial_ends_with_the_next_free_number_and_a_test_of_it() -> None:
    """The last commands of the way show the guide's login and a counted one; then a test that keeps them so."""
    told = "".join(block.text for block in TUTORIAL if block.kind == "run")
    assert '"login":"george.alexander.smith@example.com"' in told
    assert '"login":"jane.smith2@example.com"' in told
    assert '"login":"jane.smith3@example.com"' in told
    tests = "".join(block.text for block in TUTORIAL if block.names[:1] == ("policies/logins_test.yaml",))
    assert "jane.smith2@example.com" in tests
    assert told.index("$ usher test policies\n") > told.rindex("$ usher eval")
