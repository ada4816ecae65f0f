"""Standard output and error that are closed, full, or read by somebody who has gone."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.installations import clean_environ
from tests.integration.leaks import leaks, secrets_in
from tests.integration.payloads import GUIDE_CASE
from tests.integration.usher_process import PATIENCE_SECONDS, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.installations import Installation

SH = Path("/bin/sh")


def free_ports() -> tuple[int, int]:
    """Return two ports that were free a moment ago."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        first, second = (probe.getsockname()[1] for probe in probes)
    return first, second


class Shell:
    """Runs the installed `usher` with redirections of a shell."""

    def __init__(self, usher: Path, folder: Path) -> None:
        self._usher = usher
        self._folder = folder
        self.ports = free_ports()
        self.running: list[subprocess.Popen[bytes]] = []
        self.said = b""

    def start(self, arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start it; `exec` makes signals reach it and not the shell."""
        ports = {"USHER_SERVER_PORT": str(self.ports[0]), "USHER_SERVER_OPERATIONS_PORT": str(self.ports[1])}
        self.running.append(
            subprocess.Popen(
                ["/bin/bash", "-c", f"exec '{self._usher}' {arguments}"],
                cwd=self._folder,
                env=clean_environ(USHER_SECRET=SECRET, USHER_POLICIES_GATE="off", **ports, **environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return self.running[-1]

    def run(self, arguments: str) -> tuple[int, str]:
        """Run it to its end; return exit code and what was said."""
        process = self.start(arguments)
        shown, said = process.communicate(timeout=PATIENCE_SECONDS)
        self.said += shown + said
        return process.returncode, said.decode()

    def clear_away(self) -> None:
        """End whatever is left. Fails if a secret stands in anything that was said or written."""
        for process in self.running:
            with suppress(ProcessLookupError):
                process.kill()
            if process.stdout is not None and not process.stdout.closed:
                self.said += b"".join(process.communicate(timeout=PATIENCE_SECONDS))
        secrets = {SECRET.encode()} | secrets_in({}, self._folder)
        found = leaks({"a stream": self.said}, self._folder, secrets)
        assert found == [], found

    def ask(self) -> int:
        """Post the guide's case as soon as the hook listens; return the status."""
        headers = {"Authorization": SECRET, "Content-Type": "application/json"}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert self.running[-1].poll() is None, "usher has ended"
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=PATIENCE_SECONDS)
            try:
                connection.request("POST", "/okta/import", GUIDE_CASE.read_bytes(), headers)
                return connection.getresponse().status
            except ConnectionRefusedError:
                time.sleep(0.05)
            finally:
                connection.close()
        pytest.fail("the hook does not listen")


@pytest.fixture
def shell(wheel_installation: Installation, tmp_path: Path) -> Iterator[Shell]:
    """Return a shell in an empty folder; what it started ends with the test."""
    shell = Shell(wheel_installation.usher, tmp_path)
    yield shell
    shell.clear_away()


@pytest.mark.parametrize("leak", ["echo $USHER_SECRET", "echo $USHER_SECRET >&2", "echo $USHER_SECRET > log"])
@pytest.mark.parametrize("to_its_end", [True, False])
def test_a_secret_that_gets_out_is_noticed(tmp_path: Path, leak: str, *, to_its_end: bool) -> None:
    """Into a stream or a file, whether somebody has read the streams already or not."""
    shell = Shell(SH, tmp_path)
    if to_its_end:
        shell.run(f"-c '{leak}'")
    else:
        shell.start(f"-c '{leak}'").wait(PATIENCE_SECONDS)
    with pytest.raises(AssertionError, match="holds a secret"):
        shell.clear_away()


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_the_service_serves_although_nobody_can_read_what_it_says(shell: Shell, streams: str) -> None:
    """It starts, answers, and stops cleanly, as under a service wrapper that gives it no streams."""
    service = shell.start(f"serve --set logging.level=debug {streams}")
    assert shell.ask() == 200
    service.send_signal(signal.SIGTERM)
    assert service.wait(PATIENCE_SECONDS) == 0


def test_a_fault_is_survived_where_it_cannot_be_said(shell: Shell) -> None:
    """Misuse has its exit code on a full disk, too."""
    assert shell.run("serve --config nowhere.toml 2>/dev/full")[0] == 2
    assert shell.run("serve --config nowhere.toml 2>&-")[0] == 2


@pytest.mark.parametrize("command", [f"eval '{GUIDE_CASE}'", "settings", "--help"])
def test_output_that_cannot_be_written_is_one_clear_line(shell: Shell, command: str) -> None:
    """A full disk is no fault of Usher's, and nothing to be reported."""
    code, said = shell.run(f"{command} >/dev/full")
    assert code == 2
    assert said.splitlines()[-1] == "usher: the output cannot be written: No space left on device"
    assert "internal fault" not in said


def test_a_reader_that_has_gone_is_no_fault(shell: Shell) -> None:
    """`usher settings | head -1` says nothing about it."""
    _, said = shell.run("settings > >(exec <&-; sleep 0.2)")
    assert said == ""
