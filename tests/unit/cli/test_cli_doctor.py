"""`usher doctor`: what it makes of servers that are late, odd or hostile, and of wrong options and settings."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from usher.bootstrap.schemas import load_schemas
from usher.cli import doctor_calls
from usher.cli.doctor_calls import Caller, CallError, Target
from usher.cli.doctor_front import trust
from usher.cli.doctor_hook import Credentials, HookChecks
from usher.shapes import Shape

Run = Callable[..., Result]

SECRET = "a-long-enough-secret-for-the-hook"
PATIENCE_SECONDS = 30


class Elsewhere(Target):
    """A target that stands for another machine, wherever it is."""

    @property
    def is_here(self) -> bool:
        """Say no."""
        return False


@dataclass
class Stub:
    """A hook as it should be, but for what a test changes; remembers what it was sent."""

    port: int = 0
    answer: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"X-Usher-Decision": "d-1"})
    late: threading.Event | None = None
    clock_ahead_seconds: int = 0
    secrets: tuple[str, ...] = (SECRET,)
    seen: list[tuple[str, bytes]] = field(default_factory=list)

    def status(self, method: str, path: str, credential: str | None, length: int) -> int:
        """Return what Usher would say."""
        if length > 1_048_576:
            return 413
        if credential is None:
            return 401
        if credential.removeprefix("Bearer ") not in self.secrets:
            return 403
        return 200 if (method, path) == ("POST", "/okta/import") else 404


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Return a hook on a free port of this machine."""
    fake = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            credential = self.headers.get("Authorization")
            status = fake.status(self.command, self.path, credential, length)
            if status == 200 and self.headers.get("Content-Type") == "text/plain":
                status = 415
            fake.seen.append((credential or "", body))
            if fake.late and status == 200:
                fake.late.wait(PATIENCE_SECONDS)
            said = fake.answer if status == 200 else b"{}"
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + fake.clock_ahead_seconds, usegmt=True))
            more = fake.headers if status == 200 else {}
            for name, value in {"Content-Length": str(len(said)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Say nothing: a caller who has gone is what some tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        fake.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield fake
        server.shutdown()


@pytest.fixture
def doctor(run: Run, folder: Path, stub: Stub) -> Callable[..., Result]:
    """Return what examines that hook from outside; no output ever holds the secret."""
    (folder / "secret").write_text(SECRET, encoding="ascii")
    (folder / "usher.toml").write_text('[auth]\nsecret_files = ["secret"]\n', encoding="utf-8")

    def call(*arguments: str, expected: int = 0, url: str = "http://127.0.0.1:{}/okta/import") -> Result:
        result = run("doctor", "--outside", "--url", url.format(stub.port), *arguments, expected=expected)
        assert SECRET not in result.output + str(result.exception)
        return result

    return call


def test_a_hook_as_it_should_be(doctor: Callable[..., Result], stub: Stub) -> None:
    """No fault; the decision is asked for twice, for two events that end in a link."""
    assert "fault" not in doctor().stdout
    asked = [json.loads(body) for credential, body in stub.seen if credential == SECRET]
    assert [(event["data"]["action"], event["data"]["appUser"]["profile"]["externalId"]) for event in asked] == [
        ({"result": "LINK_USER"}, "usher-doctor")
    ] * 2
    assert len({event["eventId"] for event in asked}) == 2


@pytest.fixture
def shape(root: Path) -> Shape:
    """Return what an answer must be."""
    return load_schemas(root / "schemas").response


def found(stub: Stub, shape: Shape, *secrets: str, target: type[Target] = Target, seconds: float = 4) -> list[str]:
    """Return what is found of the hook by who has these secrets."""
    caller = Caller(target("127.0.0.1", stub.port, is_tls=False), trust(None), call_seconds=seconds)
    return [str(finding) for finding in HookChecks(caller, Credentials("Authorization", secrets), 2**20, shape).all()]


def test_an_answer_that_does_not_come(stub: Stub, shape: Shape) -> None:
    """The patience of one call ends, the other checks are made nevertheless."""
    stub.late = threading.Event()
    told = found(stub, shape, SECRET, target=Elsewhere, seconds=0.5)
    stub.late.set()
    assert (
        "fault    decision: nothing complete came within 0.5 s; Okta gives up after 3 s: see the service's log" in told
    )
    assert "ok       clock: within 1 s of this machine's" in told


def test_all_checks_together_have_their_limit(stub: Stub) -> None:
    """However many are late, it ends: no call begins when the time is over."""
    moments = iter([0.0, doctor_calls.HOOK_SECONDS + 1])
    caller = Caller(Target("127.0.0.1", stub.port, is_tls=False), trust(None), clock=lambda: next(moments))
    with pytest.raises(CallError, match="no time is left"):
        caller.open()
    assert stub.seen == []
    assert doctor_calls.HOOK_SECONDS + doctor_calls.OPERATIONS_SECONDS < 30


OTHER = "another-secret-of-the-same-hook"


@pytest.mark.parametrize("secrets", [(SECRET, OTHER), (OTHER, SECRET)])
def test_each_secret_is_tried(
    doctor: Callable[..., Result], folder: Path, stub: Stub, secrets: tuple[str, ...]
) -> None:
    """While one is changed for another, a service that has missed either is found out; one asks for decisions."""
    for name, secret in zip("ab", secrets, strict=True):
        (folder / name).write_text(secret, encoding="ascii")
    both = ("--set", "auth.secret_files=a,b")
    told = doctor(*both, expected=1).stdout
    assert f"fault    credential: secret {secrets.index(OTHER) + 1} of 2 is refused (403); restart the service" in told
    assert "ok       decision: answered with 200" in told
    stub.secrets = secrets
    told = doctor(*both).stdout
    assert "ok       credential: each of the 2 secrets is taken" in told
    assert [secret for secret in secrets if secret in told] == []
    assert len([body for _, body in stub.seen if b"LINK_USER" in body]) == 4
    stub.secrets = ()
    told = doctor(*both, expected=1).stdout
    assert (told.count("fault    credential: "), "decision: " in told) == (2, False)


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (120, r"fault    clock: 1(19|20|21) s ahead of"),
        (-120, r"fault    clock: 1(19|20|21) s behind"),
        (0, r"ok       clock: within [12] s"),
    ],
)
def test_the_clock(stub: Stub, shape: Shape, ahead: int, told: str) -> None:
    """More than half a minute apart is a fault, whoever of the two is right."""
    stub.clock_ahead_seconds = ahead
    (line,) = [line for line in found(stub, shape, SECRET, target=Elsewhere) if " clock: " in line]
    assert re.match(told, line)


