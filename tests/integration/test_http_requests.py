"""Requests a hook listener must survive, sent as raw bytes to a real one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Answer, HookService, Serve

MIB = 1_048_576
HEAD = (
    b"POST /okta/import HTTP/1.1\r\nHost: hook\r\nAuthorization: Basic c2VjcmV0\r\nContent-Type: application/json\r\n"
)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def still_serves(service: HookService) -> bool:
    """Say whether an ordinary call on a fresh connection is answered."""
    return service.ask(service.raw(b"[1]")).body == service.expected(b"[1]")


def is_refusal(answer: Answer, status: int) -> bool:
    """Say whether this is Okta's error shape with the status."""
    return answer.status == status and answer.headers["content-type"] == "application/json" and bool(answer.summary)


def test_a_call_is_answered_and_the_connection_kept(hook_service: HookService) -> None:
    """Two calls on one connection; the answer names neither library nor version."""
    caller = hook_service.connect()
    for body in (b"{}", b'{"a": 1}'):
        caller.send(hook_service.raw(body))
        answer = caller.read()
        assert (answer.status, answer.body) == (200, hook_service.expected(body))
        assert answer.headers["x-usher-decision"] == "d-1"
        assert answer.headers["server"] == "usher"
        assert "via" not in answer.headers
    assert len(hook_service.line.calls) == 2


@pytest.mark.parametrize(
    "target",
    [
        "//okta/import",
        "/okta%2Fimport",
        "/okta/impor%74",
        "/okta//import",
        "/./okta/import",
        "/okta/import;x",
        "/%2fokta/import",
    ],
)
def test_only_the_path_itself_is_the_hook(hook_service: HookService, target: str) -> None:
    """APPSEC: what waitress would make the same path is another one to the proxy in front, so it is none here."""
    assert is_refusal(hook_service.ask(hook_service.raw(line=f"POST {target} HTTP/1.1")), 404)
    assert hook_service.line.calls == []


@pytest.mark.parametrize("target", ["/okta/import?a=//b", "http://hook/okta/import", "http://hook/okta/import?x"])
def test_query_and_absolute_form_are_the_hook_too(hook_service: HookService, target: str) -> None:
    """RFC 9112 has a server accept both."""
    assert hook_service.ask(hook_service.raw(line=f"POST {target} HTTP/1.1")).status == 200


def test_a_fault_while_the_headers_are_written_ends_as_the_undecided_answer(hook_service: HookService) -> None:
    """Even what waitress refuses to send does not become a 500, which would create a duplicate."""
    hook_service.line.decision_id = "d\r\nX-Injected: 1"
    answer = hook_service.ask(hook_service.raw())
    assert (answer.status, answer.body) == (200, hook_service.line.undecided().body)
    assert "x-injected" not in answer.headers


def test_a_body_of_10_mb_is_refused_and_its_sender_can_read_so(hook_service: HookService) -> None:
    """413, although the sender only reads once it has sent everything; the line sees nothing."""
    caller = hook_service.connect()
    caller.send(hook_service.raw(b"x" * 10 * MIB))
    answer = caller.read()
    assert is_refusal(answer, 413)
    assert answer.headers["connection"] == "close"
    assert hook_service.line.calls == []
    assert hook_service.refusals.seen == [413]
    assert still_serves(hook_service)


def test_10_mb_in_chunks_are_refused_too(hook_service: HookService) -> None:
    """Without a declared length the limit holds for what has come."""
    caller = hook_service.connect()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    caller.send(CHUNKED, chunk * 160, b"0\r\n\r\n")
    assert is_refusal(caller.read(), 413)
    assert hook_service.line.calls == []


@pytest.mark.parametrize(("size", "status"), [(MIB, 200), (MIB + 1, 413)])
def test_the_limit_itself_is_served(hook_service: HookService, size: int, status: int) -> None:
    """1 MiB passes, one byte more does not."""
    assert hook_service.ask(hook_service.raw(b"x" * size)).status == status


def test_413_stands_before_401(hook_service: HookService) -> None:
    """The table's order holds across waitress and the app."""
    raw = hook_service.raw(b"x" * (MIB + 1)).replace(b"Basic", b"Wrong")
    assert hook_service.ask(raw).status == 413


def test_a_length_that_is_too_short_cuts_the_body_and_ends_the_connection(hook_service: HookService) -> None:
    """The rest of the body is no request: it is refused and nothing behind it is believed."""
    caller = hook_service.connect()
    caller.send(hook_service.raw(b'{"a": 1} and no more\r\n\r\n', length=8))
    first, second = caller.read_several(2)
    assert first.body == hook_service.expected(b'{"a": 1}')
    assert is_refusal(second, 400)
    assert caller.is_closed()
    assert still_serves(hook_service)


def test_a_length_that_is_too_long_decides_nothing(hook_service: HookService) -> None:
    """A body that never gets complete never reaches the line, and its sender gets no answer."""
    caller = hook_service.connect()
    caller.send(hook_service.raw(b"{}", length=100))
    assert still_serves(hook_service)
    caller.socket.shutdown(1)
    assert caller.is_closed()
    assert [body for body, _ in hook_service.line.calls] == [b"[1]"]


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "0x10", "2, 2", "+2", "\u0662", ""])
def test_a_length_that_is_no_number_is_refused(hook_service: HookService, length: str) -> None:
    """400, and the text sent is not sent back."""
    answer = hook_service.ask(hook_service.raw(length=length))
    assert is_refusal(answer, 400)
    assert hook_service.line.calls == []


@pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION", "aUTHORIZATIOn"])
def test_header_names_have_no_case(hook_service: HookService, name: str) -> None:
    """On the wire any case of a header's name will do."""
    raw = hook_service.raw().replace(b"Authorization", name.encode()).replace(b"Content-Type", b"cOnTeNt-tYpE")
    assert hook_service.ask(raw).status == 200


