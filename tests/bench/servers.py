"""The servers of the bench, each a process of its own, all with the same number of threads."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.usher_process import SECRET, UsherProcess

THREADS = 4
USHER = (Path(sys.executable).parent / "usher",)
# -P: the files beside it are none of its modules.
FORGETFUL = (sys.executable, "-P", Path(__file__).with_name("forgetful.py"))


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens, and its name in the tables."""

    name: str
    port: int


@contextmanager
def usher_server(
    folder: Path, name: str = "a   usher", policies: Path | None = None, usher: Sequence[str | Path] = USHER
) -> Iterator[Server]:
    """Run the service with every check, redaction and the decision log on; with the shipped policies or others."""
    command: list[str | Path] = [*usher, "serve", "--set", f"server.threads={THREADS}"]
    if policies is not None:
        command += ["--set", f"policies.folder={policies}"]
    folder.mkdir(exist_ok=True)
    process = UsherProcess(command, folder, USHER_SECRET=SECRET)
    try:
        process.wait_until_ready()
        yield Server(name, process.hook[1])
        assert process.stop() == 0
    finally:
        process.clear_away()


@contextmanager
def handler_server(shown: str, handler: str, *switch_interval_seconds: float) -> Iterator[Server]:
    """Run one of the handlers, with Python's own switch interval or another."""
    # POSIX and Windows agree that a child sees the end of its input when its parent is gone, however that came.
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.handlers", handler, str(THREADS), *map(str, switch_interval_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    ) as process:
        assert process.stdout is not None
        yield Server(shown, int(process.stdout.readline()))
