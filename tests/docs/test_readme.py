"""What README and the guides show is what happens."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from usher.cli.group import usher

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(usher.list_commands(click.Context(usher)))
USHER = Path(sys.executable).with_name("usher")


def test_the_table_of_commands_names_every_command_and_no_other() -> None:
    """A command nobody can find does not exist, and one that does not exist must not be promised."""
    assert sorted(set(re.findall(r"^\| `usher ([a-z]+)", README, re.MULTILINE))) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_is_for(command: str) -> None:
    """`--help` exits 0 and explains."""
    done = subprocess.run([USHER, command, "--help"], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 4


def test_the_answer_in_the_readme_is_the_answer() -> None:
    """The shown answer is what `usher eval` prints for the same request, identifiers aside."""
    block = re.search(
        r"<!-- example: usher demo -->\n```text\nanswer:\n(.*?)\n\nrule that fired: (.*?)\n```", README, re.DOTALL
    )
    assert block is not None
    case = ROOT / "policies/testdata/george-alexander-smith.json"
    done = subprocess.run(
        [USHER, "eval", "--policies", ROOT / "policies", case],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    answer = json.loads(done.stdout)
    answer["debugContext"] |= {"decisionId": "…", "policyRevision": "…"}
    assert answer == json.loads(block[1])
    assert answer["debugContext"]["fired"] == block[2].split(", ")


def test_every_link_between_the_pages_leads_somewhere() -> None:
    """Files move; links must follow."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
