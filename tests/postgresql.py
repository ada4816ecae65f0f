"""A real PostgreSQL for tests: a cluster of its own in a temporary folder, on a free port of this machine.

Owns finding the programs, the cluster's life, and what tests do to it: stop, kill, freeze. Touches the server it
started and the server's children only. A guard ends them and deletes the folder however the test run ends, killed
included.
"""

import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn

import psycopg
import pytest

from tests import process_family
from tests.process_family import family, signal_all

USER: Final = "usher"
MISSING: Final = "PostgreSQL is missing: install it (Debian: apt-get install postgresql)"
# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02
_HOST: Final = "127.0.0.1"
_PORTS: Final = range(15_000, 32_000)
_ADMIN: Final = "postgres"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the name below it is nobody's guess
_ENOUGH_BYTES: Final = 2**30
# Debian keeps them out of everybody's PATH.
_INSTALLED: Final = Path("/usr/lib/postgresql")
_PROGRAMS: Final = ("initdb", "postgres")
_SYSTEM_USERS: Final = ("postgres", "nobody")
# What is written has to survive the server's end, not the machine's.
_SETTINGS: Final = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=16MB",
    "max_connections=60",
    "deadlock_timeout=50ms",
    # In its own folder, which is deleted whatever happens.
    "dynamic_shared_memory_type=mmap",
)


def find_programs(search_path: str | None = None, installed: Path = _INSTALLED) -> Path | None:
    """Return the folder that holds PostgreSQL's programs: what the PATH has, else the newest that Debian installed."""
    initdb = shutil.which("initdb", path=search_path)
    # Often a link into the real folder, where the others are.
    folders = [Path(initdb).resolve().parent] if initdb else []
    folders += sorted(installed.glob("*/bin"), key=_numbers, reverse=True)
    complete = (folder for folder in folders if all((folder / name).is_file() for name in _PROGRAMS))
    return next(complete, None)


def _numbers(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.parent.name)]


def tell_absence(environ: Mapping[str, str]) -> NoReturn:
    """Skip what needs PostgreSQL; fail instead where everything must be there (`CI`)."""
    if environ.get("CI"):
        pytest.fail(MISSING, pytrace=False)
    pytest.skip(MISSING)


class Cluster:
    """A PostgreSQL that runs. Databases in it belong to `usher`, who needs no password."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.port = _free_port()
        self._programs = programs
        self.folder = folder
        self._data = folder / "data"
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._server: subprocess.Popen[bytes] | None = None
        self._is_frozen = False
        command = [str(programs / "initdb"), "-D", str(self._data), "-U", _ADMIN, "-A", "trust", "--no-sync"]
        command += ["--encoding=UTF8", "--locale=C"]
        made = subprocess.run(command, capture_output=True, text=True, check=False, **self._as_server())
        assert made.returncode == 0, made.stderr

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self.folder)]
        command += ["-h", _HOST, "-p", str(self.port), *(f"--{setting}" for setting in _SETTINGS)]
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **self._as_server()
            )
        self._await_answer()

    def stop(self) -> None:
        """End the server as an administrator would (fast shutdown)."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server and its children at once."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let the server and its children do nothing any more, with all connections open."""
        self._is_frozen = True
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the server and its children go on."""
        if self._is_frozen:
            self._signal_all(signal.SIGCONT)
        self._is_frozen = False

    def wake(self) -> None:
        """Let the server answer, whatever was done to it."""
        if self._server is None:
            self.start()
        self.thaw()

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database and yield its URL; it is dropped at the end, whatever was done to the server."""
        name = next(self._names)
        self.wake()
        self.administer(f"CREATE DATABASE {name} OWNER {USER}{self._strategy}")
        try:
            yield f"postgresql://{USER}@{_HOST}:{self.port}/{name}"
        finally:
            self.wake()
            self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    def administer(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, outside of every test's database; return its rows."""
        with psycopg.connect(host=_HOST, port=self.port, user=_ADMIN, dbname="postgres", autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    @cached_property
    def _strategy(self) -> str:
        """How a new database is made: the older way, before 15 the only one, is quicker where no disk is waited for."""
        ((version,),) = self.administer("SHOW server_version_num")
        return " STRATEGY file_copy" if int(version) >= 150_000 else ""

    @property
    def _pid(self) -> int:
        assert self._server is not None, "the server does not run"
        return self._server.pid

    def _signal_all(self, number: signal.Signals) -> None:
        # The children are looked for first, or nobody would know whose they were; and again, now that none is added.
        children = family(self._pid)
        signal_all([self._pid], number)
        signal_all([*{*children, *family(self._pid)} - {self._pid}], number)

    def _end(self, number: signal.Signals) -> None:
        if self._server is None:
            return
        if number == signal.SIGKILL:
            self._signal_all(number)
        else:
            self.thaw()
            signal_all([self._pid], number)
        self._server.wait(PATIENCE_SECONDS)
        self._server = None
        self._is_frozen = False

    def _await_answer(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert self._server is not None
            assert self._server.poll() is None, (self.folder / "server.log").read_text(encoding="utf-8")
            try:
                self.administer("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(_POLL_SECONDS)
            else:
                return
        pytest.fail("PostgreSQL does not answer")

    def _as_server(self) -> dict[str, Any]:
        """Say how its programs are run: it refuses to be run by root."""
        owner = self.folder.stat()
        who = {} if os.geteuid() else {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        return {"cwd": self.folder, "env": {"LC_ALL": "C", "PATH": os.defpath}, **who}


@contextmanager
def running_cluster(programs: Path) -> Iterator[Cluster]:
    """Make a cluster, start it, and end it for certain."""
    # Not below pytest's own folder, into which only its owner can look.
    folder = Path(tempfile.mkdtemp(prefix="usher-postgresql-", dir=_quick_folder()))
    if os.geteuid() == 0:
        _give_away(folder)
    guard = [sys.executable, process_family.__file__, str(folder)]
    with subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True):
        cluster = Cluster(programs, folder)
        try:
            cluster.start()
            cluster.administer(f"CREATE ROLE {USER} LOGIN")
            yield cluster
        finally:
            cluster.stop()


def _quick_folder() -> Path | None:
    """Return memory in the place of a disk, where there is enough: a new database is three hundred files."""
    try:
        return _MEMORY if shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES and os.access(_MEMORY, os.W_OK) else None
    except OSError:
        return None


def _give_away(folder: Path) -> None:
    for name in _SYSTEM_USERS:
        with suppress(LookupError):
            shutil.chown(folder, name)
            return
    pytest.fail("PostgreSQL refuses to be run by root, and there is no other user", pytrace=False)


def _free_port() -> int:
    """Return a port that was free a moment ago, below those that the system gives out by itself: it is used again."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with suppress(OSError), socket.create_server((_HOST, port)):
            return port
    pytest.fail("no port is free")