def test_a_clock_is_not_compared_with_itself(doctor: Callable[..., Result]) -> None:
    """On the service's own machine the two could not differ."""
    assert "skipped  clock: it is this machine's own: ask from another one" in doctor().stdout


def test_what_is_here(stub: Stub, run: Run, folder: Path) -> None:
    """This machine's addresses are, whichever a service listens on, so that a secret stays within; no other is."""
    del folder
    own = {str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None)}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        own.add(str(probe.getsockname()[0]))
    own = {address for address in own if "%" not in address}
    assert [address for address in own if not Target(address, stub.port, is_tls=False).guards_secrets] == []
    for other in ("192.0.2.1", "2001:db8::1", "hooks.example.com"):
        assert not Target(other, stub.port, is_tls=False).guards_secrets
    for address in own:
        told = run(
            "doctor", "--outside", "--set", f"server.host={address}", "--set", "server.port=9", expected=1
        ).stdout
        assert told.endswith(
            "; is the service running?\nskipped  hook: nothing is sent there before that is mended\n"
            "skipped  operations: only the service's own machine can ask\n"
        )


@pytest.mark.parametrize(
    ("answer", "headers", "code", "told"),
    [
        (b"{}", {}, 1, "fault    answer: it carries no X-Usher-Decision"),
        (b"<html>", None, 1, "fault    answer: it is not JSON"),
        (b"[]", None, 1, "fault    answer: it is no JSON object of a size that Okta takes"),
        (b'{"debugContext":"' + b"x" * 256_000 + b'"}', None, 1, "fault    answer: it is no JSON object of a size"),
        (b'{"commands":7}', None, 1, "fault    answer: the answer breaks the response schema at $.commands"),
        (
            b'{"error":{"errorSummary":"Usher could not decide this import; resolve it by hand."}}',
            None,
            1,
            "fault    answer: decision d-1 is undecided",
        ),
        (b'{"error":{"errorSummary":"held"}}', None, 0, "warning  answer: decision d-1 is an error; a policy holds"),
        (b"{}", {"X-Usher-Decision": "\x1b[2Jd"}, 0, "ok       answer: no change, decision ?[2Jd,"),
    ],
)
def test_an_answer_is_looked_at(
    doctor: Callable[..., Result], stub: Stub, *, answer: bytes, headers: dict[str, str] | None, code: int, told: str
) -> None:
    """What Okta could not use, or what is not Usher's, is a fault; what a server says cannot steer the terminal."""
    stub.answer, stub.headers = answer, stub.headers if headers is None else headers
    assert told in doctor(expected=code).stdout


