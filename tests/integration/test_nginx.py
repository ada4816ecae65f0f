"""The nginx configuration that ships, in a real nginx, with TLS, in front of a real listener."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.listening import listener_options
from usher.web.refusals import refusal_body
from usher.web.serving import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import BreakingUpstream, HookService

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "usher.conf"
HOST = "hooks.example.com"
HEADERS = {"Authorization": "Basic c2VjcmV0", "Content-Type": "application/json"}
PATIENCE_SECONDS = 30.0

# What Debian's own nginx.conf has around conf.d/*.conf, without daemons, other users and system folders.
AROUND = """
daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {shipped};
}}
"""


@dataclass(frozen=True)
class Front:
    """A running nginx, seen by a client that trusts the test's authority only."""

    port: int
    trust: ssl.SSLContext

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send one request over TLS and return status and body."""
        connection = self.connect()
        try:
            return self.call_on(connection, method, path, body)
        finally:
            connection.close()

    def call_on(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Send one request on a connection that may have served before."""
        connection.request(method, path, body, HEADERS)
        response = connection.getresponse()
        return response.status, response.read()

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection with the certificate checked against the name Okta would use."""
        connection = http.client.HTTPConnection(HOST)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        connection.sock = self.trust.wrap_socket(plain, server_hostname=HOST)
        return connection


@pytest.fixture
def hook_address(hook_service: HookService) -> tuple[str, int]:
    """Return where the hook listens that nginx is to stand in front of."""
    return hook_service.listener.address


@pytest.fixture(scope="session")
def nginx_program() -> str:
    """Return nginx; Debian keeps it out of the PATH of ordinary users."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.fail("nginx is missing: install it (Debian: apt-get install nginx-light)", pytrace=False)
    return found


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an authority made for this run (ca.crt) and a certificate it signed (usher.crt, .key)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.fail("openssl is missing: install it (Debian: apt-get install openssl)", pytrace=False)
    folder = tmp_path_factory.mktemp("tls")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    leaf = ("-addext", f"subjectAltName=DNS:{HOST}", "-addext", "basicConstraints=critical,CA:FALSE")
    signer = ("-CA", "ca.crt", "-CAkey", "ca.key")
    for arguments in (
        ("-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test authority", *authority),
        ("-x509", *new_key, "-keyout", "usher.key", "-out", "usher.crt", "-subj", f"/CN={HOST}", *leaf, *signer),
    ):
        subprocess.run([openssl, "req", *arguments], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def nginx(nginx_program: str, certificates: Path, tmp_path: Path, hook_address: tuple[str, int]) -> Iterator[Front]:
    """Return nginx in front of the hook."""
    with nginx_before(hook_address, nginx_program, certificates, tmp_path) as front:
        yield front


@contextmanager
def nginx_before(
    hook_address: tuple[str, int], nginx_program: str, certificates: Path, tmp_path: Path
) -> Iterator[Front]:
    """Run nginx with the shipped file, of which only what is marked CHANGE has been changed."""
    port = free_port()
    text = changed(
        SHIPPED.read_text(encoding="utf-8"),
        {
            "server 127.0.0.1:8080;": f"server {hook_address[0]}:{hook_address[1]};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "server_name hooks.example.com;": f"server_name {HOST};",
            "/etc/nginx/tls/usher.crt;": f"{certificates / 'usher.crt'};",
            "/etc/nginx/tls/usher.key;": f"{certificates / 'usher.key'};",
        },
    )
    shipped = tmp_path / "usher.conf"
    shipped.write_text(text, encoding="utf-8")
    (tmp_path / "nginx.conf").write_text(AROUND.format(shipped=shipped), encoding="utf-8")
    command = [nginx_program, "-p", f"{tmp_path}/", "-c", "nginx.conf", "-e", f"{tmp_path}/error.log"]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    with subprocess.Popen(command) as running:
        try:
            await_port(port, running)
            yield Front(port, ssl.create_default_context(cafile=certificates / "ca.crt"))
        finally:
            running.terminate()


def changed(text: str, changes: dict[str, str]) -> str:
    """Change exactly the marked lines: every mark is a change, every change stands on a marked line, once."""
    lines = text.splitlines(keepends=True)
    marked = [number for number, line in enumerate(lines) if "# CHANGE" in line]
    assert len(marked) == len(changes)
    for old, new in changes.items():
        (number,) = [number for number in marked if old in lines[number]]
        lines[number] = lines[number].replace(old, new)
    return "".join(lines)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def await_port(port: int, running: subprocess.Popen[bytes]) -> None:
    """Return when nginx listens; fail when it has ended instead."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert running.poll() is None, "nginx has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("nginx does not listen")


def test_a_call_goes_through_over_tls(nginx: Front, hook_service: HookService) -> None:
    """What Okta posts over HTTPS reaches the hook byte for byte, credential included, and the answer comes back."""
    assert nginx.call("POST", "/okta/import", b'{"a": 1}') == (200, hook_service.expected(b'{"a": 1}'))
    assert [body for body, _ in hook_service.line.calls] == [b'{"a": 1}']


def test_another_name_than_the_certificates_is_not_trusted(nginx: Front) -> None:
    """The test's client would notice a wrong certificate, so that the test above proves what it says."""
    plain = socket.create_connection(("127.0.0.1", nginx.port), timeout=PATIENCE_SECONDS)
    with plain, pytest.raises(ssl.SSLCertVerificationError):
        nginx.trust.wrap_socket(plain, server_hostname="other.example.com")


def test_connections_are_kept_on_both_sides(nginx: Front, hook_service: HookService) -> None:
    """Ten calls on one TLS connection use one connection to the hook."""
    connection = nginx.connect()
    for number in range(10):
        body = f"[{number}]".encode()
        assert nginx.call_on(connection, "POST", "/okta/import", body) == (200, hook_service.expected(body))
    connection.close()
    (server,) = hook_service.listener._loop._servers  # type: ignore[union-attr]  # it runs
    assert len(server.active_channels) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/status",
        "/metrics",
        "/health/live",
        "/health/ready",
        "/reload",
        "/okta/import/",
        "/okta/import/../../status",
    ],
)
def test_nothing_but_the_hook_is_reachable(nginx: Front, hook_service: HookService, path: str) -> None:
    """Operations never answers through nginx; what is not the hook does not even reach Usher."""
    for method in ("GET", "POST"):
        status, body = nginx.call(method, path)
        assert status == 404
        assert b"errorSummary" not in body
    assert hook_service.refusals.seen == []


