"""The installed `usher serve`, asked over HTTP as Okta asks it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.conftest import StartUsher
from tests.integration.payloads import (
    GUIDE_CASE,
    GUIDE_LOGIN,
    OKTA_SAMPLE,
    its_login,
    like_the_guide,
    texts_about_people,
)
from tests.integration.usher_process import SECRET, Caller, UsherProcess

OKTAS_CALLS_AT_ONCE = 75


@pytest.fixture
def usher(start_usher: StartUsher) -> UsherProcess:
    """Return a service with the shipped policies and one secret, ready."""
    process = start_usher("serve", USHER_SECRET=SECRET, USHER_POLICIES_GATE="off")
    process.wait_until_ready()
    return process


def test_oktas_own_sample_gets_a_login_of_its_own(usher: UsherProcess) -> None:
    """The sample, byte for byte as published: its login is taken and there is no middle name; no retry, no error."""
    answer = usher.post(OKTA_SAMPLE.read_bytes())
    assert (answer.status, answer.login) == (200, "sally2.admin2@clouditude.net")
    assert answer.headers["content-type"] == "application/json"
    assert answer.decision_id


def test_the_guides_case_gets_its_login(usher: UsherProcess) -> None:
    """The login is taken, so the middle name goes in: one command of one attribute, and the rule's name for the log."""
    answer = usher.post(GUIDE_CASE.read_bytes())
    assert answer.status == 200
    assert answer.json["commands"] == [{"type": "com.okta.user.profile.update", "value": {"login": GUIDE_LOGIN}}]
    context = answer.json["debugContext"]
    assert isinstance(context, dict)
    assert context["fired"] == ["logins/free-login"]
    assert context["decisionId"] == answer.decision_id
    assert "error" not in answer.json


def test_a_retry_gets_the_same_bytes_and_id(usher: UsherProcess) -> None:
    """Okta's retry of a call it lost: same answer, same decision, one line on record, also over another connection."""
    body = like_the_guide(1)
    first, second = usher.post(body), usher.post(body)
    assert (first.body, first.decision_id) == (second.body, second.decision_id)
    assert len(usher.decisions()) == 1


def test_the_same_event_with_another_body_is_decided_anew(usher: UsherProcess) -> None:
    """An eventId alone never brings a stored answer: the second row gets its own login."""
    first = usher.post(like_the_guide(1, event_id="one-event"))
    second = usher.post(like_the_guide(2, event_id="one-event"))
    assert (first.login, second.login) == (its_login(1), its_login(2))
    assert first.decision_id != second.decision_id


def test_75_connections_at_once_each_get_their_own_answer(usher: UsherProcess) -> None:
    """As many calls as Okta makes at once, several on each connection: no value of one row in the answer to another."""
    together = threading.Barrier(OKTAS_CALLS_AT_ONCE)
    rounds = 4

    def rows(caller_number: int) -> list[tuple[int, object, str]]:
        numbers = [caller_number * rounds + turn for turn in range(rounds)]
        with Caller(usher.hook) as caller:
            caller.connection.connect()
            together.wait()
            answers = [(number, caller.post(like_the_guide(number))) for number in numbers]
        return [(number, answer.login, answer.decision_id) for number, answer in answers]

    with ThreadPoolExecutor(OKTAS_CALLS_AT_ONCE) as pool:
        answered = [row for rows_of_one in pool.map(rows, range(OKTAS_CALLS_AT_ONCE)) for row in rows_of_one]
    assert {number: login for number, login, _ in answered} == {
        number: its_login(number) for number in range(OKTAS_CALLS_AT_ONCE * rounds)
    }
    assert len({decision_id for _, _, decision_id in answered}) == OKTAS_CALLS_AT_ONCE * rounds
    assert len(usher.decisions()) == OKTAS_CALLS_AT_ONCE * rounds


def test_a_slow_sender_keeps_nobody_waiting(usher: UsherProcess) -> None:
    """Somebody sends one byte a second; others are answered between the bytes, and in the end so is he."""
    body = like_the_guide(0)
    with Caller(usher.hook) as slow:
        rest = slow.begin(body, held_back=3)
        for number, byte in enumerate(rest, start=1):
            assert usher.post(like_the_guide(number)).login == its_login(number)
            # His pace, not a wait for something to happen.
            threading.Event().wait(1)
            if number < len(rest):
                slow.connection.sock.sendall(bytes([byte]))
        assert slow.finish(rest[-1:]).login == its_login(0)


