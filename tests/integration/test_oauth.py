"""OAuth 2.0 for the hook, the real service and an issuer this project did not write: who gets in and who does not."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.integration.oauth_issuer import Issuer, tell_absence
from tests.integration.payloads import GUIDE_CASE, GUIDE_LOGIN
from tests.integration.usher_process import Answer, Caller, UsherProcess
from tests.oauth_tokens import (
    CLIENT_ID,
    SCOPE,
    claims,
    private_jwk,
    public_jwk,
    rsa_key,
    signed_with_the_public_key,
    token,
    unsigned,
)

USHER = Path(sys.executable).with_name("usher")
RELOAD_SECRET = "a secret for reloads alone"
PAUSE_SECONDS = 1.0
FLOOD_SECONDS = 3.0
OKTA_WAITS_SECONDS = 3.0
A_THOUSAND_A_SECOND = 1 / 500  # for each of two
# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 60.0


def settings(issuer: str, **more: object) -> str:
    """Return a settings file for tokens of an issuer; strings are TOML's as they are JSON's."""
    auth = {"mode": "oauth2", "issuer": issuer, "client_ids": [CLIENT_ID], "scopes": [SCOPE], **more}
    return "[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in auth.items())


@dataclass(frozen=True)
class Service:
    """A running service and a body that it decides by commands."""

    process: UsherProcess
    body: bytes = GUIDE_CASE.read_bytes()

    def ask(self, text: str) -> Answer:
        """Call the hook with a token."""
        return self.process.post(self.body, Authorization=f"Bearer {text}")

    def status_of(self, text: str) -> int:
        """Call the hook with a token; every answer is a decision or an error of Okta's shape."""
        answer = self.ask(text)
        assert ("x-usher-decision" in answer.headers) == (answer.status == 200)
        if answer.status != 200:
            assert "errorSummary" in answer.body.decode()
            assert text not in answer.body.decode()
        return answer.status

    def refusals(self) -> dict[str, float]:
        """Return what has been counted, by reason."""
        found = {}
        for line in self.process.get("/metrics").body.decode().splitlines():
            if line.startswith("usher_authentication_failures_total{"):
                found[line.split('"')[1]] = float(line.rpartition(" ")[2])
        return found

    def authentication(self) -> dict[str, Any]:
        """Return what `/status` tells of the keys."""
        told = self.process.get("/status").json["authentication"]
        assert isinstance(told, dict)
        return told

    def wait_until(self, is_so: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until `/status` tells something of the keys."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so(self.authentication()):
            assert time.monotonic() < deadline, self.authentication()
            time.sleep(0.02)

    def wait_until_failing(self, reason: str | None) -> None:
        """Wait until fetches fail for a reason, or no longer."""
        self.wait_until(lambda told: told["failure"] == reason)


def test_a_missing_issuer_is_a_skip_and_a_failure_where_everything_must_be_there() -> None:
    """A run without node says so; a run that proves everything must not skip it."""
    with pytest.raises(pytest.skip.Exception, match="nodejs npm"):
        tell_absence({})
    with pytest.raises(pytest.fail.Exception, match="nodejs npm"):
        tell_absence({"CI": "true"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """Return an issuer with a key of its own and one that the tests have, too."""
    with Issuer() as running:
        running.generate()
        running.add(private_jwk(rsa_key(), "k1", alg="RS256", use="sig"))
        yield running


Start = Callable[..., Service]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start services with settings and variables; all of them end with the module."""
    started: list[UsherProcess] = []

    def begin(text: str, **environ: str) -> Service:
        folder = tmp_path_factory.mktemp("service")
        (folder / "usher.toml").write_text(text, encoding="utf-8")
        # The shipped policies pass their tests elsewhere; here they would only make each start longer.
        process = UsherProcess([USHER, "serve", "--set", "policies.gate=off"], folder, **environ)
        started.append(process)
        process.wait_until_ready()
        return Service(process)

    yield begin
    for process in started:
        process.clear_away()


@pytest.fixture(scope="module")
def service(issuer: Issuer, start: Start) -> Service:
    """Return a service that takes tokens of the issuer."""
    return start(settings(issuer.url, jwks_pause_seconds=PAUSE_SECONDS))


def own(issuer: Issuer, **changed: object) -> dict[str, Any]:
    """Return claims as the issuer makes them."""
    return claims(**{"iss": issuer.url, **changed})


def test_a_token_got_by_client_credentials_opens_the_hook(service: Service, issuer: Issuer) -> None:
    """Whichever of its keys the issuer signs with; and the service is ready."""
    for _ in range(2):
        assert service.status_of(issuer.token()) == 200
    assert service.process.get("/health/ready").status == 200
    told = service.authentication()
    assert (told["keys"], told["failure"]) == (2, None)


def test_the_issuers_tokens_for_others_do_not(service: Service, issuer: Issuer) -> None:
    """Another client of the same authorization server, and the same client for another purpose."""
    before = service.refusals()
    assert service.status_of(issuer.token(client_id="0oa-other")) == 403
    assert service.status_of(issuer.token(scope="openid profile")) == 403
    after = service.refusals()
    assert after["wrong-client"] - before.get("wrong-client", 0) == 1
    assert after["wrong-scope"] - before.get("wrong-scope", 0) == 1


def test_forged_tokens_are_refused_each_for_its_reason(service: Service, issuer: Issuer) -> None:
    """All through the real listener, one after another on one service."""
    now = int(time.time())
    key = rsa_key()
    forged = {
        "wrong-signature": [token(rsa_key("other"), own(issuer)), token(key, own(issuer)).rpartition(".")[0] + "."],
        "wrong-algorithm": [
            unsigned(own(issuer)),
            signed_with_the_public_key(key, own(issuer)),
            token(key, own(issuer), algorithm="RS512"),
        ],
        "expired": [token(key, own(issuer, exp=now - 60))],
        "not-yet-valid": [token(key, own(issuer, nbf=now + 600)), token(key, own(issuer, iat=now + 600))],
        "wrong-issuer": [token(key, claims())],
        "wrong-audience": [token(key, own(issuer, aud="api://other"))],
        "wrong-client": [token(key, own(issuer, cid="0oa-other"))],
        "wrong-scope": [token(key, own(issuer, scp=["other"]))],
        "malformed": ["no-token", "a.b.c", "a.b.c.d.e", token(key, own(issuer, exp=None))],
        "too-long": [f"{'a' * 5000}.{'b' * 5000}.c"],
    }
    assert service.status_of(token(key, own(issuer))) == 200
    before = service.refusals()
    for reason, texts in forged.items():
        assert [service.status_of(text) for text in texts] == [403] * len(texts), reason
    after = service.refusals()
    assert {reason: after[reason] - before.get(reason, 0) for reason in forged} == {
        reason: len(texts) for reason, texts in forged.items()
    }


def test_no_token_is_401_and_says_what_is_wanted(service: Service) -> None:
    """With RFC 6750's challenge."""
    answer = service.process.post(service.body, Authorization="")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="usher"')


def test_a_token_of_a_megabyte_is_not_even_read(service: Service, issuer: Issuer) -> None:
    """The listener's own limit comes first; the service goes on."""
    head = f"POST /okta/import HTTP/1.1\r\nHost: hook\r\nAuthorization: Bearer {'a.' * 500_000}\r\n\r\n"
    with socket.create_connection(service.process.hook, timeout=PATIENCE_SECONDS) as connection:
        with suppress(ConnectionError):  # it may be told to go before it has said everything
            connection.sendall(head.encode())
        assert connection.recv(12).split() == [b"HTTP/1.0", b"431"]
    assert service.status_of(issuer.token()) == 200


def test_addresses_of_keys_in_a_token_lead_nowhere(service: Service, issuer: Issuer) -> None:
    """APPSEC: `jku`, `x5u` and `jwk` are the sender's word; nobody is asked, and the signature is judged as ever."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)  # noqa: FBT003 - the library's own signature
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/keys"
        mine = rsa_key("other")
        brought: dict[str, Any] = {"jku": url, "x5u": url, "jwk": public_jwk(mine, "k1")}
        assert service.status_of(token(mine, own(issuer), **brought)) == 403
        assert service.status_of(token(mine, own(issuer), key_id="k8", **brought)) == 403
        assert service.status_of(token(rsa_key(), own(issuer), **brought)) == 200
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_a_key_that_comes_into_use_is_taken_by_all_callers_at_once(issuer: Issuer, start: Start) -> None:
    """The issuer rotates: four calls meet, none is refused, the keys are fetched once; tokens of older keys go on."""
    service = start(settings(issuer.url))
    old = issuer.token()
    assert service.status_of(old) == 200
    fetches = issuer.fetches
    new = issuer.generate()
    texts = [text for text in (issuer.token() for _ in range(6)) if jwt.get_unverified_header(text)["kid"] == new]
    with ThreadPoolExecutor(4) as callers:
        assert list(callers.map(service.status_of, texts[:1] * 4)) == [200] * 4
    assert issuer.fetches - fetches == 1
    assert {service.status_of(text) for text in (old, texts[0], issuer.token())} == {200}
    assert issuer.fetches - fetches == 1


@dataclass
class KeyServer:
    """Publishes whatever it is told to; while `may_answer` is cleared, nothing."""

    body: bytes
    url: str = ""
    may_answer: threading.Event = field(default_factory=threading.Event)


@contextmanager
def published(body: bytes, *, port: int = 0) -> Iterator[KeyServer]:
    """Publish keys on this machine for as long as the block runs."""
    told = KeyServer(body)
    told.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.may_answer.wait(PATIENCE_SECONDS)
            with suppress(ConnectionError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield told
        finally:
            told.may_answer.set()
            server.shutdown()
            thread.join(PATIENCE_SECONDS)


def public_keys(*names: str) -> bytes:
    """Return a set in which each name is the usual key's."""
    return json.dumps({"keys": [public_jwk(rsa_key(), name) for name in names]}).encode()


class Flood:
    """A stranger on a connection of its own, who names a key that does not exist in each of very many calls."""

    def __init__(self, address: tuple[str, int], *, seconds: float) -> None:
        self._address = address
        self._seconds = seconds
        self._text = token(rsa_key("other"), key_id="KEYID")
        self.statuses: dict[int, int] = {}
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        head, _, rest = self._text.partition(".")
        header = jwt.utils.base64url_decode(head).decode()
        begun = time.monotonic()
        with Caller(self._address) as caller:
            while time.monotonic() - begun < self._seconds:
                count = sum(self.statuses.values())
                named = jwt.utils.base64url_encode(header.replace("KEYID", f"k{id(self)}{count}").encode()).decode()
                status = caller.post(b"{}", Authorization=f"Bearer {named}.{rest}").status
                self.statuses[status] = self.statuses.get(status, 0) + 1
                time.sleep(max(0.0, begun + count * A_THOUSAND_A_SECOND - time.monotonic()))


def slowest_beside(floods: list[Flood], service: Service, genuine: str) -> float:
    """Call with a good token as long as strangers call, and see every call decided; return the longest time it took."""
    slowest = 0.0
    for flood in floods:
        flood.thread.start()
    with Caller(service.process.hook) as caller:
        while any(flood.thread.is_alive() for flood in floods):
            begun = time.monotonic()
            answer = caller.post(service.body, Authorization=f"Bearer {genuine}")
            slowest = max(slowest, time.monotonic() - begun)
            assert (answer.status, answer.login) == (200, GUIDE_LOGIN)
    for flood in floods:
        flood.thread.join(PATIENCE_SECONDS)
        assert flood.statuses.keys() <= {403, 503}
    return slowest


def test_unknown_keys_a_thousand_times_a_second_hold_nobody_up(
    service: Service, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    """APPSEC: genuine calls are all answered, in time, and the issuer is asked once in each pause."""
    genuine = issuer.token()
    fetches = issuer.fetches
    floods = [Flood(service.process.hook, seconds=FLOOD_SECONDS) for _ in range(2)]
    assert slowest_beside(floods, service, genuine) < OKTA_WAITS_SECONDS
    refused = sum(flood.statuses[403] for flood in floods)
    with capsys.disabled():
        print(f"\nUnknown keys: {refused / FLOOD_SECONDS:.0f} a second, {issuer.fetches - fetches} fetches")
    assert refused > (500 if os.environ.get("USHER_LONG_TESTS") else 100) * FLOOD_SECONDS
    assert 1 <= issuer.fetches - fetches <= FLOOD_SECONDS / PAUSE_SECONDS + 2


def test_strangers_and_an_issuer_that_hangs_hold_nobody_up_for_long(start: Start) -> None:
    """APPSEC: more of them than there are workers, all with unknown keys, while no fetch of the keys ever ends."""
    with published(public_keys("k1")) as keys:
        service = start(settings(keys.url, jwks_pause_seconds=PAUSE_SECONDS))
        genuine = token(rsa_key(), claims(iss=keys.url))
        assert service.status_of(genuine) == 200
        keys.may_answer.clear()
        floods = [Flood(service.process.hook, seconds=1.5) for _ in range(12)]
        assert slowest_beside(floods, service, genuine) < OKTA_WAITS_SECONDS
        assert {status for flood in floods for status in flood.statuses} == {503}


def test_a_start_without_the_issuer_is_loud_unready_and_heals(start: Start) -> None:
    """It starts all the same, answers 503 until there are keys, and needs no restart."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    service = start(settings(f"http://127.0.0.1:{port}", jwks_refresh_seconds=0.1))
    service.wait_until_failing("unreachable")
    assert "error" in service.process.err.until("signing_keys_failed")
    ready = service.process.get("/health/ready")
    checks = ready.json["checks"]
    assert isinstance(checks, dict)
    assert (ready.status, [name for name, is_fine in checks.items() if not is_fine]) == (503, ["authentication"])
    assert service.status_of(token(rsa_key(), claims())) == 503
    with published(public_keys("k1"), port=port):
        service.wait_until(lambda told: told["keys"] == 1)
        assert service.process.get("/health/ready").status == 200
        assert service.status_of(token(rsa_key(), claims(iss=f"http://127.0.0.1:{port}"))) == 200
    assert "keys=1" in service.process.err.until("signing_keys_fetched")


BAD_SETS = {
    "not JSON": (b"<html>", "not-json"),
    "no keys": (b'{"keys": []}', "no-keys"),
    "ten megabytes": (b" " * 10_000_000, "too-large"),
}


def test_keys_outlive_what_is_no_set_of_keys_and_the_issuer_itself(start: Start) -> None:
    """Whatever is published, the old ones stay; a good set counts again, and who is not in it is no longer believed.

    While the issuer is down its keys go on, also for tokens not seen before; an unknown key gets a 503, after which
    Okta tries once more.
    """
    with published(public_keys("k1", "k2")) as keys:
        service = start(settings(keys.url, jwks_refresh_seconds=0.1, jwks_pause_seconds=0.1))
        first, second = (token(rsa_key(), claims(iss=keys.url), key_id=name) for name in ("k1", "k2"))
        assert (service.status_of(first), service.status_of(second)) == (200, 200)
        for body, reason in BAD_SETS.values():
            keys.body = body
            service.wait_until_failing(reason)
            assert service.status_of(first) == 200
        keys.body = public_keys("k1")
        service.wait_until_failing(None)
        assert (service.status_of(first), service.status_of(second)) == (200, 403)
    service.wait_until_failing("unreachable")
    assert "signing_keys_failed" in service.process.err.until("signing_keys_failed")
    assert service.status_of(token(rsa_key(), claims(iss=keys.url, jti="another"))) == 200
    assert service.status_of(token(rsa_key("other"), claims(iss=keys.url), key_id="k9")) == 503
    assert service.process.get("/health/ready").status == 200
    assert service.process.stop() == 0


def reload_status(service: Service, credential: str) -> int:
    """Ask for a reload."""
    headers = {"Authorization": credential} if credential else {}
    with Caller(service.process.operations) as caller:
        return caller.ask("POST", "/reload", b"", headers).status


def usher_reload(service: Service, secret: str = "") -> subprocess.CompletedProcess[str]:
    """Run `usher reload` with the service's settings."""
    _, port = service.process.operations
    more = {"USHER_SERVER_OPERATIONS_PORT": str(port)} | ({"USHER_SECRET": secret} if secret else {})
    return subprocess.run(
        [USHER, "reload"],
        cwd=service.process.folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("USHER_")} | more,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_a_reload_takes_a_token_like_the_hooks_where_there_is_no_secret(service: Service, issuer: Issuer) -> None:
    """Which `usher reload` cannot get: it says what to set up."""
    assert reload_status(service, f"Bearer {issuer.token()}") == 200
    assert reload_status(service, f"Bearer {token(rsa_key('other'), own(issuer))}") == 403
    assert reload_status(service, "") == 401
    ran = usher_reload(service)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "name a secret in auth.secret_files or auth.secret_variables" in ran.stderr


def test_a_reload_takes_the_secret_where_there_is_one(issuer: Issuer, start: Start) -> None:
    """And nothing else; the hook takes tokens and not the secret."""
    service = start(settings(issuer.url), USHER_SECRET=RELOAD_SECRET)
    text = issuer.token()
    assert reload_status(service, RELOAD_SECRET) == 200
    assert reload_status(service, f"Bearer {text}") == 403
    assert service.status_of(text) == 200
    assert service.process.post(service.body, Authorization=RELOAD_SECRET).status == 403
    ran = usher_reload(service, RELOAD_SECRET)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("unchanged: ")


def test_without_the_extra_the_service_says_what_to_install(tmp_path: Path) -> None:
    """One line, exit code 2, and nothing that listens."""
    (tmp_path / "usher.toml").write_text(settings("https://example.okta.com/oauth2/default"), encoding="utf-8")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "jwt.py").write_text("raise ImportError('not installed')\n", encoding="utf-8")
    process = UsherProcess([USHER, "serve"], tmp_path, PYTHONPATH=str(hidden))
    try:
        assert process.end() == 2
        assert process.err.whole() == (
            "usher: auth.mode = \"oauth2\" needs PyJWT and cryptography: pip install 'okta-usher[oauth]'\n"
        )
    finally:
        process.clear_away()


def test_no_token_stands_in_anything_the_service_wrote(service: Service, issuer: Issuer) -> None:
    """APPSEC: neither a good nor a forged one, whole or in part, in logs or on disk."""
    texts = [issuer.token(), token(rsa_key("other"), own(issuer))]
    for text in texts:
        service.ask(text)
    parts = [piece for text in texts for piece in text.split(".")[1:]]
    # Its streams and all it leaves in its folder are searched for them when it has ended.
    service.process.secrets.update(piece.encode() for piece in parts)
    written = service.process.decision_log_text()
    assert not [piece for piece in parts if piece in written]
