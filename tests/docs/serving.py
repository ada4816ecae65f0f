"""A part of a page in which a service runs, as a reader follows it with two terminals and an editor.

Owns the player: `serve` starts the service, or starts it again; `edit` changes a file by a diff; `said` is what the
service's terminal says since then, but for single calls; `define` are functions of the reader's shell, `run` commands
in it. Needs a POSIX shell and curl. Ports are free ones, shown as those of the page.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.docs.page import Block
from tests.docs.playing import Step, masked, sessions
from tests.integration.installations import clean_environ
from tests.integration.usher_process import PATIENCE_SECONDS, UsherProcess

_BIN: Final = Path(sys.executable).parent
_PAGES_HOOK: Final = "127.0.0.1:8080"
_PAGES_OPERATIONS: Final = "127.0.0.1:8081"
_GLANCE_SECONDS: Final = 0.05
# They come with every call, a moment after its answer: a page shows what is said besides.
_OF_SINGLE_CALLS: Final = re.compile(r"^.* \[info +\] (?:decided|replayed) .*\n", re.MULTILINE)


class Reader:
    """Somebody with a page: a folder, a running service, a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.service: UsherProcess | None = None
        self._functions = ""
        self._heard_chars = 0

    def step(self, block: Block) -> Iterator[Step]:
        """Do what a block says; yield what it shows and what came."""
        match block.kind:
            case "serve":
                self._serve(block.text)
            case "define":
                self._functions += block.text
            case "edit":
                self._heard_chars = len(self._running.err.until(""))
                self._edit(self.folder / block.names[0], block.text)
            case "said":
                yield Step("(what the service says)", masked(block.text), self._said(block.text.count("\n")))
            case "run":
                for command, shown in sessions(block.text):
                    yield Step(command, masked(shown), self._run(command))

    def leave(self) -> None:
        """End the service, in whatever state it is."""
        if self.service is not None:
            self.service.clear_away()

    @property
    def _running(self) -> UsherProcess:
        assert self.service is not None
        return self.service

    def _serve(self, text: str) -> None:
        if self.service is not None:
            self.service.stop()
            self.leave()
        for line in text.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            if program == "cd":
                self.folder /= arguments[0]
            elif arguments[0] == "serve":
                self.service = UsherProcess([_BIN / "usher", *arguments], self.folder)
                self.service.wait_until_ready()
                self._heard_chars = 0
            else:
                subprocess.run(
                    [_BIN / "usher", *arguments],
                    cwd=self.folder,
                    env=clean_environ(),
                    capture_output=True,
                    timeout=PATIENCE_SECONDS,
                    check=True,
                )

    @staticmethod
    def _edit(path: Path, diff: str) -> None:
        text = path.read_text(encoding="utf-8")
        for hunk in diff.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in "- ")
            after = "".join(line[1:] for line in lines if line[0] in "+ ")
            assert text.count(before) == 1, f"{path.name} holds {before!r} {text.count(before)} times"
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8", newline="\n")

    def _said(self, line_count: int) -> str:
        """Return what the service has said since the last edit: at least so many lines, however long that takes."""
        patience_ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            said = _OF_SINGLE_CALLS.sub("", self._running.err.until("")[self._heard_chars :])
            if said.count("\n") >= line_count or time.monotonic() > patience_ends:
                return self._as_on_the_page(said)
            time.sleep(_GLANCE_SECONDS)

    def _run(self, command: str) -> str:
        hook, operations = self._address(self._running.hook), self._address(self._running.operations)
        script = f"{self._functions}\n{command}".replace(_PAGES_HOOK, hook).replace(_PAGES_OPERATIONS, operations)
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env=clean_environ(
                PATH=f"{_BIN}{os.pathsep}{os.environ['PATH']}",
                USHER_SERVER_OPERATIONS_PORT=operations.rpartition(":")[2],
                NO_PROXY="127.0.0.1",
                no_proxy="127.0.0.1",
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return self._as_on_the_page(done.stdout)

    def _as_on_the_page(self, text: str) -> str:
        for address, shown in ((self._running.hook, _PAGES_HOOK), (self._running.operations, _PAGES_OPERATIONS)):
            text = text.replace(self._address(address), shown)
        return masked(text.replace(self.folder.as_posix(), "…"))

    @staticmethod
    def _address(address: tuple[str, int]) -> str:
        return f"{address[0]}:{address[1]}"


@contextmanager
def reading(folder: Path) -> Iterator[Reader]:
    """Give a reader a folder; the service ends with the block. Skips where there is no POSIX shell."""
    if os.name != "posix":
        pytest.skip("the page shows a POSIX shell here")
    if shutil.which("curl") is None:
        pytest.fail("curl is missing: install it (Debian: apt-get install curl)", pytrace=False)
    reader = Reader(folder)
    try:
        yield reader
    finally:
        reader.leave()


def followed(blocks: Iterable[Block], reader: Reader) -> Iterator[Step]:
    """Follow the blocks in their order."""
    for block in blocks:
        yield from reader.step(block)