def test_operations_tell_health_status_and_metrics(usher: UsherProcess) -> None:
    """Health, status and metrics ask for no credential; the counts are those of the calls made."""
    usher.post(like_the_guide(1))
    usher.post(like_the_guide(1))
    usher.post(OKTA_SAMPLE.read_bytes())
    usher.post(b"{}", Authorization="")
    assert [usher.get(path, secret="").status for path in ("/health/live", "/health/ready")] == [200, 200]
    assert [usher.get(path, secret="").status for path in ("/status", "/metrics")] == [200, 200]
    status = usher.get("/status").json
    policies = status["policies"]
    assert isinstance(policies, dict)
    assert "logins" in policies["names"]
    assert policies["rules"] >= len(policies["names"])
    metrics = usher.get("/metrics").body.decode()
    assert 'usher_requests_total{outcome="commands"} 2.0' in metrics
    assert 'usher_requests_total{outcome="default"} 0.0' in metrics
    assert 'usher_rules_fired_total{rule="logins/free-login"} 2.0' in metrics
    assert "usher_replays_total 1.0" in metrics
    assert 'usher_refusals_total{status="401"} 1.0' in metrics


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/status", "/metrics"])
def test_nothing_of_operations_is_on_the_hook_listener(usher: UsherProcess, path: str) -> None:
    """Whoever reaches the hook reaches the hook only, secret or not."""
    assert usher.get(path, of="ready").status == 404
    assert usher.get(path, of="ready", secret="").status == 401


def test_nothing_of_the_hook_is_on_the_operations_listener(usher: UsherProcess) -> None:
    """Operations takes no body at all, and knows no hook: nothing is decided there."""
    with Caller(usher.operations) as caller:
        assert caller.post(OKTA_SAMPLE.read_bytes()).status == 413
    assert usher.get("/okta/import").status == 404
    assert 'usher_requests_total{outcome="default"} 0.0' in usher.get("/metrics").body.decode()


def test_one_line_for_each_decision_and_nobody_in_it(usher: UsherProcess) -> None:
    """Each decision is on record before its answer is there.

    No value of a profile is, nor in any other place where the service speaks.
    """
    bodies = [GUIDE_CASE.read_bytes(), OKTA_SAMPLE.read_bytes(), like_the_guide(7), b'{"eventType": 1}']
    for count, body in enumerate(bodies, start=1):
        answer = usher.post(body)
        assert len(usher.decisions()) == count
        assert usher.decisions()[-1]["decision_id"] == answer.decision_id
    assert usher.post(b"not JSON").status == 400
    assert len(usher.decisions()) == len(bodies)
    told = [usher.decision_log_text(), usher.get("/metrics").body.decode(), usher.get("/status").body.decode()]
    assert usher.stop() == 0
    told += [usher.err.whole(), usher.out.whole()]
    # Answers that change nothing have no word of the person either; commands must.
    people = {text for body in bodies[:3] for text in texts_about_people(body)} | {GUIDE_LOGIN, its_login(7)}
    assert {"George", "Alexander", "george.smith@example.com", "sally.admin@clouditude.net"} <= people
    # Five characters or more: "PRO" and the like could stand in a hash or a path by accident.
    shown = {text for text in people if len(text) > 4 and any(text.lower() in said.lower() for said in told)}
    assert not shown


def test_equal_values_stay_joinable_in_the_log(usher: UsherProcess) -> None:
    """What redaction leaves is good for counting: a person in two events has the same hashes, another has not."""
    for number, event in ((1, "a"), (1, "b"), (2, "c")):
        usher.post(like_the_guide(number, event_id=event))
    once, again, other = (json.dumps(decision["subject"]) for decision in usher.decisions())
    assert once == again != other


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"\xff\xfe{}", 400, id="not UTF-8"),
        pytest.param(b'{"a": NaN}', 400, id="NaN"),
        pytest.param(b'{"a": 1, "a": 2}', 400, id="a member twice"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, 400, id="10,000 nested arrays"),
        pytest.param(b"[]", 200, id="no object"),
        pytest.param(b"{}", 200, id="no import request"),
        pytest.param(b'{"eventType": "com.okta.user.pre-registration", "data": {}}', 200, id="another event"),
        pytest.param(b" " * 10_485_760, 413, id="10 MB"),
    ],
)
def test_what_cannot_be_decided_is_answered_in_oktas_words(usher: UsherProcess, body: bytes, status: int) -> None:
    """Whatever comes, there is an answer with an error and without commands, and the next call is served."""
    answer = usher.post(body)
    assert answer.status == status
    error = answer.json["error"]
    assert isinstance(error, dict)
    assert error["errorSummary"]
    assert "commands" not in answer.json
    assert usher.post(GUIDE_CASE.read_bytes()).login == GUIDE_LOGIN
