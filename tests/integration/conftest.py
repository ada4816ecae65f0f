"""A real listener with a line that does as it is told, and clients that speak raw HTTP."""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPResponse, parse_headers
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fronts import authority, program
from tests.integration.installations import Distributions, Installation, build_twice, copy_of_checkout
from tests.integration.listening import listener_options
from tests.integration.shared_installation import shared_installation
from tests.integration.usher_process import UsherProcess
from usher.answer.reply import Reply
from usher.domain.decision import Outcome
from usher.web.app import create_hook_app
from usher.web.auth import HeaderAuthentication
from usher.web.serving import Listener

SECRET = "Basic c2VjcmV0"
# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 60.0


@dataclass
class Line:
    """Answers with the digest of what it got and blanks; while `may_answer` is cleared it holds its answers back."""

    calls: list[tuple[bytes, float]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_answer: threading.Event = field(default_factory=threading.Event)
    blanks: int = 0
    decision_id: str = "d-1"

    def __post_init__(self) -> None:
        self.may_answer.set()

    def answer(self, body: bytes, arrived: float, taken_up: float) -> Reply:
        """Remember the call, say that it is here, wait for leave."""
        self.calls.append((body, arrived))
        self.waits.append(taken_up - arrived)
        self.entered.release()
        self.may_answer.wait(PATIENCE_SECONDS)
        told = json.dumps({"digest": digest(body)}).encode() + b" " * self.blanks
        return Reply(200, told, self.decision_id, Outcome.DEFAULT)

    def undecided(self) -> Reply:
        """Return an answer that no other call gets."""
        return Reply(200, b'{"error":{"errorSummary":"undecided"}}', "d-0", Outcome.UNDECIDED)


@dataclass
class Refusals:
    """Remembers every refusal."""

    seen: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def refused(self, status: int) -> None:
        """Remember."""
        self.seen.append(status)

    def unauthenticated(self, reason: str) -> None:
        """Remember."""
        self.reasons.append(reason)


@dataclass(frozen=True)
class Answer:
    """One response as a client read it."""

    status: int
    headers: dict[str, str]
    body: bytes
    version: int

    @property
    def summary(self) -> str:
        """The summary of an Okta-shaped error body."""
        summary = json.loads(self.body)["error"]["errorSummary"]
        assert isinstance(summary, str)
        return summary


class Caller:
    """One connection."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=PATIENCE_SECONDS)

    def send(self, *parts: bytes) -> None:
        """Put bytes on the wire as they are."""
        for part in parts:
            self.socket.sendall(part)

    def read(self) -> Answer:
        """Read one response; further ones stay for the next call."""
        return answers_in(self.socket, 1)[0]

    def read_several(self, count: int) -> Sequence[Answer]:
        """Read responses that may have come in one packet."""
        return answers_in(self.socket, count)

    def is_closed(self) -> bool:
        """Wait for the other side to close; say whether it did so without another byte."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


@dataclass
class HookService:
    """A running hook listener, what stands behind it, and connections to it."""

    listener: Listener
    line: Line
    refusals: Refusals
    callers: list[Caller] = field(default_factory=list)

    @staticmethod
    def raw(
        body: bytes = b"{}", *headers: str, line: str = "POST /okta/import HTTP/1.1", length: object = None
    ) -> bytes:
        """Return a call as Okta would send it, with further headers and perhaps another length than the body's."""
        declared = len(body) if length is None else length
        usual = (line, "Host: hook", f"Authorization: {SECRET}", "Content-Type: application/json")
        return "\r\n".join((*usual, f"Content-Length: {declared}", *headers, "", "")).encode() + body

    @staticmethod
    def expected(body: bytes = b"{}") -> bytes:
        """Return what the line answers to a body."""
        return json.dumps({"digest": digest(body)}).encode()

    def connect(self) -> Caller:
        """Open a connection that the fixture closes."""
        caller = Caller(*self.listener.address)
        self.callers.append(caller)
        return caller

    def ask(self, raw: bytes) -> Answer:
        """Send bytes on a fresh connection and read one response."""
        caller = self.connect()
        caller.send(raw)
        return caller.read()

    def close(self) -> None:
        """End everything, whatever state the test has left it in."""
        self.line.may_answer.set()
        for caller in self.callers:
            caller.close()
        self.listener.stop()


class _Stream:
    """Poses as a socket to http.client, which closes after each response what the next one still needs."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> "_Stream":
        return self

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class BreakingUpstream:
    """An upstream that hangs up on the second call of its first connection, and serves every other."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.address: tuple[str, int] = self._listening.getsockname()
        self.bodies: list[bytes] = []

    def start(self) -> None:
        """Serve three calls on a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Wait for the three calls."""
        self._thread.join(PATIENCE_SECONDS)
        self._listening.close()

    def _serve(self) -> None:
        self._listening.settimeout(PATIENCE_SECONDS)
        for calls in (2, 1):
            connection, _ = self._listening.accept()
            with connection, connection.makefile("rb") as stream:
                for call in range(calls):
                    stream.readline()
                    head = parse_headers(stream)
                    self.bodies.append(stream.read(int(head["Content-Length"])))
                    if call == 0:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def answers_in(connection: socket.socket, count: int) -> Sequence[Answer]:
    """Read as many responses as said."""
    found = []
    with connection.makefile("rb") as stream:
        for _ in range(count):
            response = HTTPResponse(_Stream(stream))  # type: ignore[arg-type]  # all it needs of a socket is makefile
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            found.append(Answer(response.status, headers, response.read(), response.version))
    return found


def digest(body: bytes) -> str:
    """Return what the line answers for a body."""
    return hashlib.sha256(body).hexdigest()


Serve = Callable[..., HookService]


@pytest.fixture
def serve_hook() -> Iterator[Serve]:
    """Start hook listeners with the options a test wants; all of them end with it."""
    services: list[HookService] = []

    def start(**options: Any) -> HookService:
        line, refusals = Line(), Refusals()
        hosting = listener_options(**options)
        authentication = HeaderAuthentication("Authorization", [SECRET.encode()])
        app = create_hook_app(line, authentication, refusals=refusals, body_limit_bytes=hosting.body_limit_bytes)
        listener = Listener(app, hosting, refusals=refusals)
        listener.start()
        services.append(HookService(listener, line, refusals))
        return services[-1]

    yield start
    for service in services:
        service.close()


@pytest.fixture
def hook_service(serve_hook: Serve) -> HookService:
    """Return a hook listener with the options of the shipped settings."""
    return serve_hook()


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Build wheel and sdist once for all tests."""
    return build_twice(copy_of_checkout(tmp_path_factory.mktemp("built") / "clone"))


@pytest.fixture(scope="session")
def wheel_installation(request: pytest.FixtureRequest) -> Installation:
    """Return an environment with the wheel in it; what is served in these tests is what will be installed."""
    return shared_installation(request.config.cache.mkdir("usher-installation"))


StartUsher = Callable[..., UsherProcess]


@pytest.fixture
def start_usher(wheel_installation: Installation, tmp_path: Path) -> Iterator[StartUsher]:
    """Start the installed `usher` with arguments and variables, in a folder of the test; all of them end with it."""
    with ExitStack() as started:

        def start(*arguments: str, **environ: str) -> UsherProcess:
            process = UsherProcess([wheel_installation.usher, *arguments], tmp_path, **environ)
            started.callback(process.clear_away)
            return process

        yield start


@pytest.fixture
def breaking_upstream() -> Iterator[BreakingUpstream]:
    """Return an upstream that breaks its second call's connection."""
    upstream = BreakingUpstream()
    upstream.start()
    yield upstream
    upstream.close()


@pytest.fixture(scope="session")
def nginx_program() -> str:
    """Return nginx."""
    return program("nginx", "nginx-light")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an authority made for this run (ca.crt) and a certificate it signed (usher.crt, .key)."""
    return authority(tmp_path_factory.mktemp("tls")).folder
