"""`schemas/openapi.yaml` says what the code does: no answer is missing in it, and it describes none that cannot be had.

Asked of real listeners, because some refusals come from waitress and never reach an app.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPResponse
from importlib import metadata
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from ruamel.yaml import YAML
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tests.integration.conftest import PATIENCE_SECONDS, Answer, Refusals
from tests.integration.installations import CHECKOUT
from tests.integration.listening import listener_options
from usher.answer.okta_error import error_body
from usher.answer.reply import Reply
from usher.domain.decision import Outcome
from usher.web.app import create_hook_app, create_operations_app
from usher.web.auth import Credential, HeaderAuthentication
from usher.web.hook import HOOK_PATH
from usher.web.operations import LIVE_PATH, METRICS_PATH, OPEN_PATHS, READY_PATH, RELOAD_PATH, STATUS_PATH, Readiness
from usher.web.refusals import refusal_body
from usher.web.serving import Listener

FOLDER = CHECKOUT / "schemas"
BASE = "https://usher.invalid/schemas/"
DOCUMENT: dict[str, Any] = YAML(typ="safe", pure=True).load(FOLDER / "openapi.yaml")
SECRET = "a secret that is long enough"
AUTHORIZED = f"Authorization: {SECRET}"
JSON = "Content-Type: application/json"
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item if method != "servers"]
CHECKS = dict.fromkeys(("policies", "deciding", "accepting", "ledger", "directory"), True)
STORE = {"reachable": True, "place": "usher.db", "schemaVersion": "0001", "sizeBytes": 1}
PROBLEM = {"file": "a.yaml", "line": 1, "column": 1, "code": "x", "severity": "error", "message": "no"}
LOOK = {"revision": "a", "found": "b", "seconds": 0.1, "changes": []}
DONE = {**LOOK, "result": "accepted", "problems": []}
REJECTED = {**LOOK, "result": "rejected", "problems": [PROBLEM]}


class Answers:
    """Finds a body that is no JSON not parsable and leaves all else to Okta."""

    def answer(self, body: bytes, arrived: float, taken_up: float) -> Reply:
        """Answer."""
        del arrived, taken_up
        try:
            json.loads(body)
        except ValueError:
            return Reply(400, error_body("The request could not be parsed."), None, None)
        return Reply(200, b"{}", "d-1", Outcome.DEFAULT)

    def undecided(self) -> Reply:
        """Answer a fault."""
        return Reply(200, error_body("undecided"), "d-0", Outcome.UNDECIDED)


@dataclass
class Operated:
    """Operations that are as a test sets them; `broken` stands for a fault."""

    ready: bool = True
    broken: bool = False
    reloaded: Mapping[str, object] | None = field(default_factory=lambda: DONE)

    def _work(self) -> None:
        if self.broken:
            raise RuntimeError

    def readiness(self) -> Readiness:
        """Be ready or not."""
        self._work()
        return Readiness(self.ready, {**CHECKS, "ledger": self.ready})

    def status(self) -> Mapping[str, object]:
        """Tell what a service tells."""
        self._work()
        policies = {"revision": "a", "since": "2026-03-02T09:00:00Z", "folder": "p", "source": "folder"}
        return {
            "version": "1",
            "started": "2026-03-02T09:00:00Z",
            "policies": {**policies, "names": ["p"], "rules": 1, "rejected": None},
            "decisionLog": {"file": "d", "losses": 0},
            "ledger": STORE,
            "directory": STORE,
            "readiness": CHECKS,
        }

    def reload(self) -> Mapping[str, object] | None:
        """Have found what the test wants."""
        self._work()
        return self.reloaded

    def exposition(self) -> tuple[bytes, str]:
        """Tell one metric."""
        self._work()
        return b"usher_up 1\n", "text/plain; version=0.0.4; charset=utf-8"


@dataclass
class Door:
    """Judges by the secret; `keyless` stands for an issuer of tokens whose keys cannot be had."""

    keyless: bool = False
    header: str = "Authorization"
    challenge: str = 'Header realm="usher"'

    def judge(self, environ: Mapping[str, object]) -> Credential:
        """Judge."""
        if self.keyless:
            return Credential.NO_KEYS
        return HeaderAuthentication("Authorization", [SECRET.encode()]).judge(environ)


@dataclass
class Running:
    """Both listeners, with what stands before the hook and behind operations."""

    hook: Listener
    operations: Listener
    door: Door
    operated: Operated

    def be(self, status: int) -> None:
        """Bring about what a status tells of the service."""
        self.door.keyless = status == HTTPStatus.SERVICE_UNAVAILABLE
        self.operated.broken = status == HTTPStatus.INTERNAL_SERVER_ERROR
        self.operated.ready = status != HTTPStatus.SERVICE_UNAVAILABLE
        self.operated.reloaded = {503: None, 422: REJECTED}.get(status, DONE)

    def ask(self, path: str, raw: bytes, method: str) -> Answer:
        """Send bytes to the listener that serves a path; read one response."""
        listener = self.hook if path == HOOK_PATH else self.operations
        with socket.create_connection(listener.address, PATIENCE_SECONDS) as connection:
            connection.sendall(raw)
            response = HTTPResponse(connection, method=method)
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read(), response.version)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Start both listeners once; a test leaves operations as it found them."""
    options, door, operated = listener_options(), Door(), Operated()
    by_secret = HeaderAuthentication("Authorization", [SECRET.encode()])
    hook = Listener(
        create_hook_app(Answers(), door, refusals=Refusals(), body_limit_bytes=options.body_limit_bytes), options
    )
    operations = Listener(create_operations_app(operated, by_secret), listener_options(name="operations"))
    hook.start()
    operations.start()
    yield Running(hook, operations, door, operated)
    operations.stop()
    hook.stop()


