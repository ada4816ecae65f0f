"""The unit and the settings file that ship for systemd: read by systemd's own tools, and run as they say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.fronts import DEPLOY, program
from tests.integration.installations import must_run
from tests.integration.payloads import OKTA_SAMPLE
from tests.integration.usher_process import UsherProcess
from usher.bootstrap import service as wiring
from usher.settings import ServerSettings, load

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = (DEPLOY / "systemd" / "usher.service").read_text(encoding="utf-8")
SETTINGS = DEPLOY / "systemd" / "usher.toml"
USHER = Path(sys.executable).with_name("usher")
# Of ten: what is not closed is the network and its own user. systemd writes it times ten.
MOST_EXPOSED = 15
# The kernel's own MemoryDenyWriteExecute (PR_SET_MDWE, since Linux 6.3); an older one says EINVAL, and all goes on.
GUARDED = "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"


def values(name: str) -> list[str]:
    """Return what a setting of the unit is set to, each time it stands there."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


@pytest.fixture(scope="module")
def analyze() -> str:
    """Return systemd's own checker; it needs no running systemd."""
    return program("systemd-analyze", "systemd")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return a copy whose program exists here; nothing else is changed."""
    path = tmp_path / "usher.service"
    path.write_text(UNIT.replace("/opt/usher/venv/bin/usher", str(USHER)), encoding="utf-8")
    return path


def test_systemd_takes_the_unit_without_a_word(analyze: str, unit: Path) -> None:
    """No unknown key, no value it would ignore."""
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_sandbox_is_closed(analyze: str, unit: Path) -> None:
    """What it could still do, in the judgement of systemd itself, is little."""
    command = [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_numbers_fit_the_settings() -> None:
    """A stop has time to drain, and there are files for all connections; the comments say so."""
    server = ServerSettings()
    (stop,), (files,) = values("TimeoutStopSec"), values("LimitNOFILE")
    assert int(stop) > server.drain_seconds + wiring._JOIN_SECONDS + 5
    assert int(files) > 4 * server.connection_limit
    assert f"server.drain_seconds ({server.drain_seconds:g} s), then {wiring._JOIN_SECONDS:g} s" in UNIT
    assert f"above server.connection_limit ({server.connection_limit})" in UNIT


def test_all_that_is_written_lies_in_the_folders_systemd_makes() -> None:
    """The rest of the system is read-only to it."""
    loaded = load(SETTINGS, environ={}, overrides={}, folder=Path.cwd())
    settings = loaded.settings
    assert (values("StateDirectory"), values("LogsDirectory")) == (["usher"], ["usher"])
    written = [settings.state.folder, Path(settings.ledger.url.removeprefix("sqlite:///"))]
    written.append(Path(settings.directory.url.removeprefix("sqlite:///")))
    assert {path.parent for path in written} == {Path("/var/lib/usher")}
    assert settings.decisions.file.parent == Path("/var/log/usher")


def test_the_metrics_of_the_process_can_be_read() -> None:
    """Three alerts go by them, and prometheus-client needs /proc/stat, which `ProcSubset=pid` hides."""
    assert values("ProcSubset") == []
    assert values("ProtectProc") == ["invisible"]


def test_all_can_be_read_by_the_services_user() -> None:
    """Whatever root's umask is: the documented steps begin with the one that they are written for."""
    page = (DEPLOY.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    steps = page.partition("\n### Linux with systemd\n")[2].partition("```sh\n")[2].partition("```")[0].splitlines()
    assert steps[0].split("#")[0].strip() == "umask 022"
    assert [line for line in steps if "usher init /etc/usher" in line]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[UsherProcess]:
    """Start what ExecStart says, with the shipped settings, in folders of the test and without writable code."""
    with started(tmp_path, values("ExecStart")[0]) as process:
        yield process


@contextmanager
def started(tmp_path: Path, execstart: str) -> Iterator[UsherProcess]:
    """Run a service as the unit does, by this command."""
    etc, credentials, var = tmp_path / "etc", tmp_path / "credentials", tmp_path / "var"
    must_run([USHER, "init", etc], tmp_path)
    secret = etc / "usher.secret"
    credentials.mkdir(exist_ok=True)
    (credentials / "usher.secret").write_bytes(secret.read_bytes())
    secret.write_text("not this one, which the service cannot read", encoding="ascii")
    for folder in ("lib", "log"):
        (var / folder / "usher").mkdir(parents=True)
    (etc / "usher.toml").write_text(SETTINGS.read_text(encoding="utf-8").replace("/var/", f"{var}/"), encoding="utf-8")
    command = execstart.replace("/opt/usher/venv/bin/usher", f"{sys.executable} {USHER}")
    command = command.replace("${CREDENTIALS_DIRECTORY}", str(credentials)).replace("/etc/usher", str(etc))
    process = UsherProcess([sys.executable, "-c", GUARDED, *shlex.split(command)], var)
    try:
        yield process
    finally:
        process.clear_away()


def test_while_the_secret_is_changed_both_are_taken(tmp_path: Path) -> None:
    """The line to take in and the text to add, as the unit's comment has them, name the same credential."""
    (name,) = re.findall(r"^#LoadCredential=([\w.]+):/etc/usher/\1$", UNIT, re.MULTILINE)[:1]
    (addition,) = re.findall(r"^# and put  (,\S+)  behind the path in ExecStart", UNIT, re.MULTILINE)
    assert addition == f",${{CREDENTIALS_DIRECTORY}}/{name}"
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / name).write_text("the-secret-that-comes-next\n", encoding="ascii")
    with started(tmp_path, values("ExecStart")[0] + addition) as process:
        process.wait_until_ready()
        old = (tmp_path / "credentials" / "usher.secret").read_text(encoding="ascii").strip()
        for secret, status in ((old, 200), ("the-secret-that-comes-next", 200), ("another", 403)):
            assert process.post(OKTA_SAMPLE.read_bytes(), Authorization=secret).status == status


def test_what_the_unit_starts_answers_and_stops(running: UsherProcess, tmp_path: Path) -> None:
    """It takes the secret from the credential, writes where it may, and ends by SIGTERM with 0."""
    running.wait_until_ready()
    secret = (tmp_path / "credentials" / "usher.secret").read_text(encoding="ascii").strip()
    assert running.post(OKTA_SAMPLE.read_bytes(), Authorization=secret).status == 200
    assert running.stop() == 0
    var = tmp_path / "var"
    assert sorted(path.name for path in (var / "lib" / "usher").iterdir()) == ["directory.db", "state", "usher.db"]
    assert len(list((var / "log" / "usher").iterdir())) == 1