def test_a_service_that_lets_everybody_in(doctor: Callable[..., Result], stub: Stub) -> None:
    """Nothing is worse, and nothing is easier to overlook."""
    stub.status = lambda *_: 200  # type: ignore[method-assign]  # what differs in this test
    told = doctor(expected=1).stdout
    assert "fault    without a credential: it was let in" in told
    assert "fault    wrong credential: answered with 200 instead of 403" in told
    assert "fault    large body: 1048577 bytes are answered with 200 instead of 413" in told
    assert "fault    operations from outside: GET /status is answered with 200" in told


def test_a_page_that_somebody_else_serves(doctor: Callable[..., Result], stub: Stub) -> None:
    """A proxy's own page is not taken for a service without authentication."""
    stub.status = lambda *_: 200  # type: ignore[method-assign]  # what differs in this test
    stub.headers = {}
    assert "without a credential: answered with 200, and not by Usher" in doctor(expected=1).stdout


def test_a_secret_is_never_sent_in_clear_over_a_network(doctor: Callable[..., Result], stub: Stub) -> None:
    """Plain HTTP to another machine is a fault by itself, and nothing is sent at all."""
    for host in ("hooks.example.com", "127.0.0.1.example.com", "localhost.example.com"):
        told = doctor(expected=1, url=f"http://{host}:{{}}/okta/import").stdout
        assert "fault    tls: http:// sends profiles and the secret in clear" in told
        assert "skipped  hook: nothing is sent there before that is mended" in told
    assert stub.seen == []


def test_without_a_secret_the_rest_is_checked(run: Run, folder: Path, stub: Stub) -> None:
    """From a machine that has no secret, all that strangers can see is looked at."""
    del folder
    told = run("doctor", "--outside", "--url", f"http://localhost:{stub.port}/okta/import").stdout
    assert "skipped  decision: these settings name no secret that is set" in told
    assert "ok       wrong credential: refused (403)" in told


