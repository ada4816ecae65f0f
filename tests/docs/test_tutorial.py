"""The tutorial works: from an empty folder, every file it asks for, every command and every line it shows."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.docs.page import Block, blocks, page

_MASKS = (
    (re.compile(r'"decisionId":"[0-9a-f]+"'), '"decisionId":"…"'),
    (re.compile(r'"policyRevision":"[0-9a-f]+"'), '"policyRevision":"…"'),
    (re.compile(r"\bdecision [0-9a-f]{20,}"), "decision …"),
    (re.compile(r"\bpolicies [0-9a-f]{16}\b"), "policies …"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? ms\b"), "… ms"),
)
_SECONDS = 60


def tutorial() -> list[Block]:
    """Return the tutorial's files and commands, in the order in which a reader meets them."""
    text = page()
    part = text[text.index("\n## Tutorial\n") : text.index("\n## The file\n")]
    return [block for block in blocks(part) if block.kind in {"file", "run"}]


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a terminal's text, and what comes out."""
    for part in text.split("$ ")[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def run(command: str, folder: Path) -> str:
    """Return what a command writes, as a terminal shows it, without what differs from run to run."""
    program, *arguments = shlex.split(command)
    assert program == "usher"
    done = subprocess.run(
        [sys.executable, "-c", "from usher.cli import main; main()", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("USHER_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=_SECONDS,
        check=False,
    )
    shown = done.stdout
    for pattern, mask in _MASKS:
        shown = pattern.sub(mask, shown)
    return shown


def played(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Follow the tutorial in an empty folder; yield each command with what the page shows and what came out."""
    for block in tutorial():
        if block.kind == "file":
            path = folder / block.names[0]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8", newline="\n")
        else:
            for command, shown in sessions(block.text):
                yield command, shown, run(command, folder)


def test_every_step_of_the_tutorial_gives_what_it_shows(tmp_path: Path) -> None:
    """A person who knows Okta but not this project can follow it to the end, and sees what the page says."""
    steps = list(played(tmp_path))
    assert len(steps) > 10
    for command, shown, came in steps:
        assert f"$ {command}\n{came}" == f"$ {command}\n{shown}"


def test_the_tutorial_ends_with_the_next_free_number() -> None:
    """The last commands of the way show the guide's login and a counted one."""
    told = "".join(block.text for block in tutorial() if block.kind == "run")
    assert '"login":"george.alexander.smith@example.com"' in told
    assert '"login":"jane.smith2@example.com"' in told
    assert '"login":"jane.smith3@example.com"' in told