@pytest.mark.parametrize("second", ["Basic c2VjcmV0", "Basic other", ""])
def test_two_authorization_headers_are_wrong(hook_service: HookService, second: str) -> None:
    """Which of two is meant cannot be known, even if both are right."""
    answer = hook_service.ask(hook_service.raw(b"{}", f"Authorization: {second}"))
    assert is_refusal(answer, 403)
    assert hook_service.line.calls == []


def test_a_chunked_body_arrives_whole(hook_service: HookService) -> None:
    """Proxies may send chunks; the line sees the body."""
    caller = hook_service.connect()
    caller.send(CHUNKED, b'5\r\n{"a":\r\n', b"3;x=y\r\n 1}\r\n", b"0\r\nTrailer: x\r\n\r\n")
    assert caller.read().body == hook_service.expected(b'{"a": 1}')


@pytest.mark.parametrize("chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n"])
def test_broken_chunks_are_refused(hook_service: HookService, chunks: bytes) -> None:
    """400, and nothing decided."""
    assert is_refusal(hook_service.ask(CHUNKED + chunks), 400)
    assert hook_service.line.calls == []


def test_pipelined_calls_are_answered_in_order(hook_service: HookService) -> None:
    """Several calls in one packet get their answers, each its own, in the order sent."""
    bodies = [f"[{number}]".encode() for number in range(20)]
    caller = hook_service.connect()
    caller.send(b"".join(hook_service.raw(body) for body in bodies))
    assert [answer.body for answer in caller.read_several(20)] == [hook_service.expected(body) for body in bodies]


def test_the_arrival_is_stamped_before_the_queue(serve_hook: Serve) -> None:
    """A call that waits behind another has its time running already."""
    service = serve_hook(threads=2)
    service.line.may_answer.clear()
    caller = service.connect()
    caller.send(service.raw(b"[1]") + service.raw(b"[2]"))
    assert service.line.entered.acquire(timeout=60)
    # The loop answers this one after it has read the other two: a refusal needs no leave of the line's.
    assert service.ask(b"GET / HTTP/1.1\r\n\r\n").status == 401
    released = time.monotonic()
    service.line.may_answer.set()
    caller.read_several(2)
    (_, first), (_, second) = service.line.calls
    assert first <= second < released
    # What the second waited for is the first one's answer, and that is told apart from what is done with it afterwards.
    assert service.line.waits[1] >= released - second


@pytest.mark.parametrize("cut", [10, 60, -10, -8, -1])
def test_a_truncated_call_decides_nothing(hook_service: HookService, cut: int) -> None:
    """A client that hangs up in the middle leaves no trace."""
    caller = hook_service.connect()
    caller.send(hook_service.raw(b'{"a": 1}')[:cut])
    caller.socket.shutdown(1)
    assert caller.is_closed()
    assert still_serves(hook_service)
    assert len(hook_service.line.calls) == 1


@pytest.mark.parametrize(("connection", "closes"), [("close", True), ("keep-alive", False)])
def test_http_1_0_is_served(hook_service: HookService, connection: str, closes: bool) -> None:  # noqa: FBT001  # a case
    """Old proxies speak HTTP/1.0; keep-alive is theirs to ask for."""
    caller = hook_service.connect()
    raw = hook_service.raw(b"{}", f"Connection: {connection}", line="POST /okta/import HTTP/1.0")
    caller.send(raw)
    answer = caller.read()
    assert (answer.status, answer.version, answer.body) == (200, 10, hook_service.expected())
    if closes:
        assert caller.is_closed()
    else:
        caller.send(raw)
        assert caller.read().status == 200


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"SENT\r\n\r\n", 400),
        (b"post /okta/import HTTP/1.1\r\n\r\n", 400),
        (b"POST  /okta/import HTTP/1.1\r\n\r\n", 400),
        (b"POST /okta/import HTTP/1.1\r\nSENT\r\n\r\n", 400),
        (b"POST /okta/import HTTP/1.1\r\nA: SENT\nB: SENT\r\n\r\n", 400),
        (b"POST /okta/import HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /okta/import HTTP/1.1\r\nA: " + b"SENT" * 10_000 + b"\r\n\r\n", 431),
        (b"SENT" * 10_000, 431),
    ],
)
def test_garbage_is_refused_in_oktas_shape_without_an_echo(
    hook_service: HookService, garbage: bytes, status: int
) -> None:
    """What is no request gets a fixed text, is counted, and ends its connection."""
    caller = hook_service.connect()
    caller.send(garbage)
    answer = caller.read()
    assert is_refusal(answer, status)
    assert b"SENT" not in answer.body
    assert caller.is_closed()
    assert hook_service.refusals.seen == [status]
    assert still_serves(hook_service)


def test_100_continue_is_sent_for_what_may_go_on(hook_service: HookService) -> None:
    """A client such as curl asks before it sends a large body."""
    caller = hook_service.connect()
    caller.send(hook_service.raw(b"", "Expect: 100-continue", length=2))
    assert caller.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    caller.send(b"{}")
    assert caller.read().status == 200


@pytest.mark.parametrize(("length", "status"), [(10 * MIB, 413), (0, 200)])
def test_100_continue_is_not_sent_where_there_is_nothing_to_go_on(
    hook_service: HookService, length: int, status: int
) -> None:
    """A refused request and one without a body get their answer, not a wait."""
    caller = hook_service.connect()
    caller.send(hook_service.raw(b"", "Expect: 100-continue", length=length))
    # http.client skips a 100, so the first line is read as it came.
    assert caller.socket.recv(12) == f"HTTP/1.1 {status}".encode()
