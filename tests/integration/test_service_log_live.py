"""The service log of a real service: what it tells of calls, whom it keeps waiting, and what never stands in it."""

import json
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.payloads import GUIDE_CASE, GUIDE_LOGIN
from tests.integration.usher_process import PATIENCE_SECONDS, SECRET, Caller, UsherProcess

USHER = Path(sys.executable).parent / "usher"
Serve = Callable[..., UsherProcess]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start `usher serve` with settings; all of them end with the test."""
    started: list[UsherProcess] = []

    def start(**settings: str) -> UsherProcess:
        command: list[str | Path] = [USHER, "serve", "--set", "policies.gate=off"]
        usher = UsherProcess(command, tmp_path, USHER_SECRET=SECRET, USHER_LOGGING_FORMAT="json", **settings)
        started.append(usher)
        usher.wait_until_ready()
        return usher

    yield start
    for usher in started:
        usher.clear_away()


def call(event_id: str = "event-1", **user: object) -> bytes:
    """Return the guide's case with another event id and other attributes."""
    body = json.loads(GUIDE_CASE.read_bytes())
    body["eventId"] = event_id
    body["data"]["user"]["profile"].update(user)
    return json.dumps(body).encode()


def events(usher: UsherProcess, name: str) -> list[dict[str, Any]]:
    """Return the events of a name of a service that has ended."""
    lines = [json.loads(line) for line in usher.err.whole().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


def asked_raw(address: tuple[str, int], sent: bytes) -> bytes:
    """Send bytes and read all that comes back until the other side closes."""
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_each_decision_is_told_once_with_the_ids_of_its_answer(serve: Serve) -> None:
    """A repeated call is told as such; a call that no policy decided has its outcome."""
    usher = serve()
    first = usher.post(call("one"))
    assert first.login == GUIDE_LOGIN
    again = usher.post(call("one"))
    invalid = usher.post(b'{"eventId": "Sally Admin"}')
    refused = usher.post(call("two"), Authorization="a wrong secret")
    assert refused.status == 403
    assert usher.stop() == 0
    told = events(usher, "decided")
    assert [line["decision_id"] for line in told] == [first.decision_id, invalid.decision_id]
    assert (told[0]["event_id"], told[0]["outcome"], told[0]["fired"]) == ("one", "commands", ["logins/free-login"])
    assert (told[1]["event_id"], told[1]["outcome"]) == ("-", "invalid")
    [replayed] = events(usher, "replayed")
    assert replayed["decision_id"] == again.decision_id == first.decision_id
    assert events(usher, "request") == []


@pytest.mark.parametrize("settings", [{"USHER_LOGGING_DECISIONS": "false"}, {"USHER_LOGGING_LEVEL": "warning"}])
def test_decisions_need_not_be_told(serve: Serve, settings: dict[str, str]) -> None:
    """By their own setting or by the level; they are on record all the same."""
    usher = serve(**settings, USHER_LOGGING_ACCESS="false")
    usher.post(call())
    assert usher.stop() == 0
    assert events(usher, "decided") + events(usher, "replayed") == []
    assert len(usher.decisions()) == 1


def test_the_access_log_tells_of_every_request(serve: Serve) -> None:
    """Answered, refused, garbage, on both listeners; nothing a caller made up stands in it."""
    usher = serve(USHER_LOGGING_ACCESS="true")
    answer = usher.post(call())
    with Caller(usher.hook) as caller:
        assert caller.ask("POST", "/okta/sally%0A?sally=1", b"", {}).status == 401
        assert caller.ask("SALLY", "/okta/import", b"", {"Authorization": SECRET}).status == 405
    head = b"POST /okta/import HTTP/1.1\r\nHost: sally\r\n"
    assert asked_raw(usher.hook, head + b"Content-Length: 99999999\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert b" 431 " in asked_raw(usher.hook, head + b"X-Sally: " + b"s" * 20_000 + b"\r\n\r\n")
    assert b" 400 " in asked_raw(usher.hook, b"sally sally sally sally\r\n\r\n")
    assert usher.get("/health/live").status == 200
    assert usher.stop() == 0
    # Each is told when its answer has left, and the next may be another worker's by then.
    told = events(usher, "request")
    assert Counter((line["listener"], line["method"], line["path"], line["status"]) for line in told) == Counter(
        [
            ("hook", "POST", "/okta/import", 200),
            ("hook", "POST", "other", 401),
            ("hook", "other", "/okta/import", 405),
            ("hook", "POST", "/okta/import", 413),
            ("hook", "other", "other", 431),
            ("hook", "other", "other", 400),
            ("operations", "GET", "/health/live", 200),
        ]
    )
    [decided] = [line for line in told if "decision_id" in line]
    assert (decided["status"], decided["decision_id"]) == (200, answer.decision_id)
    assert decided["bytes"] == len(answer.body)
    assert {line["peer"] for line in told} == {"127.0.0.1"}
    assert all(0 <= line["milliseconds"] < PATIENCE_SECONDS * 1000 for line in told)
    assert "sally" not in usher.err.whole().lower()


def test_no_value_of_a_person_is_told(serve: Serve) -> None:
    """With everything told that can be, at the lowest level, the service log knows nobody; redaction is on."""
    usher = serve(USHER_LOGGING_ACCESS="true", USHER_LOGGING_LEVEL="debug")
    names = {"firstName": "Zyzzyva", "lastName": "Quuxworth", "login": "zyzzyva@quuxworth.example", "mobilePhone": "+4"}
    for number in range(3):
        usher.post(call(f"event-{number}", **names))
    usher.post(json.dumps({"eventId": "Zyzzyva", "data": {"Quuxworth": 1}}).encode()[:-1])
    usher.post(json.dumps({"eventType": "quuxworth", "data": {"zyzzyva quuxworth": 1}}).encode())
    assert usher.stop() == 0
    said = (usher.err.whole() + usher.out.whole()).lower()
    assert len(events(usher, "decided")) == 4
    assert "quuxworth" not in said
    # The id of an event is told if it looks like one; here that of a call that was not parsed.
    assert "zyzzyva" not in said


def test_a_reader_that_hangs_stops_neither_answers_nor_the_stop(serve: Serve) -> None:
    """Nobody reads standard error; far more is told than a pipe holds; calls are answered, and the service ends."""
    usher = serve(USHER_LOGGING_ACCESS="true", USHER_SERVER_REPLAY_SECONDS="600")
    usher.err.hang()
    body = call()
    with Caller(usher.hook) as caller:
        decision_id = caller.post(body).decision_id
        for _ in range(500):
            assert caller.post(body).decision_id == decision_id
    assert usher.get("/health/ready").status == 200
    usher.signal(signal.SIGTERM)
    assert usher.end() == 0
    usher.err.go_on()
    *lines, torn = usher.err.whole().split("\n")
    assert "stopped" not in torn
    # The pipe's worth of lines is there and whole, but perhaps for the last.
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert 100 < len(told) < 2 * 500
    assert {line["event"] for line in told} == {"decided", "replayed", "request"}


@pytest.mark.skipif(not os.environ.get("USHER_LONG_TESTS"), reason="12,000 requests: make test-long")
def test_lines_that_are_lost_are_counted_and_told(serve: Serve) -> None:
    """When the queue is full, the metric grows; when the reader is back, one line says how many are missing."""
    usher = serve(USHER_LOGGING_ACCESS="true")
    usher.err.hang()
    with socket.create_connection(usher.hook, timeout=PATIENCE_SECONDS) as connection:
        for _ in range(60):
            connection.sendall(b"GET /sally HTTP/1.1\r\nHost: hook\r\n\r\n" * 200)
            answers = b""
            while answers.count(b"HTTP/1.1 401 ") < 200 or not answers.endswith(b"}"):
                answers += connection.recv(65536)
    lost = float(usher.get("/metrics").body.split(b"\nusher_log_losses_total ")[1].split()[0])
    assert lost > 0
    usher.err.go_on()
    usher.err.until("log_lines_lost")
    assert usher.stop() == 0
    [told] = events(usher, "log_lines_lost")
    assert told["lines"] >= lost
    assert usher.err.whole().splitlines()[-1] == "stopped"
