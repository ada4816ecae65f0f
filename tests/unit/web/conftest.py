"""The hook app with collaborators that keep what they saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from falcon import testing

from usher.answer.reply import Reply
from usher.domain.decision import Outcome
from usher.web.app import create_hook_app, create_operations_app
from usher.web.auth import HeaderAuthentication
from usher.web.operations import Readiness

SECRETS = (b"Basic c2VjcmV0", b"the next secret")
BODY_LIMIT_BYTES = 1000


@dataclass
class Answers:
    """Gives one reply and remembers every call; `fault` stands for a bug in the line."""

    reply: Reply = field(default=Reply(200, b'{"commands":[]}', "d-1", Outcome.COMMANDS))
    fault: BaseException | None = None
    calls: list[tuple[bytes, float]] = field(default_factory=list)
    taken_up: list[float] = field(default_factory=list)

    def answer(self, body: bytes, arrived: float, taken_up: float) -> Reply:
        """Remember the call, then reply or fail."""
        self.calls.append((body, arrived))
        self.taken_up.append(taken_up)
        if self.fault is not None:
            raise self.fault
        return self.reply

    def undecided(self) -> Reply:
        """Return an answer that no other call gets."""
        return Reply(200, b'{"error":{"errorSummary":"undecided"}}', "d-0", Outcome.UNDECIDED)


@dataclass
class Refusals:
    """Remembers every refusal; `fault` stands for a metric that fails."""

    seen: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    fault: Exception | None = None

    def unauthenticated(self, reason: str) -> None:
        """Remember, then perhaps fail."""
        self.reasons.append(reason)
        if self.fault is not None:
            raise self.fault

    def refused(self, status: int) -> None:
        """Remember, then perhaps fail."""
        self.seen.append(status)
        if self.fault is not None:
            raise self.fault


@dataclass
class Operations:
    """Says what it is told to say."""

    ready: bool = True
    fault: Exception | None = None
    reloads: list[Mapping[str, object] | None] = field(default_factory=list)

    def readiness(self) -> Readiness:
        """Be ready or not, or fail."""
        if self.fault is not None:
            raise self.fault
        return Readiness(self.ready, {"policies": "loaded", "ledger": self.ready})

    def status(self) -> Mapping[str, object]:
        """Return some JSON."""
        return {"revision": "abc", "policies": 3}

    def reload(self) -> Mapping[str, object] | None:
        """Return what comes next, or fail."""
        if self.fault is not None:
            raise self.fault
        return self.reloads.pop(0)

    def exposition(self) -> tuple[bytes, str]:
        """Return one metric."""
        return b"usher_up 1\n", "text/plain; version=0.0.4; charset=utf-8"


@dataclass
class Hook:
    """The hook app and its collaborators."""

    answers: Answers
    refusals: Refusals
    client: testing.TestClient

    def post(
        self,
        body: bytes = b"{}",
        *,
        path: str = "/okta/import",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        without: str = "",
    ) -> testing.Result:
        """Send what Okta sends, but for what is said."""
        usual = {"Authorization": SECRETS[0].decode(), "Content-Type": "application/json"}
        sent = {name: value for name, value in {**usual, **(headers or {})}.items() if name != without}
        return self.client.simulate_request(method, path, body=body, headers=sent)


@pytest.fixture
def hook() -> Hook:
    """Return a hook whose collaborators show what they saw."""
    answers, refusals = Answers(), Refusals()
    app = create_hook_app(
        answers,
        HeaderAuthentication("Authorization", SECRETS),
        refusals=refusals,
        body_limit_bytes=BODY_LIMIT_BYTES,
    )
    return Hook(answers, refusals, testing.TestClient(app))


@pytest.fixture
def operations() -> Operations:
    """Return operations that are ready."""
    return Operations()


@pytest.fixture
def operations_client(operations: Operations) -> testing.TestClient:
    """Return a client of the operations app."""
    return testing.TestClient(create_operations_app(operations, HeaderAuthentication("Authorization", SECRETS)))
