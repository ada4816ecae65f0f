"""A process and its children: found, signalled, ended. Run as a program it guards a server that must not outlive tests.

Owns no process. Standard library only, as the guard has to be there at once. POSIX.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TIDY_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it, parents first."""
    found = [pid]
    parents = dict(_parents())
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to those that still run."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _parents() -> Iterator[tuple[int, int]]:
    if not _PROC.is_dir():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        yield from ((int(pid), int(parent)) for pid, parent in map(str.split, listed.stdout.splitlines()))
        return
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # The name before it may hold blanks and brackets (proc(5)).
                after_name = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
                _, parent = after_name.split()[:2]
                yield int(folder.name), int(parent)


def _command(pid: int) -> str:
    if _PROC.is_dir():
        with contextlib.suppress(OSError):
            return (_PROC / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace")
        return ""
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def _guard(folder: Path) -> None:
    """Wait until whoever started this is gone; end the server whose pid file lies there; delete all."""
    sys.stdin.buffer.read()
    pid_file = folder / "data" / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError, IndexError):
        server = int(pid_file.read_text(encoding="utf-8").split()[0])
        if str(folder) in _command(server):
            _end(server, pid_file)
    shutil.rmtree(folder, ignore_errors=True)


def _end(server: int, pid_file: Path) -> None:
    """Let a server go at once but tidily, or it would leave its shared memory behind; after a while, kill it."""
    signal_all(family(server), signal.SIGCONT)
    signal_all([server], signal.SIGQUIT)
    deadline = time.monotonic() + _TIDY_SECONDS
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    if pid_file.exists():
        signal_all(family(server), signal.SIGKILL)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]))
