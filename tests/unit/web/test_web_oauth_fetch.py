"""One look at an issuer's keys, whatever the issuer does: it ends in time, stays small, goes nowhere else."""

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.oauth_tokens import ec_key
from usher.web.key_fetch import LIMIT_BYTES, MAX_AT_WORK, fetch
from usher.web.signing_keys import KeysError

# Far beyond what anything here takes: only a hang gets there.
HANG_SECONDS = 60.0
SOON_SECONDS = 0.2
Serve = Callable[[socket.socket], None]


@dataclass
class Server:
    """Accepts connections on this machine and does to each what the test says; remembers what was sent."""

    serve: Serve = lambda _: None
    heads: list[bytes] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                connection.settimeout(HANG_SECONDS)
                with connection, suppress(OSError):
                    head = b""
                    # TLS begins with this byte and has no end of a head.
                    while b"\r\n\r\n" not in head and head[:1] != b"\x16" and (more := connection.recv(65536)):
                        head += more
                    self.heads.append(head)
                    self.serve(connection)
                    # Not before everything has been read, or what was sent could be lost.
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                self.gone.set()

    def url(self, scheme: str = "http") -> str:
        """Return where it is."""
        return f"{scheme}://127.0.0.1:{self.port}/oauth2/default/v1/keys"

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(HANG_SECONDS)


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server."""
    made = Server()
    yield made
    made.close()


def answer(body: bytes, status: str = "200 OK", *headers: str) -> Serve:
    """Return what sends a response."""
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""))
    return lambda connection: connection.sendall(head.encode() + body)


def reason_of(url: str, *, timeout_seconds: float = HANG_SECONDS) -> str:
    """Return why a fetch fails."""
    with pytest.raises(KeysError) as caught:
        fetch(url, timeout_seconds=timeout_seconds)
    return caught.value.reason


def test_the_body_is_returned_as_it_is(server: Server) -> None:
    """With a request as simple as can be."""
    server.serve = answer(b'{"keys": []}')
    assert fetch(server.url(), timeout_seconds=HANG_SECONDS) == b'{"keys": []}'
    lines = server.heads[0].decode().splitlines()
    assert lines[0] == "GET /oauth2/default/v1/keys HTTP/1.1"
    assert "Authorization" not in server.heads[0].decode()


def test_a_body_in_chunks_is_put_together(server: Server) -> None:
    """As many servers send it."""
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n1\r\n!\r\n0\r\n\r\n"
    server.serve = lambda connection: connection.sendall(chunks)
    assert fetch(server.url(), timeout_seconds=HANG_SECONDS) == b"{}\n!"


@pytest.mark.parametrize(
    "status", ["204 No Content", "301 Moved", "302 Found", "307 Again", "404 No", "500 Oh", "503 Busy"]
)
def test_any_other_status_is_a_failure_and_no_redirection_is_followed(server: Server, status: str) -> None:
    """APPSEC: keys come from the address of the settings alone."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)  # noqa: FBT003 - the library's own signature
        location = f"Location: http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        server.serve = answer(b"", status, location)
        assert reason_of(server.url()) == f"status-{status[:3]}"
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_a_body_at_the_limit_is_taken_and_one_beyond_is_not(server: Server) -> None:
    """To the byte."""
    server.serve = answer(b"x" * LIMIT_BYTES)
    assert len(fetch(server.url(), timeout_seconds=HANG_SECONDS)) == LIMIT_BYTES
    server.serve = answer(b"x" * (LIMIT_BYTES + 1))
    assert reason_of(server.url()) == "too-large"


def test_of_ten_megabytes_no_more_than_the_limit_is_read(server: Server) -> None:
    """An issuer cannot fill the memory; the sender notices that nobody listens any more."""
    server.serve = answer(b"x" * 10_000_000)
    assert reason_of(server.url()) == "too-large"
    assert server.gone.wait(HANG_SECONDS)


def drip(first: bytes, more: bytes) -> Serve:
    """Return what sends a beginning and then a little again and again, until nobody listens."""

    def send(connection: socket.socket) -> None:
        connection.sendall(first)
        connection.settimeout(0.02)
        while True:
            connection.sendall(more)
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    return send


