"""The access log tells of a request what a caller cannot make up."""

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from waitress.channel import ClientDisconnected

from tests.event_log import EventLog
from usher.web.access import AccessLog
from usher.web.serving import Listener, ListenerOptions

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


@dataclass
class Channel:
    """A connection from somewhere."""

    addr: tuple[object, ...] = ("192.0.2.7", 50123)


@dataclass
class Request:
    """A request as waitress has parsed it."""

    command: str = "POST"
    request_uri: str = "/okta/import"
    arrived: float = 0.0


@dataclass
class Unreadable:
    """A request that waitress could not parse."""

    arrived: float = 0.0


@dataclass
class Task:
    """A task of waitress that is done."""

    request: Any = field(default_factory=Request)
    status: str = "200 OK"
    content_bytes_written: int = 234
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    channel: Channel = field(default_factory=Channel)


def told(task: Task) -> Mapping[str, object]:
    """Return the event of one request."""
    log = EventLog()
    AccessLog("hook", frozenset({"/okta/import"}), log).answered(task)
    [(name, values)] = log.told
    assert name == "request"
    return values


def test_an_answered_call_is_told_with_its_decision() -> None:
    """Time counts from when the request was complete."""
    headers = [("Content-Type", "application/json"), ("X-Usher-Decision", "0199a1")]
    event = dict(told(Task(Request(arrived=time.monotonic() - 1), response_headers=headers)))
    assert 1000 <= float(str(event.pop("milliseconds"))) < 60_000
    assert event == {
        "listener": "hook",
        "method": "POST",
        "path": "/okta/import",
        "status": 200,
        "bytes": 234,
        "peer": "192.0.2.7",
        "decision_id": "0199a1",
    }


@pytest.mark.parametrize(
    ("command", "uri", "expected"),
    [
        ("POST", "/okta/import?sally=1", ("POST", "/okta/import")),
        ("GET", "/okta/import", ("GET", "/okta/import")),
        ("SALLY", "/sally", ("other", "other")),
        ("post", "//okta/import", ("other", "other")),
        ("POST", "/okta%2Fimport", ("POST", "other")),
        ("POST", "/okta/import/", ("POST", "other")),
        ("POST", "", ("POST", "other")),
    ],
)
def test_a_method_or_a_path_that_is_not_served_is_other(command: str, uri: str, expected: tuple[str, str]) -> None:
    """APPSEC: whatever a caller writes there never stands in the log; a query is left out."""
    event = told(Task(Request(command, uri)))
    assert (event["method"], event["path"]) == expected
    assert "sally" not in str(event).lower()


def test_what_could_not_be_read_is_told_all_the_same() -> None:
    """Garbage has no method, no path and perhaps no time of arrival."""
    event = told(Task(Unreadable(), "400 Bad Request", 201))
    assert (event["method"], event["path"], event["status"], event["milliseconds"]) == ("other", "other", 400, 0.0)
    assert "decision_id" not in event


@pytest.mark.parametrize("log", [EventLog(fault=OSError()), EventLog()])
def test_telling_never_fails(log: EventLog) -> None:
    """A task in a state that nobody foresaw, or a log that fails, costs no answer."""
    AccessLog("hook", frozenset(), log).answered(Task(status="", channel=Channel(())))
    assert log.told == []


def served(app: "WSGIApplication", sent: bytes) -> tuple[list[Mapping[str, object]], bytes]:
    """Return what the access log of a real listener tells of what was sent, and what came back."""
    log = EventLog()
    options = ListenerOptions(
        name="hook",
        host="127.0.0.1",
        port=0,
        threads=1,
        body_limit_bytes=1000,
        header_limit_bytes=1000,
        connection_limit=10,
        channel_timeout_seconds=10,
        backlog=5,
        drain_seconds=5,
    )
    listener = Listener(app, options, access=AccessLog("hook", frozenset({"/okta/import"}), log))
    address = listener.start()[0]
    try:
        with socket.create_connection((address.host, address.port), timeout=60) as connection:
            connection.sendall(sent)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    finally:
        listener.stop()
    return [values for _, values in log.told], answer


REQUEST = b"GET /okta/import HTTP/1.1\r\nHost: hook\r\nConnection: close\r\n\r\n"


def test_a_fault_that_no_app_handles_is_told_once() -> None:
    """As the refusal that the caller gets, and not as an answer that there never was."""

    def failing(_environ: object, _start_response: object) -> list[bytes]:
        raise ValueError

    told, answer = served(failing, REQUEST)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert [values["status"] for values in told] == [500]


def test_who_has_hung_up_has_no_answer_that_could_be_told() -> None:
    """Waitress notices when it is about to write: here the second part, beside the status that was meant."""

    def left_alone(_environ: object, start_response: Any) -> Iterator[bytes]:  # as WSGI has it
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"half"
        raise ClientDisconnected

    assert served(left_alone, REQUEST)[0] == []


def test_an_answer_that_breaks_off_is_told_once() -> None:
    """Its status has left."""

    def breaking(_environ: object, start_response: Any) -> Iterator[bytes]:  # as WSGI has it
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"half"
        raise ValueError

    assert [values["status"] for values in served(breaking, REQUEST)[0]] == [200]