@pytest.fixture(scope="module")
def registry() -> Registry[Any]:
    """Return the document and the schemas beside it, so that references between files are followed."""
    files = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
    contents = {**files, "openapi.yaml": DOCUMENT}
    made = [(BASE + name, DRAFT202012.create_resource(content)) for name, content in contents.items()]
    return Registry().with_resources(made).crawl()


def raw(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request as bytes."""
    length = (f"Content-Length: {len(body)}",) if body or method == "POST" else ()
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: usher", *length, *headers, "", "")).encode() + body


def provoking(path: str, method: str) -> dict[int, bytes]:
    """Return for each status that the code can answer here, whatever the state of the service, what brings it."""
    body = b"{}" if path == HOOK_PATH else b""
    usual = [AUTHORIZED, *([JSON] if body else [])]
    found = {
        200: raw(method, path, *usual, body=body),
        400: raw(method, path, "No colon"),
        404: raw(method, path + "x", *usual, body=body),
        405: raw("PUT", path, *usual),
        413: raw(method, path, *usual, body=b"x" * (1_048_577 if body else 1)),
        431: raw(method, path, *usual, f"X-Long: {'x' * 100_000}"),
        501: raw(method, path, *usual, "Transfer-Encoding: gzip"),
    }
    if path not in OPEN_PATHS:
        found[401] = raw(method, path, JSON, body=body)
        found[403] = raw(method, path, "Authorization: wrong", JSON, body=body)
    if path == HOOK_PATH:
        found[415] = raw(method, path, AUTHORIZED, "Content-Type: text/plain", body=body)
    return found


def pointed(pointer: str) -> dict[str, Any]:
    """Return the part of the document that a JSON pointer leads to."""
    part = DOCUMENT
    for step in pointer.strip("/").split("/"):
        part = part[step.replace("~1", "/")]
    return part


def followed(pointer: str) -> str:
    """Return where a part stands that may be a reference."""
    reference: str | None = pointed(pointer).get("$ref")
    return pointer if reference is None else reference.removeprefix("#")


def documented(path: str, method: str) -> dict[int, str]:
    """Return where the response to each status of an operation is described."""
    responses = f"/paths/{path.replace('/', '~1')}/{method}/responses"
    return {int(status): followed(f"{responses}/{status}") for status in pointed(responses)}


def check(answer: Answer, response: str, registry: Registry[Any], *, has_body: bool) -> None:
    """Hold an answer against the response that describes it."""
    for name in pointed(response).get("headers", {}):
        header = pointed(followed(f"{response}/headers/{name}"))
        assert header["required"] is True
        Draft202012Validator(header["schema"]).validate(answer.headers[name.lower()])
    (media_type,) = pointed(response)["content"]
    assert answer.headers["content-type"].partition(";")[0] == media_type
    if not has_body:
        assert answer.body == b""
        return
    value = json.loads(answer.body) if media_type == "application/json" else answer.body.decode()
    schema = f"{BASE}openapi.yaml#{response}/content/{media_type.replace('/', '~1')}/schema"
    Draft202012Validator({"$ref": schema}, registry=registry).validate(value)


def test_it_is_an_openapi_document() -> None:
    """It fits the meta-schema of OpenAPI 3.1, and its version is the distribution's."""
    Draft202012Validator(OPENAPI_31).validate(DOCUMENT)
    assert DOCUMENT["info"]["version"] == metadata.version("okta-usher")


def test_every_path_and_method_of_the_code_is_described_and_no_other() -> None:
    """The hook takes POST; what reads takes GET and HEAD; a reload is a POST."""
    reading = {
        (path, method) for path in (LIVE_PATH, READY_PATH, STATUS_PATH, METRICS_PATH) for method in ("get", "head")
    }
    assert set(OPERATIONS) == reading | {(HOOK_PATH, "post"), (RELOAD_PATH, "post")}
    for path, method in OPERATIONS:
        operation = DOCUMENT["paths"][path][method]
        assert operation["tags"] == ["hook" if path == HOOK_PATH else "operations"]
        assert ("servers" in DOCUMENT["paths"][path]) == (path == HOOK_PATH)
        assert ("security" in operation) == (path not in OPEN_PATHS)


def test_every_status_the_code_has_words_for_is_described_somewhere() -> None:
    """A refusal that is added in `web.refusals` must be described as well."""
    fault = refusal_body(HTTPStatus.INTERNAL_SERVER_ERROR)
    worded = {status.value for status in HTTPStatus if refusal_body(status) != fault}
    described = {status for path, method in OPERATIONS for status in documented(path, method)}
    assert described == worded | {200, 422, 500}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_is_described_can_be_had_and_what_can_be_had_is_described(
    running: Running, registry: Registry[Any], path: str, method: str
) -> None:
    """Each status is provoked and held against its description: content type, headers, body."""
    described = documented(path, method)
    provoked = provoking(path, method.upper())
    of_state = {status for status in described if status not in provoked}
    assert provoked.keys() <= described.keys()
    assert of_state == states_of(path)
    for status, request in provoked.items():
        answer = running.ask(path, request, method.upper())
        assert answer.status == status, (status, answer)
        check(answer, described[status], registry, has_body=method != "head")
    for status in of_state:
        running.be(status)
        answer = running.ask(path, provoked[200], method.upper())
        running.be(HTTPStatus.OK)
        assert answer.status == status
        check(answer, described[status], registry, has_body=method != "head")


def states_of(path: str) -> set[int]:
    """Return the statuses that depend on how the service is."""
    of_path = {HOOK_PATH: {503}, RELOAD_PATH: {422, 500, 503}, READY_PATH: {500, 503}}
    return {**of_path, STATUS_PATH: {500}, METRICS_PATH: {500}}.get(path, set())


def test_the_words_match_the_schemas_beside_it() -> None:
    """The example is one the hook decides, and the request's and response's schemas are those of the line."""
    post = DOCUMENT["paths"][HOOK_PATH]["post"]
    content = post["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "import-request.schema.json"}
    assert post["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "import-response.schema.json"}
    schema = json.loads((FOLDER / "import-request.schema.json").read_text(encoding="utf-8"))
    for example in content["examples"].values():
        Draft202012Validator(schema).validate(example["value"])
