"""`usher doctor` on the service's own machine: what it makes of operations and of who may read which files."""

import json
import os
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from usher.cli.doctor_calls import Caller, Target
from usher.cli.doctor_findings import Finding, State
from usher.cli.doctor_inside import files, operations
from usher.settings import load

READY = {"ready": True, "checks": {"policies": True, "ledger": True}}
STATUS: dict[str, Any] = {
    "policies": {"revision": "77aa", "source": "folder", "names": ["a", "b"], "rejected": None},
    "decisionLog": {"file": "decisions.jsonl", "losses": 0},
    "ledger": {"reachable": True, "holdings": 7},
    "directory": {"reachable": True, "users": 3},
}


@dataclass
class Listener:
    """An operations listener that tells what a test says."""

    port: int = 0
    told: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def tell(self, *, ready: int = 200, checks: object = READY, **changes: object) -> None:
        """Answer with the usual status, changed as said."""
        self.told = {
            "/health/ready": (ready, json.dumps(checks).encode()),
            "/status": (200, json.dumps(STATUS | changes).encode()),
        }

    def findings(self) -> dict[str, Finding]:
        """Return what the checks find, by name."""
        caller = Caller(Target("127.0.0.1", self.port, is_tls=False), ssl.create_default_context())
        return {finding.name: finding for finding in operations(caller)}


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Return a listener on a free port of this machine."""
    fake = Listener()
    fake.tell()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = fake.told.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield fake
        server.shutdown()


def test_all_is_well(listener: Listener) -> None:
    """One line for each part, numbers included."""
    found = listener.findings()
    assert list(found) == ["ready", "policies", "ledger", "directory", "decision log"]
    assert {finding.state for finding in found.values()} == {State.OK}
    assert str(found["ledger"]) == "ok       ledger: reachable, holdings 7"
    assert str(found["policies"]) == "ok       policies: 2 in force, revision 77aa"


@pytest.mark.parametrize(
    ("changes", "name", "told"),
    [
        (
            {"ready": 503, "checks": {"ready": False, "checks": {"policies": True, "ledger": False}}},
            "ready",
            "not, because of ledger",
        ),
        ({"ledger": {"reachable": False, "reason": "timeout"}}, "ledger", "cannot be reached (timeout)"),
        ({"directory": {}}, "directory", "cannot be reached (no reason told)"),
        (
            {"policies": {**STATUS["policies"], "source": "last good"}},
            "policies",
            "the last good set answers; 2 in force",
        ),
        ({"policies": {**STATUS["policies"], "rejected": {}}}, "policies", "the newest set is rejected; 2 in force"),
        ({"decisionLog": {"losses": 12}}, "decision log", "12 records lost since the start"),
        ({"authentication": {"keys": 0, "failure": "timeout"}}, "issuer's keys", "the last fetch failed: timeout; 0"),
    ],
)
def test_each_fault_is_one(listener: Listener, changes: dict[str, Any], name: str, told: str) -> None:
    """What is wrong with one part is said of that part alone."""
    listener.tell(**changes)
    found = listener.findings()
    assert [finding.name for finding in found.values() if finding.state is State.FAULT] == [name]
    assert found[name].found.startswith(told)
    assert found[name].todo


def test_keys_that_are_old_are_a_warning(listener: Listener) -> None:
    """They still serve; that there are some and no failure is fine."""
    listener.tell(authentication={"keys": 2, "failure": "timeout"})
    assert listener.findings()["issuer's keys"].state is State.WARNING
    listener.tell(authentication={"keys": 2, "failure": None})
    assert listener.findings()["issuer's keys"].state is State.OK


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}" * 2, b"[" * 100_000])
def test_something_else_on_the_port(listener: Listener, body: bytes) -> None:
    """Another program's answers are not taken for Usher's."""
    listener.told = {"/health/ready": (200, body), "/status": (200, body)}
    (found,) = listener.findings().values()
    assert (found.name, found.state, "is no Usher" in found.found) == ("operations", State.FAULT, True)


def examined(folder: Path, file: Path | None = None, /, **more: object) -> list[str]:
    """Return what is said of the files of an installation in a folder, with its settings in a file or without."""
    overrides = {"auth.secret_files": [folder / "usher.secret"], "policies.folder": folder / "policies", **more}
    return [str(finding) for finding in files(load(file, environ={}, overrides=overrides, folder=folder))]


@pytest.mark.skipif(os.name != "posix", reason="mode bits mean nothing elsewhere")
def test_who_may_read_and_change_what(tmp_path: Path) -> None:
    """Secrets and databases are not for everybody to read, policies not for everybody to change."""
    tmp_path.chmod(0o755)
    paths = {name: tmp_path / name for name in ("usher.secret", "policies", "state", "usher.db", "state/redaction.key")}
    for folder in ("policies", "state"):
        paths[folder].mkdir(mode=0o755)
    for name in ("usher.secret", "usher.db", "state/redaction.key"):
        paths[name].touch()
        paths[name].chmod(0o600)
    assert examined(tmp_path) == [
        "ok       files: secrets, key, databases, settings, policies and state are closed to others"
    ]
    paths["usher.secret"].chmod(0o644)
    paths["state/redaction.key"].chmod(0o604)
    paths["usher.db"].chmod(0o644)
    paths["policies"].chmod(0o777)
    close = "close its folder to others (chmod o-rwx), as a unit with UMask=0077 does"
    secret, key, policies = (paths[name] for name in ("usher.secret", "state/redaction.key", "policies"))
    assert examined(tmp_path) == [
        f"fault    files: everybody may read {secret}; chmod o-rwx {secret}",
        f"fault    files: everybody may read {key}; chmod o-rwx {key}",
        f"fault    files: everybody may change {policies}; chmod o-w {policies}",
        f"warning  files: everybody may read {paths['usher.db']}, where logins stand; {close}",
    ]
    tmp_path.chmod(0o700)
    assert [line for line in examined(tmp_path) if str(secret) in line or "usher.db" in line] == []


@pytest.mark.skipif(os.name != "posix", reason="mode bits mean nothing elsewhere")
def test_settings_and_each_file_of_the_policies(tmp_path: Path) -> None:
    """Who may change one of them decides for everybody, whatever its folder's own rights; a closed folder closes."""
    tmp_path.chmod(0o755)
    policies = tmp_path / "policies"
    for folder in (policies, policies / "tables", policies / "closed"):
        folder.mkdir()
        folder.chmod(0o755)
    paths = [tmp_path / "usher.toml", policies / "logins.yaml", policies / "tables" / "codes.csv"]
    hidden = policies / "closed" / "hidden.yaml"
    (tmp_path / "usher.secret").touch()
    for path in (*paths, hidden, tmp_path / "usher.secret"):
        path.touch()
        path.chmod(0o600)
    assert examined(tmp_path, paths[0])[0].startswith("ok       files: ")
    for path in (*paths, hidden):
        path.chmod(0o666)
    (policies / "closed").chmod(0o700)
    assert examined(tmp_path, paths[0]) == [
        f"fault    files: everybody may change {path}; chmod o-w {path}" for path in paths
    ]
    for number in range(30):
        (policies / f"{number}.yaml").touch()
        (policies / f"{number}.yaml").chmod(0o666)
    assert len(examined(tmp_path, paths[0])) == 21


@pytest.mark.skipif(os.name != "posix", reason="mode bits mean nothing elsewhere")
def test_another_machine_and_settings_that_are_wrong(tmp_path: Path) -> None:
    """Where nothing lies, nothing is called closed; a database that could not be opened is said."""
    assert "no secret and no key where the settings say" in examined(tmp_path)[0]
    (told,) = examined(tmp_path, **{"ledger.url": "sqlite:///:memory:"})
    assert told.startswith("fault    files: ledger.url: ")