@pytest.mark.parametrize("by_file", [True, False])
def test_a_token_of_oauth(
    run: Run, folder: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch, *, by_file: bool
) -> None:
    """With OAuth 2.0 a token is given by file or variable; without one the decision is skipped."""
    (folder / "usher.toml").write_text(
        '[auth]\nmode = "oauth2"\nissuer = "https://id.example.com"\nclient_ids = ["c"]\nscopes = ["s"]\n', "utf-8"
    )
    arguments = ["doctor", "--outside", "--url", f"http://localhost:{stub.port}/okta/import"]
    assert "skipped  decision: give a token by --token-file or USHER_DOCTOR_TOKEN" in run(*arguments).stdout
    if by_file:
        (folder / "token").write_text(f"{SECRET}\n", encoding="ascii")
        arguments += ["--token-file", "token"]
    else:
        monkeypatch.setenv("USHER_DOCTOR_TOKEN", SECRET)
    told = run(*arguments).stdout
    assert ("ok       answer" in told, SECRET in told) == (True, False)
    assert f"Bearer {SECRET}" in [credential for credential, _ in stub.seen]


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com/okta/import",
        "ftp://hooks.example.com/okta/import",
        "https://hooks.example.com",
        "https://hooks.example.com/okta/import/",
        "https://hooks.example.com/okta/import?x=1",
        "https://user@hooks.example.com/okta/import",
        "https://hooks.example.com:x/okta/import",
        "https://hööks.example.com/okta/import",
        "https://a;b/okta/import",
        "https://h(x)/okta/import",
        "https://*.example.com/okta/import",
        "https://hooks.example.com:0/okta/import",
        "https://hooks.example.com:/okta/import",
        "https://hooks.example.com/okta/import?",
        "https://hooks.example.com:44\n3/okta/import",
        " https://hooks.example.com/okta/import",
        "https://hooks example.com/okta/import",
    ],
)
def test_an_address_that_okta_could_not_call_is_misuse(run: Run, url: str) -> None:
    """One line says what to write; exit 2."""
    result = run("doctor", "--url", url, expected=2)
    assert str(result.exception).startswith("--url: ")


def test_other_misuse(run: Run, folder: Path) -> None:
    """Files that cannot be read, and a port that could be any."""
    (folder / "empty").write_text("", encoding="ascii")
    assert "--ca-file" in run("doctor", "--ca-file", "none.crt", expected=2).stderr
    assert "--ca-file" in run("doctor", "--ca-file", "empty", expected=2).stderr
    assert "server.port is 0" in run("doctor", "--set", "server.port=0", expected=2).stderr


def test_operations_whose_port_could_be_any(run: Run, folder: Path, stub: Stub) -> None:
    """It is said, and nobody is asked at port 0."""
    del folder
    arguments = ("--url", f"http://localhost:{stub.port}/okta/import", "--set", "server.operations_port=0")
    told = run("doctor", *arguments, expected=1).stdout
    assert "fault    operations: server.operations_port is 0, so any port; say by --set" in told
    assert " files: " in told


def test_settings_that_do_not_load_are_a_fault(run: Run, folder: Path) -> None:
    """Each problem has its line, as at the start of the service."""
    (folder / "usher.toml").write_text("[server]\nport = 'x'\nprot = 1\n", encoding="utf-8")
    lines = run("doctor", expected=1).stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["fault    settings"] * 2


def test_a_credential_does_not_show_itself() -> None:
    """Not even where somebody prints the object."""
    assert SECRET not in repr(Credentials("Authorization", (SECRET,)))


def test_every_check_has_its_row_in_the_documentation(root: Path) -> None:
    """Who reads a line finds what it means, and nothing is explained that is never said."""
    said: set[str] = set()
    for path in sorted((root / "service" / "usher" / "cli").glob("doctor*.py")):
        text = path.read_text(encoding="utf-8")
        said.update(re.findall(r'\b(?:ok|warning|fault|skipped|_soon)\(\s*"([^"]+)"', text))
        said.update(re.findall(r'\bname(?:, \w+)* = "([^"]+)"', text))
    page = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("\n| check | a fault is |")[2].partition("\n\n")[0]
    rows = [
        name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall("`([^`]+)`", row)
    ]
    assert len(said) > 15
    assert sorted(rows) == sorted(said | {"ledger", "directory"})