def test_usher_itself_refuses_and_says_so(nginx: Front, hook_service: HookService) -> None:
    """A refusal by Usher comes through in Okta's shape."""
    status, body = nginx.call("GET", "/okta/import")
    assert (status, b"errorSummary" in body) == (405, True)
    assert hook_service.refusals.seen == [405]


def test_the_limits_agree(nginx: Front, hook_service: HookService) -> None:
    """1 MiB goes through both; one byte more is refused by nginx already, with the very body Usher would send."""
    largest = b"x" * 1_048_576
    assert nginx.call("POST", "/okta/import", largest) == (200, hook_service.expected(largest))
    assert nginx.call("POST", "/okta/import", largest + b"x") == (413, refusal_body(413))
    assert hook_service.refusals.seen == []


def test_without_usher_the_caller_learns_it_at_once(nginx: Front, hook_service: HookService) -> None:
    """A refused connection is a 502, on which Okta tries once more; no upstream is ever set aside for a while."""
    hook_service.listener.stop()
    for _ in range(3):
        assert nginx.call("POST", "/okta/import", b"{}")[0] == 502
    restart(hook_service)
    assert nginx.call("POST", "/okta/import", b"{}")[0] == 200


def test_a_hook_that_hangs_ends_in_a_5xx_and_is_not_called_again(nginx: Front, hook_service: HookService) -> None:
    """An answer that does not come is a 504, and the call was made once only."""
    hook_service.line.may_answer.clear()
    status, _ = nginx.call("POST", "/okta/import", b"{}")
    hook_service.line.may_answer.set()
    assert status == 504
    assert len(hook_service.line.calls) == 1


def test_after_a_restart_of_usher_the_next_call_is_served(nginx: Front, hook_service: HookService) -> None:
    """A connection kept to the old process does not fail the first call to the new one."""
    for number in range(5):
        body = f"[{number}]".encode()
        assert nginx.call("POST", "/okta/import", body) == (200, hook_service.expected(body))
        hook_service.listener.stop()
        restart(hook_service)
    assert len(hook_service.line.calls) == 5


def test_a_call_whose_connection_breaks_is_made_once_more(
    breaking_upstream: BreakingUpstream, nginx_program: str, certificates: Path, tmp_path: Path
) -> None:
    """A kept connection that breaks under a call costs a retry on a new one, not a person; it is the same call."""
    with nginx_before(breaking_upstream.address, nginx_program, certificates, tmp_path) as front:
        assert front.call("POST", "/okta/import", b"[1]") == (200, b"{}")
        assert front.call("POST", "/okta/import", b"[2]") == (200, b"{}")
    assert breaking_upstream.bodies == [b"[1]", b"[2]", b"[2]"]


def restart(service: HookService) -> None:
    """Start the hook anew on the port it had, as another process would."""
    old = service.listener
    service.listener = Listener(old._app, listener_options(port=old.address.port))
    service.listener.start()