SLOW = {
    "silence": lambda connection: connection.recv(1),
    "a status line without end": drip(b"HTTP/1.1 ", b"2"),
    "headers without end": drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "a body byte by byte": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "a body without a length": drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x"),
    "a chunk without end": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", b"x"),
    "another answer first, without end": drip(b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n"),
}


@pytest.mark.parametrize("serve", SLOW.values(), ids=SLOW)
def test_a_slow_issuer_does_not_hold_the_fetch(server: Server, serve: Serve) -> None:
    """The time is for all of it, however often a byte comes; then the connection is closed, and the thread ends."""
    server.serve = serve
    assert reason_of(server.url(), timeout_seconds=SOON_SECONDS) == "timeout"
    assert server.gone.wait(HANG_SECONDS)


@pytest.mark.usefixtures("_no_proxy")
def test_looks_that_never_end_do_not_pile_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """APPSEC: a proxy that never ends its answer holds a thread for each look; where four hang there is no fifth."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
    over = threading.Event()

    def hang(_: socket.socket) -> None:
        over.wait(HANG_SECONDS)

    server.serve = hang
    for _ in range(MAX_AT_WORK + 3):
        assert reason_of("https://issuer.example/v1/keys", timeout_seconds=SOON_SECONDS) == "timeout"
    at_work = [thread for thread in threading.enumerate() if thread.name == "usher-signing-keys-fetch"]
    over.set()
    assert 0 < len(at_work) <= MAX_AT_WORK
    for thread in at_work:
        thread.join(HANG_SECONDS)
    server.serve = answer(b"", "403 No")
    assert reason_of("https://issuer.example/v1/keys") == "unreachable"


BROKEN = {
    "nothing": lambda _: None,
    "no HTTP": lambda connection: connection.sendall(b"SSH-2.0-x\r\n"),
    "chunks that are none": lambda connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    ),
}


@pytest.mark.parametrize("serve", BROKEN.values(), ids=BROKEN)
def test_a_broken_issuer_is_unreachable(server: Server, serve: Serve) -> None:
    """One word for all of it; the log holds nothing of what it sent."""
    server.serve = serve
    assert reason_of(server.url()) == "unreachable"


def test_nobody_there_is_unreachable() -> None:
    """At once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert reason_of(f"http://127.0.0.1:{port}/keys") == "unreachable"


def test_a_host_that_cannot_be_one_is_unreachable() -> None:
    """Whatever the look-up makes of it."""
    assert reason_of("http://a..b/keys") == "unreachable"


def test_an_issuer_without_tls_is_told_so(server: Server) -> None:
    """TLS in the settings and none on the wire: no keys, and a reason that leads to it."""
    server.serve = answer(b"", "400 Bad Request")
    assert reason_of(server.url("https")) == "tls"


@dataclass(frozen=True)
class Tls:
    """A certificate for `issuer.example` and this machine, and the file of the authority that it is its own."""

    authority: Path
    context: ssl.SSLContext

    def behind_a_proxy(self, body: bytes) -> Serve:
        """Return what opens a tunnel and is the issuer at its other end, too."""

        def send(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self.context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True) as secured:
                secured.recv(65536)
                answer(body)(secured)

        return send


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Return a certificate that nobody trusts by himself."""
    key, name = ec_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("issuer.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return Tls(certificate, context)


@pytest.mark.usefixtures("_no_proxy")
def test_keys_come_through_a_proxy_and_tls(server: Server, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The issuer's certificate is judged at the end of the tunnel, by the name in the settings."""
    server.serve = tls.behind_a_proxy(b'{"keys": []}')
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{server.port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.authority))
    assert fetch("https://issuer.example/v1/keys", timeout_seconds=HANG_SECONDS) == b'{"keys": []}'
    assert reason_of("https://other.example/v1/keys") == "tls"


@pytest.mark.usefixtures("_no_proxy")
def test_a_certificate_that_is_not_trusted_brings_no_keys(
    server: Server, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APPSEC: who stands in between could let anybody in; there is no setting that allows it."""
    server.serve = tls.behind_a_proxy(b'{"keys": []}')
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{server.port}")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert reason_of("https://issuer.example/v1/keys") == "tls"


@pytest.fixture
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the proxies of whoever runs the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("_no_proxy")
def test_the_proxy_of_the_environment_is_asked_for_a_tunnel(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own credentials; it sees the issuer's name and nothing of the request."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://jo:p%40ss@127.0.0.1:{server.port}")
    server.serve = answer(b"", "407 Who are you")
    assert reason_of("https://issuer.example/v1/keys") == "unreachable"
    lines = server.heads[0].decode().split("\r\n")
    assert lines[0].startswith("CONNECT issuer.example:443 ")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'jo:p@ss').decode()}" in lines
    assert "/v1/keys" not in server.heads[0].decode()


@pytest.mark.usefixtures("_no_proxy")
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_a_host_that_is_excepted_is_asked_itself(server: Server, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As every other program does it."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)  # noqa: FBT003 - the library's own signature
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv(name, "127.0.0.1")
        reason_of(server.url("https"), timeout_seconds=SOON_SECONDS)
        with pytest.raises(BlockingIOError):
            proxy.accept()


@pytest.mark.usefixtures("_no_proxy")
def test_an_issuer_of_this_machine_is_asked_without_a_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TLS there is this machine alone."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    server.serve = answer(b"{}")
    assert fetch(server.url(), timeout_seconds=HANG_SECONDS) == b"{}"


@pytest.mark.usefixtures("_no_proxy")
def test_a_proxy_of_another_kind_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """And never a fetch past it."""
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    assert reason_of("https://issuer.example/v1/keys") == "proxy"
