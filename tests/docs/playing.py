"""A part of the page on the policy language as a reader follows it: files that are saved, commands and what they print.

Owns the player and what it masks: ids, times, revisions. Commands run in processes of their own, in an empty folder.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.docs.page import Block

_MASKS: Final = (
    (re.compile(r'"decisionId":"[0-9a-f]+"'), '"decisionId":"…"'),
    (re.compile(r'"policyRevision":"[0-9a-f]+"'), '"policyRevision":"…"'),
    (re.compile(r"\bdecision [0-9a-f]{20,}: (?=commands|default|hold)"), "decision …: "),
    (re.compile(r"\bpolicies [0-9a-f]{16}\b"), "policies …"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? ms\b"), "… ms"),
    (re.compile(r"\([0-9]+\.[0-9]+ s\)"), "(… s)"),
    (re.compile(r"\bin [0-9]+\.[0-9]+s\b"), "in …s"),
    (re.compile(r'(?<="seconds": )[0-9.e-]+'), "…"),
    (re.compile(r'(?<=\btime=")[0-9.]+'), "…"),
    (re.compile(r"^[0-9-]+T[0-9:.]+Z (?=\[)", re.MULTILINE), "… "),
    (re.compile(r'\b(revision(?:_in_force)?(?:=|": "| ))[0-9a-f]{16}\b'), r"\1…"),
    (re.compile(r"\bset, [0-9a-f]{16}, answers\b"), "set, …, answers"),
    (re.compile(r'(?<="since": ")[0-9T:-]+Z'), "…"),
    (re.compile(r"\bdecisions\.[0-9TZ]+-[0-9]+\.jsonl\b"), "decisions.….jsonl"),
    (re.compile(r"\b(seconds|tests)=[0-9.]+"), r"\1=…"),
    (re.compile(r"(\bloaded |\bsince |,|  )[0-9]{4}-[0-9-]+T[0-9:.]+Z"), r"\1…"),
    (re.compile(r"\([0-9]+ seconds ago\)"), "(…)"),
    (re.compile(r"(?<= users in )[0-9.]+ s"), "… s"),
)
_SECONDS: Final = 60
_NOT_A_READERS: Final = ("USHER_", "PYTEST_", "PY_COLORS", "FORCE_COLOR")
_TERMINAL: Final = {"COLUMNS": "80", "NO_COLOR": "1"}
_PROGRAMS: Final = {
    "usher": [sys.executable, "-c", "from usher.cli import main; main()"],
    "pytest": [sys.executable, "-m", "pytest"],
}

Prepare = Callable[[Path, str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One command: what the page shows of it, and what came; both without what differs from run to run."""

    command: str
    shown: str
    came: str

    @property
    def is_as_shown(self) -> bool:
        """Whether the page is right: a line `…` on it stands for any lines."""
        parts = [re.escape(part) for part in re.split(r"(?<=\n) *…\n", self.shown)]
        return re.fullmatch("(?:.*\n)*?".join(parts), self.came) is not None


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a terminal's text, and what comes out."""
    for part in text.removeprefix("$ ").split("\n$ "):
        command, _, shown = part.partition("\n")
        yield command, shown if shown.endswith("\n") or not shown else f"{shown}\n"


def run(command: str, folder: Path) -> str:
    """Return what a command writes, as a terminal shows it, without what differs from run to run."""
    program, *arguments = shlex.split(command)
    done = subprocess.run(
        [*_PROGRAMS[program], *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(_NOT_A_READERS)} | _TERMINAL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=_SECONDS,
        check=False,
    )
    return masked(done.stdout)


def masked(text: str) -> str:
    """Return a text without what differs from run to run."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def indented(text: str) -> str:
    """Return JSON of one line over many."""
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"


def played(blocks: Iterable[Block], folder: Path, prepare: Prepare = lambda *_: None) -> Iterator[Step]:
    """Follow the blocks in a folder: `file` is saved, `more` put at the end of a file as it was saved last, `run` run.

    `prepare` is called with folder and command before each command.
    """
    saved: dict[str, str] = {}
    for block in blocks:
        if block.kind == "run":
            for command, shown in sessions(block.text):
                prepare(folder, command)
                came = run(command, folder)
                yield Step(command, shown, indented(came) if "indented" in block.names else came)
            continue
        name = block.names[0]
        if block.kind == "file":
            saved[name] = block.text
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = block.text if block.kind == "file" else saved[name] + block.text
        path.write_text(text, encoding="utf-8", newline="\n")
