"""The proxies that ship, really running, and the certificates they show: what stands between Okta and Usher in tests.

Owns authorities and certificates made for a run, and the life of nginx and Caddy. Only what is marked CHANGE in a
shipped file is changed, as an admin would.
"""

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

from tests.integration.installations import clean_environ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX_CONF = DEPLOY / "nginx" / "usher.conf"
CADDYFILE = DEPLOY / "caddy" / "Caddyfile"
HOST = "hooks.example.com"
HEADERS = {"Authorization": "Basic c2VjcmV0", "Content-Type": "application/json"}
PATIENCE_SECONDS = 30.0
_MARK = "# CHANGE"

# What Debian's own nginx.conf has around conf.d/*.conf, without daemons, other users and system folders.
_AROUND_NGINX = """
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
    """A running proxy, seen by a client that trusts the test's authority only."""

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
        connection = http.client.HTTPConnection(HOST, self.port)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        connection.sock = self.trust.wrap_socket(plain, server_hostname=HOST)
        return connection


def program(name: str, package: str) -> str:
    """Return where a program is; Debian keeps servers out of the PATH of ordinary users."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.fail(f"{name} is missing: install it (Debian: apt-get install {package})", pytrace=False)
    return found


class Authority:
    """An authority made for this run, in a folder: ca.crt, and the certificates it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl = program("openssl", "openssl")
        constraints = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        self._make(
            "-x509", *self._key("ca"), "-days", "2", "-out", "ca.crt", "-subj", "/CN=test authority", *constraints
        )

    @property
    def certificate(self) -> Path:
        """Its own certificate, which a client must know."""
        return self.folder / "ca.crt"

    def sign(self, stem: str, names: Sequence[str], *, days: int = 90) -> None:
        """Make `stem`.crt and `stem`.key for DNS names; with negative days it ended so many days ago."""
        listed = ",".join(f"DNS:{name}" for name in names)
        self._make(*self._key(stem), "-out", f"{stem}.csr", "-subj", f"/CN={names[0]}")
        (self.folder / f"{stem}.ext").write_text(
            f"subjectAltName={listed}\nbasicConstraints=critical,CA:FALSE\n", encoding="ascii"
        )
        signer = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days))
        self._run("x509", "-req", "-in", f"{stem}.csr", "-out", f"{stem}.crt", "-extfile", f"{stem}.ext", *signer)

    def _make(self, *arguments: str) -> None:
        self._run("req", *arguments)

    @staticmethod
    def _key(stem: str) -> tuple[str, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{stem}.key")

    def _run(self, *arguments: str) -> None:
        done = subprocess.run([self._openssl, *arguments], cwd=self.folder, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def authority(folder: Path) -> Authority:
    """Return an authority with a certificate for the host of the shipped files and this machine (usher.crt, .key)."""
    made = Authority(folder)
    made.sign("usher", (HOST, "localhost"))
    return made


@contextmanager
def nginx_before(
    hook_address: tuple[str, int], nginx_program: str, certificates: Path, folder: Path, *, stem: str = "usher"
) -> Iterator[Front]:
    """Run nginx with the shipped file, in a folder of its own."""
    port = free_port()
    text = changed(
        NGINX_CONF.read_text(encoding="utf-8"),
        {
            "server 127.0.0.1:8080;": f"server {hook_address[0]}:{hook_address[1]};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "server_name hooks.example.com;": f"server_name {HOST};",
            "/etc/nginx/tls/usher.crt;": f"{certificates / f'{stem}.crt'};",
            "/etc/nginx/tls/usher.key;": f"{certificates / f'{stem}.key'};",
        },
    )
    with nginx_with(text, port, nginx_program, folder):
        yield Front(port, ssl.create_default_context(cafile=certificates / "ca.crt"))


@contextmanager
def nginx_with(text: str, port: int, nginx_program: str, folder: Path) -> Iterator[None]:
    """Run nginx with a file inside `http { }`."""
    shipped = folder / "usher.conf"
    shipped.write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(_AROUND_NGINX.format(shipped=shipped), encoding="utf-8")
    command = [nginx_program, "-p", f"{folder}/", "-c", "nginx.conf", "-e", f"{folder}/error.log"]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    with subprocess.Popen(command) as running:
        try:
            await_port(port, running)
            yield
        finally:
            running.terminate()


@contextmanager
def caddy_before(
    hook_address: tuple[str, int], caddy_program: str, certificates: Path, folder: Path, *, host: str = HOST
) -> Iterator[Front]:
    """Run Caddy with the shipped file; what it keeps goes into a folder of its own."""
    port = free_port()
    text = changed(
        CADDYFILE.read_text(encoding="utf-8"),
        {
            "hooks.example.com {": f"{host}:{port} {{\n\tbind 127.0.0.1",
            "/etc/caddy/tls/usher.crt /etc/caddy/tls/usher.key": f"{certificates}/usher.crt {certificates}/usher.key",
            "127.0.0.1:8080": f"{hook_address[0]}:{hook_address[1]}",
        },
        below=True,
    )
    file = folder / "Caddyfile"
    file.write_text(text, encoding="utf-8")
    environ = clean_environ(
        XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder), CADDY_ADMIN=f"localhost:{free_port()}"
    )
    command = [caddy_program, "run", "--config", str(file), "--adapter", "caddyfile"]
    with (folder / "caddy.log").open("wb") as log, subprocess.Popen(command, env=environ, stderr=log) as running:
        try:
            await_port(port, running)
            yield Front(port, ssl.create_default_context(cafile=certificates / "ca.crt"))
        finally:
            running.terminate()


def changed(text: str, changes: dict[str, str], *, below: bool = False) -> str:
    """Change exactly the marked lines, or those `below` a mark: each mark is a change, each change is marked."""
    lines = text.splitlines(keepends=True)
    marked = [number + below for number, line in enumerate(lines) if _MARK in line]
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
    """Return when somebody listens there; fail when the program has ended instead."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert running.poll() is None, "the proxy has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("the proxy does not listen")
