"""What can befall a ledger while it is used: each as a block, at whose end everything is as it was before.

Owns no expectation. Processes that are started here are ended here.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.postgresql import Cluster

# Root may write to what is read-only, unless it has given up the right to.
AS_EVERYBODY: Final = () if os.geteuid() else ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
_HOLD_LOCK: Final = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.close()
"""


@contextmanager
def frozen(cluster: Cluster) -> Iterator[None]:
    """Let PostgreSQL do nothing, with all connections open."""
    cluster.freeze()
    try:
        yield
    finally:
        cluster.thaw()


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    """Stop PostgreSQL as an administrator does."""
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Have another process hold SQLite's write lock."""
    command = [sys.executable, "-c", _HOLD_LOCK, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            process.communicate(b"")


@contextmanager
def no_room_for(pid: int) -> Iterator[None]:
    """Have every write of a process to a file fail, on whatever disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    """Let nobody write to an SQLite file; put that right at the end, for what SQLite has put beside it, too."""
    file.chmod(0o444)
    try:
        yield
    finally:
        for part in file.parent.glob(f"{file.name}*"):
            part.chmod(0o644)


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[None]:
    """Put a file system of its own at a folder; where mounting is not allowed, the test is skipped and says so."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave a disk no byte."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        yield
    finally:
        filler.unlink()
