"""`usher reload`: whom it asks, with what, and what it prints of the answer."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Run = Callable[..., Result]

SECRET = "a-long-enough-secret-for-the-hook"
ACCEPTED = {
    "result": "accepted",
    "revision": "77aa",
    "found": "77aa",
    "seconds": 0.123,
    "changes": [
        {"kind": "added", "what": "rule", "name": "p/b"},
        {"kind": "changed", "what": "table", "name": "towns"},
    ],
    "problems": [
        {
            "file": "p.yaml",
            "line": 3,
            "column": 5,
            "code": "competing-rules",
            "severity": "warning",
            "message": "p/a can set it, too",
        }
    ],
}
REJECTED = {
    "result": "rejected",
    "revision": "3f2a",
    "found": "77aa",
    "seconds": 1.5,
    "changes": [],
    "problems": [
        {"file": "a", "line": 0, "column": 0, "code": "no-folder", "severity": "error", "message": "it does not exist"},
        {"file": "p.yaml", "line": 5, "column": 11, "code": "bad", "severity": "error", "message": "no such thing"},
    ],
}


@dataclass
class FakeService:
    """A service that gives one answer and remembers who asked, and how."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def service() -> Iterator[FakeService]:
    """Return a service on a free port of this machine."""
    fake = FakeService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fake.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(fake.status)
            for name, value in {"Content-Length": str(len(fake.body)), **fake.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(fake.body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield fake
        server.shutdown()


@pytest.fixture
def reload(run: Run, folder: Path, service: FakeService) -> Callable[..., Result]:
    """Return what asks that service with settings that name its secret; no output ever holds it."""
    (folder / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    (folder / "usher.toml").write_text(
        f'[server]\noperations_port = {service.port}\n[auth]\nsecret_files = ["secret"]\n', encoding="utf-8"
    )

    def call(*arguments: str, status: int = 200, said: object = None, expected: int = 0) -> Result:
        service.status = status
        service.body = said if isinstance(said, bytes) else json.dumps(said).encode()
        result = run("reload", *arguments, expected=expected)
        assert SECRET not in result.output + str(result.exception)
        return result

    return call


def test_an_accepted_set_is_told_with_what_changed(reload: Callable[..., Result], service: FakeService) -> None:
    """Its revision first, then each change, then warnings where they stand; exit 0."""
    result = reload(said=ACCEPTED)
    assert result.stdout.splitlines() == [
        "accepted: revision 77aa is in force (0.123 s)",
        "  added: rule p/b",
        "  changed: table towns",
        "p.yaml:3:5: warning: competing-rules: p/a can set it, too",
    ]
    assert result.stderr == ""
    [(method, path, headers)] = service.seen
    assert (method, path, headers["authorization"], headers["content-length"]) == ("POST", "/reload", SECRET, "0")


def test_a_set_that_is_in_force_already_is_one_line(reload: Callable[..., Result]) -> None:
    """Exit 0: what the admin wants is so."""
    said = {**ACCEPTED, "result": "unchanged", "changes": [], "problems": [], "seconds": 0.0}
    assert reload(said=said).stdout == "unchanged: revision 77aa is in force (0.0 s)\n"


def test_a_rejected_set_is_told_with_every_problem_and_exits_1(reload: Callable[..., Result]) -> None:
    """With the revision that answers instead; a problem of a whole file has no line."""
    result = reload(status=422, said=REJECTED, expected=1)
    assert result.stdout.splitlines() == [
        "rejected: revision 3f2a is in force (1.5 s)",
        "a: no-folder: it does not exist",
        "p.yaml:5:11: bad: no such thing",
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "takes another secret than these settings name"),
        (403, "takes another secret than these settings name"),
        (503, "is looking at its policies already; ask again in a moment"),
    ],
)
def test_a_service_that_refuses_is_one_clear_line(
    reload: Callable[..., Result], service: FakeService, status: int, said: str
) -> None:
    """With the address that was asked; exit 2 and nothing on standard output."""
    body = {"error": {"errorSummary": "x", "errorCauses": []}}
    result = reload(status=status, said=body, expected=2)
    assert (result.stdout, str(result.exception)) == ("", f"the service on 127.0.0.1:{service.port} {said}")


NO_USHER: dict[str, tuple[int, object]] = {
    "not found": (404, {}),
    "a page": (200, b"<html>hello</html>"),
    "nothing": (200, b""),
    "no object": (200, []),
    "an object of something else": (200, {"status": "ok"}),
    "changes that are none": (200, {**ACCEPTED, "changes": ["p/a"]}),
    "problems that are none": (422, {**REJECTED, "problems": [{"file": "a"}]}),
    "not UTF-8": (200, b"\xff\xfe"),
    "nested without end": (200, b"[" * 100_000),
    "an error": (500, {"error": {}}),
    "somewhere else": (302, {}),
}


@pytest.mark.parametrize(("status", "said"), NO_USHER.values(), ids=NO_USHER)
def test_what_is_no_usher_is_one_clear_line(
    reload: Callable[..., Result], service: FakeService, status: int, said: object
) -> None:
    """Another program has the port, or an older Usher: no traceback, and nothing of its words."""
    result = reload(status=status, said=said, expected=2)
    assert result.stdout == ""
    assert str(result.exception) == (
        f"what answers on 127.0.0.1:{service.port} is no Usher of this version (HTTP {status})"
    )


def test_a_secret_follows_no_redirection(reload: Callable[..., Result], service: FakeService) -> None:
    """APPSEC: it is sent to the listener of the settings and to nobody that listener names."""
    service.headers = {"Location": f"http://127.0.0.1:{service.port}/elsewhere"}
    reload(status=307, said={}, expected=2)
    assert [path for _, path, _ in service.seen] == ["/reload"]


def test_a_proxy_in_the_environment_does_not_see_the_secret(
    reload: Callable[..., Result], service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APPSEC: `http_proxy` is not for a listener of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        reload(said=ACCEPTED)
    assert len(service.seen) == 1


def test_settings_without_a_secret_send_none(reload: Callable[..., Result], folder: Path, service: FakeService) -> None:
    """For a service that was started with `--insecure-no-auth`; any other refuses."""
    (folder / "usher.toml").write_text(f"[server]\noperations_port = {service.port}\n", encoding="utf-8")
    reload(said=ACCEPTED)
    assert "authorization" not in service.seen[0][2]


def test_tokens_in_the_place_of_a_secret_are_one_clear_line(run: Run, folder: Path, service: FakeService) -> None:
    """This command cannot get a token: it says how to set up a secret for it."""
    service.status = 401
    (folder / "usher.toml").write_text(
        f"[server]\noperations_port = {service.port}\n"
        '[auth]\nmode = "oauth2"\nissuer = "https://a.example"\nclient_ids = ["c"]\nscopes = ["s"]\n',
        encoding="utf-8",
    )
    said = str(run("reload", expected=2).exception)
    assert said.startswith(f"the service on 127.0.0.1:{service.port} wants a secret, or an access token")
    assert "auth.secret_files" in said


def test_a_secret_that_cannot_be_read_is_told(
    reload: Callable[..., Result], folder: Path, service: FakeService
) -> None:
    """Nobody is asked without it: the admin would look for the fault at the wrong end."""
    (folder / "secret").unlink()
    result = reload(said=ACCEPTED, expected=2)
    assert "the secret cannot be read" in str(result.exception)
    assert service.seen == []


def test_the_header_is_that_of_the_settings(reload: Callable[..., Result], service: FakeService) -> None:
    """And the newest secret is shown, the first of several."""
    reload("--set", "auth.header=X-Hook", said=ACCEPTED)
    assert service.seen[0][2]["x-hook"] == SECRET
    assert "authorization" not in service.seen[0][2]


@pytest.mark.parametrize("host", ["0.0.0.0", "*"])  # noqa: S104 - asked, not opened
def test_a_service_that_listens_everywhere_is_asked_here(
    reload: Callable[..., Result], service: FakeService, host: str
) -> None:
    """Neither is an address to call."""
    reload("--set", f"server.operations_host={host}", said=ACCEPTED)
    assert len(service.seen) == 1


def test_nobody_there_is_one_clear_line(run: Run, folder: Path) -> None:
    """With the address and what to look at; exit 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (folder / "usher.toml").write_text(f"[server]\noperations_port = {port}\n", encoding="utf-8")
    said = str(run("reload", expected=2).exception)
    assert said.startswith(f"no service answers on 127.0.0.1:{port} (")
    assert said.endswith("); is it running with these settings?")


def test_somebody_who_speaks_no_http_is_one_clear_line(run: Run, folder: Path) -> None:
    """A database on the port, for example."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (folder / "usher.toml").write_text(f"[server]\noperations_port = {port}\n", encoding="utf-8")

        def answers() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"\x00\x01 what?\r\n")

        thread = threading.Thread(target=answers)
        thread.start()
        said = str(run("reload", expected=2).exception)
        thread.join()
    assert said == (f"no service answers on 127.0.0.1:{port} (BadStatusLine); is it running with these settings?")
