"""What an answer leaves to do, done on a real listener: after the answer, on the thread that gave it."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection

import pytest
from falcon import testing

from tests.integration.listening import listener_options
from tests.unit.web.conftest import SECRETS, Answers, Hook, Refusals
from usher.answer.reply import Reply
from usher.domain.decision import Outcome
from usher.web.app import create_hook_app
from usher.web.auth import HeaderAuthentication
from usher.web.hook import AFTERWARDS
from usher.web.serving import Listener

# Far beyond what anything here takes: only a hang gets there.
PATIENCE_SECONDS = 30.0


@dataclass
class Afterwards:
    """Something to do after an answer; while `may_end` is cleared it takes its time."""

    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_end: threading.Event = field(default_factory=threading.Event)
    threads: list[str] = field(default_factory=list)
    fault: Exception | None = None

    def __call__(self) -> None:
        """Say that it has begun, wait for leave, perhaps fail."""
        self.threads.append(threading.current_thread().name)
        self.began.release()
        self.may_end.wait(PATIENCE_SECONDS)
        if self.fault is not None:
            raise self.fault

    def has_begun(self) -> bool:
        """Wait until it has begun once more; say whether it has."""
        return self.began.acquire(timeout=PATIENCE_SECONDS)


@dataclass
class Hosted:
    """A listener with two workers, its line, and what is to be done after each answer."""

    listener: Listener
    answers: Answers
    afterwards: Afterwards

    def connect(self) -> HTTPConnection:
        """Return a connection."""
        address = self.listener.address
        return HTTPConnection(address.host, address.port, timeout=PATIENCE_SECONDS)


def ask(connection: HTTPConnection, method: str = "POST", path: str = "/okta/import") -> tuple[int, bytes]:
    """Ask as Okta does and read the whole answer."""
    headers = {"Authorization": SECRETS[0].decode(), "Content-Type": "application/json"}
    connection.request(method, path, body=b"{}", headers=headers)
    response = connection.getresponse()
    return response.status, response.read()


@pytest.fixture
def hosted() -> Iterator[Hosted]:
    """Return a hook that listens on a free port."""
    afterwards, answers, refusals = Afterwards(), Answers(), Refusals()
    answers.reply = replace(answers.reply, afterwards=afterwards)
    app = create_hook_app(
        answers, HeaderAuthentication("Authorization", SECRETS), refusals=refusals, body_limit_bytes=1000
    )
    listener = Listener(app, listener_options(threads=2, drain_seconds=2.0), refusals=refusals)
    listener.start()
    yield Hosted(listener, answers, afterwards)
    afterwards.may_end.set()
    listener.stop()


@pytest.fixture
def connect(hosted: Hosted) -> Iterator[Callable[[], HTTPConnection]]:
    """Return a maker of connections that are closed at the end."""
    made: list[HTTPConnection] = []

    def make() -> HTTPConnection:
        made.append(hosted.connect())
        return made[-1]

    yield make
    for connection in made:
        connection.close()


def test_the_answer_does_not_wait_for_what_comes_afterwards(
    hosted: Hosted, connect: Callable[[], HTTPConnection]
) -> None:
    """The caller has it whole while that is still being done, on the worker's thread."""
    status, body = ask(connect())
    assert (status, body) == (200, hosted.answers.reply.body)
    assert hosted.afterwards.has_begun()
    assert not hosted.afterwards.may_end.is_set()
    assert hosted.afterwards.threads[0].startswith("waitress-")


def test_other_calls_are_answered_meanwhile(hosted: Hosted, connect: Callable[[], HTTPConnection]) -> None:
    """A shadow costs one worker its time; the rest go on."""
    ask(connect())
    assert hosted.afterwards.has_begun()
    hosted.answers.reply = replace(hosted.answers.reply, afterwards=None)
    assert [ask(connect())[0] for _ in range(3)] == [200, 200, 200]


def test_the_connection_goes_on_once_it_is_done(hosted: Hosted, connect: Callable[[], HTTPConnection]) -> None:
    """The next call on it is answered, and has something to do afterwards of its own: once for each call."""
    hosted.afterwards.may_end.set()
    connection = connect()
    assert [ask(connection)[0] for _ in range(3)] == [200, 200, 200]
    assert [hosted.afterwards.has_begun() for _ in range(3)] == [True, True, True]
    assert len(hosted.afterwards.threads) == 3


def test_a_stop_waits_for_what_is_being_done(hosted: Hosted, connect: Callable[[], HTTPConnection]) -> None:
    """Within the time it has for calls in flight: the record of a shadow is not cut off."""
    ask(connect())
    assert hosted.afterwards.has_begun()
    hosted.listener.begin_stop()
    assert not hosted.listener.join(0.2)
    hosted.afterwards.may_end.set()
    assert hosted.listener.join(PATIENCE_SECONDS)


def test_a_promise_that_is_broken_costs_the_connection_and_no_worker(
    hosted: Hosted, connect: Callable[[], HTTPConnection], caplog: pytest.LogCaptureFixture
) -> None:
    """It must not raise; if it does, the answer has been read all the same, and the next caller is served."""
    hosted.afterwards.fault = ValueError("Geheimnis")
    hosted.afterwards.may_end.set()
    with caplog.at_level(logging.CRITICAL, logger="waitress"):
        assert [ask(connect())[0] for _ in range(4)] == [200] * 4


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/okta/import", 405), ("POST", "/elsewhere", 404)], ids=["method", "path"]
)
def test_a_refusal_leaves_nothing_to_do(
    hosted: Hosted, connect: Callable[[], HTTPConnection], method: str, path: str, status: int
) -> None:
    """Nothing was decided."""
    assert ask(connect(), method, path)[0] == status
    assert hosted.afterwards.threads == []


def test_the_app_hands_on_what_the_line_leaves_to_do(hook: Hook) -> None:
    """In the environ, where the task finds it; a reply without it leaves no trace there."""
    done: list[int] = []
    left = Reply(200, b"{}", "d-1", Outcome.DEFAULT, afterwards=lambda: done.append(1))
    headers = {"Authorization": SECRETS[0].decode(), "Content-Type": "application/json"}
    for reply in (left, replace(left, afterwards=None)):
        hook.answers.reply = reply
        environ = testing.create_environ("/okta/import", method="POST", headers=headers, body="{}")
        answer = hook.client.app(environ, testing.StartResponseMock())
        assert b"".join(answer) == b"{}"
        assert environ.get(AFTERWARDS) is reply.afterwards
    assert done == []
