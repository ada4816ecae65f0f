"""The rows of the HTTP table that the hook app owns, in their order."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from falcon import testing

from usher.answer.reply import Reply

if TYPE_CHECKING:
    from tests.unit.web.conftest import Hook

TOO_LONG = b"x" * 1001
JSON = "application/json"
NO_CREDENTIAL = {"Authorization": ""}
WRONG = {"Authorization": "wrong"}


def refusal(result: testing.Result) -> str:
    """Return the summary of an Okta-shaped error body that is nothing but one."""
    assert result.headers["content-type"] == JSON
    assert set(result.json) == {"error"}
    assert set(result.json["error"]) == {"errorSummary", "errorCauses"}
    summary = result.json["error"]["errorSummary"]
    assert isinstance(summary, str)
    return summary


def test_a_call_is_answered_with_the_lines_bytes_and_decision_id(hook: Hook) -> None:
    """What the line says goes out untouched, with the decision id in the header."""
    result = hook.post(b'{"some": "body"}')
    assert (result.status_code, result.content) == (200, b'{"commands":[]}')
    assert result.headers["x-usher-decision"] == "d-1"
    assert result.headers["content-type"] == JSON
    assert [body for body, _ in hook.answers.calls] == [b'{"some": "body"}']
    assert hook.refusals.seen == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"body": TOO_LONG}, 413),
        ({"headers": NO_CREDENTIAL}, 401),
        ({"without": "Authorization"}, 401),
        ({"headers": WRONG}, 403),
        ({"headers": {"Authorization": "Basic c2VjcmV0, Basic c2VjcmV0"}}, 403),
        ({"path": "/"}, 404),
        ({"path": "/okta/import/"}, 404),
        ({"path": "/OKTA/IMPORT"}, 404),
        ({"path": "/status"}, 404),
        ({"path": "/metrics"}, 404),
        ({"path": "/health/live"}, 404),
        ({"method": "GET"}, 405),
        ({"method": "PUT"}, 405),
        ({"method": "DELETE"}, 405),
        ({"method": "OPTIONS"}, 405),
        ({"headers": {"Content-Type": "text/plain"}}, 415),
        ({"headers": {"Content-Type": "application/jsonp"}}, 415),
        ({"headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415),
        ({"without": "Content-Type"}, 415),
    ],
)
def test_each_refusal_has_its_status_and_oktas_shape(hook: Hook, changes: dict[str, Any], status: int) -> None:
    """A refused call gets its status and an error object, is counted once, and never reaches the line."""
    result = hook.post(**changes)
    assert result.status_code == status
    assert refusal(result)
    assert hook.refusals.seen == [status]
    assert hook.answers.calls == []


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"body": TOO_LONG}, {"headers": NO_CREDENTIAL, "path": "/x", "method": "GET"}),
        ({"headers": NO_CREDENTIAL}, {"path": "/x", "method": "GET"}),
        ({"headers": WRONG}, {"path": "/x", "method": "GET"}),
        ({"path": "/x"}, {"method": "GET", "without": "Content-Type"}),
        ({"method": "GET"}, {"without": "Content-Type"}),
    ],
)
def test_the_refusal_that_stands_first_in_the_table_wins(
    hook: Hook, first: dict[str, Any], later: dict[str, Any]
) -> None:
    """With several reasons to refuse, the answer is the same as with the first of them alone."""
    alone = hook.post(**first)
    both = hook.post(**{**later, **first})
    assert (both.status_code, both.content) == (alone.status_code, alone.content)


@pytest.mark.parametrize("method", ["WEBSOCKET", "FROBNICATE", "CONNECT", "TRACE"])
def test_an_outlandish_method_is_judged_like_any_other(hook: Hook, method: str) -> None:
    """Falcon would answer 400 to a method it does not know; the table says 401, then 404, then 405."""
    assert status_of(hook, method, "/okta/import", "") == "401 Unauthorized"
    assert status_of(hook, method, "/x", "Basic c2VjcmV0") == "404 Not Found"
    assert status_of(hook, method, "/okta/import", "Basic c2VjcmV0") == "405 Method Not Allowed"


def status_of(hook: Hook, method: str, path: str, credential: str) -> str:
    """Call the app as a WSGI server would: Falcon's own client refuses such methods."""
    environ = testing.create_environ(path, headers={"Authorization": credential})
    environ["REQUEST_METHOD"] = method
    seen = testing.StartResponseMock()
    hook.client.app(environ, seen)
    return str(seen.status)


def test_405_names_the_method_that_is_allowed(hook: Hook) -> None:
    """RFC 9110 wants an Allow header."""
    assert hook.post(method="GET").headers["allow"] == "POST"


def test_401_carries_a_challenge(hook: Hook) -> None:
    """RFC 9110 wants a WWW-Authenticate header, and 403 has none."""
    assert hook.post(headers=NO_CREDENTIAL).headers["www-authenticate"] == 'Header realm="usher"'
    assert "www-authenticate" not in hook.post(headers=WRONG).headers


def test_head_is_refused_without_a_body(hook: Hook) -> None:
    """HEAD is another method, and its answer has no body."""
    result = hook.post(b"", method="HEAD")
    assert (result.status_code, result.content) == (405, b"")


@pytest.mark.parametrize(
    "content_type",
    [JSON, "APPLICATION/JSON", "Application/Json; charset=utf-8", "application/json;charset=utf-8;x=y", JSON + " ;"],
)
def test_json_is_json_in_any_case_and_with_parameters(hook: Hook, content_type: str) -> None:
    """The media type is compared without case, its parameters say nothing."""
    assert hook.post(headers={"Content-Type": content_type}).status_code == 200


@pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION", "aUtHoRiZaTiOn"])
def test_header_names_have_no_case(hook: Hook, name: str) -> None:
    """The credential counts whatever the case of its header's name."""
    assert hook.post(headers={name: "the next secret"}, without="Authorization").status_code == 200


def test_a_query_string_changes_nothing(hook: Hook) -> None:
    """Proxies and admins add query strings; the path is what counts."""
    assert hook.post(path="/okta/import?x=%zz&&=1").status_code == 200


def test_an_empty_body_is_the_lines_to_judge(hook: Hook) -> None:
    """No body is bad JSON, which the line says better than the web room can."""
    assert hook.post(b"").status_code == 200
    assert [body for body, _ in hook.answers.calls] == [b""]


def test_the_largest_body_allowed_is_served(hook: Hook) -> None:
    """The limit itself is inside."""
    assert hook.post(b"x" * 1000).status_code == 200


def test_a_body_over_the_limit_that_declares_no_length_is_refused(hook: Hook) -> None:
    """The limit holds for what is read, too: a server may hand on a chunked body without a length."""
    environ = testing.create_environ(
        "/okta/import", method="POST", headers={"Authorization": "the next secret", "Content-Type": JSON}
    )
    environ.pop("CONTENT_LENGTH", None)
    environ["wsgi.input"] = io.BytesIO(TOO_LONG)
    seen = testing.StartResponseMock()
    hook.client.app(environ, seen)
    assert str(seen.status).startswith("413 ")
    assert hook.answers.calls == []


def test_a_length_of_thousands_of_digits_is_too_large(hook: Hook) -> None:
    """Python refuses to convert such numbers; the gate does not try."""
    environ = testing.create_environ("/okta/import", method="POST")
    environ["CONTENT_LENGTH"] = "9" * 5000
    seen = testing.StartResponseMock()
    hook.client.app(environ, seen)
    assert str(seen.status).startswith("413 ")


def test_a_body_nobody_may_send_is_not_read(hook: Hook) -> None:
    """Before authentication nothing of the body is touched."""
    environ = testing.create_environ("/okta/import", method="POST", headers={"Content-Type": JSON})
    body = environ["wsgi.input"] = io.BytesIO(b"{}")
    hook.client.app(environ, testing.StartResponseMock())
    assert body.tell() == 0


def test_the_arrival_is_what_the_server_stamped(hook: Hook) -> None:
    """The deadline counts from the arrival of the body, not from the start of the work."""
    hook.client.simulate_post(
        "/okta/import",
        headers={"Authorization": "the next secret", "Content-Type": JSON},
        extras={"usher.arrived": 12.5, "usher.taken-up": 13.5},
    )
    assert [arrived for _, arrived in hook.answers.calls] == [12.5]
    assert hook.answers.taken_up == [13.5]


def test_without_a_stamp_the_arrival_is_now(hook: Hook) -> None:
    """A server that stamps nothing gets the whole deadline."""
    before = time.monotonic()
    hook.post()
    assert before <= hook.answers.calls[0][1] == hook.answers.taken_up[0] <= time.monotonic()


def test_what_the_line_could_not_parse_is_counted_and_has_no_decision(hook: Hook) -> None:
    """A 400 is the line's answer and a refusal like the others."""
    hook.answers.reply = Reply(400, b'{"error":{}}', None, None)
    result = hook.post(b"{")
    assert (result.status_code, result.content) == (400, b'{"error":{}}')
    assert "x-usher-decision" not in result.headers
    assert hook.refusals.seen == [400]


def plain(text: str) -> str:
    """Return a text without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("fault", [ValueError("Ann Lee"), OSError("Ann Lee"), RecursionError(), MemoryError()])
def test_a_bug_in_the_line_ends_as_the_undecided_answer(
    hook: Hook, fault: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever goes wrong, Okta gets 200 and the undecided answer; the log has type and place, and no value."""
    hook.answers.fault = fault
    result = hook.post()
    assert (result.status_code, result.content) == (200, hook.answers.undecided().body)
    assert result.headers["x-usher-decision"] == "d-0"
    printed = capsys.readouterr()
    assert type(fault).__name__ in printed.out + printed.err
    assert "place=conftest.py:" in plain(printed.out + printed.err)
    assert "Ann Lee" not in printed.out + printed.err


def test_a_bug_in_the_refusing_still_gives_an_answer(hook: Hook) -> None:
    """Even where Falcon's own error handling fails there is an answer that does not create a duplicate."""
    hook.refusals.fault = ValueError()
    result = hook.post(path="/x")
    assert (result.status_code, result.content) == (200, hook.answers.undecided().body)
    assert result.headers["content-type"] == JSON


def test_a_refusal_never_quotes_what_was_sent(hook: Hook) -> None:
    """Refusals are fixed texts."""
    result = hook.post(b"SENT", path="/SENT", headers={"Authorization": "SENT", "X-SENT": "SENT"})
    assert "SENT" not in result.text


def test_importing_the_room_starts_no_thread_and_installs_no_handler() -> None:
    """Importing does nothing but define."""
    code = (
        "import signal, threading; before = signal.getsignal(signal.SIGINT);"
        "import usher.web.app, usher.web.serving, usher.web.signals;"
        "assert threading.active_count() == 1; assert signal.getsignal(signal.SIGINT) is before"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
