"""Whatever comes in on a connection, a real listener answers in whole HTTP or hangs up, and serves the next caller.

Raw requests, well-formed ones and those known for the trouble they cause, made worse by Hypothesis. After each come
enough bytes to end any request that might still be open, so that the listener has no reason to wait: silence is a hang.
"""

import itertools
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.integration.conftest import SECRET, HookService, Serve, digest
from tests.integration.mutations import Sent, mutated, tried

LIMIT_BYTES = 8192
# More than the limits of header and body together: a request that is still open after these is too large.
ENDING = b"~" * (3 * LIMIT_BYTES) + b"\r\n\r\n"
# Far beyond what an answer takes, and below what an idle or half-sent request is given: only a hang gets there.
PATIENCE_SECONDS = 20.0
BODY = b'{"a": "b"}'
HEADERS = f"Host: hook\r\nAuthorization: {SECRET}\r\nContent-Type: application/json\r\n".encode()
LINE = b"POST /okta/import HTTP/1.1\r\n"
CALL = LINE + HEADERS + b"Content-Length: 10\r\n\r\n" + BODY
CHUNKS = b"4\r\n" + BODY[:4] + b"\r\n6;x=y\r\n" + BODY[4:] + b"\r\n0\r\n\r\n"
CHUNKED = LINE + HEADERS + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS


def with_header(*headers: bytes, body: bytes = BODY) -> bytes:
    """Return a call with further headers."""
    return LINE + HEADERS + b"\r\n".join(headers) + b"\r\n\r\n" + body


REQUESTS = (
    *(CALL, CALL, CHUNKED, CHUNKED, CALL + CALL, CHUNKED + CALL, CALL + CHUNKED + CALL),
    # Said in two ways how long it is.
    with_header(b"Content-Length: 10", b"Transfer-Encoding: chunked", body=CHUNKS),
    with_header(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=CHUNKS + CALL),
    with_header(b"Content-Length: 10", b"Content-Length: 11"),
    with_header(b"Content-Length: 10, 10"),
    with_header(b"Transfer-Encoding: xchunked", body=CHUNKS),
    with_header(b"Transfer-Encoding: chunked, identity", body=CHUNKS),
    with_header(b"Transfer-Encoding : chunked", body=CHUNKS),
    with_header(b"Transfer-Encoding:\x0bchunked", body=CHUNKS),
    with_header(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKS),
    with_header(b"Connection: keep-alive", b"Transfer-Encoding: chunked", body=CHUNKS).replace(
        b"HTTP/1.1", b"HTTP/1.0"
    ),
    # Lengths that are none.
    with_header(b"Content-Length: +10"),
    with_header(b"Content-Length: -10"),
    with_header(b"Content-Length: 1_0"),
    with_header(b"Content-Length: 0x0a"),
    with_header(b"Content-Length: " + b"1" * 1500),
    with_header(b"Content-Length: 99"),
    with_header(b"Content-Length: 3"),
    # Headers that are none.
    with_header(b"Content-Length: 10", b"X-Folded: a\r\n b"),
    with_header(b"Content-Length: 10", b"X-Nul: a\x00b"),
    with_header(b"Content-Length: 10", b"No colon"),
    with_header(b"Content-Length: 10", b": nameless"),
    with_header(b"Content-Length: 10", b"Expect: 100-continue"),
    with_header(
        b"Content-Length: 10", b"Connection: close, Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"
    ),
    CALL.replace(b"\r\n", b"\n"),
    CALL.replace(b"\r\n", b"\r"),
    # Other lines to begin with.
    *(
        CALL.replace(b"HTTP/1.1", version)
        for version in (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9", b"http/1.1", b"")
    ),
    *(
        CALL.replace(b"/okta/import", target)
        for target in (
            b"http://hook/okta/import",
            b"http://[",
            b"http://a:b@c:99999/",
            b"*",
            b"//okta/import",
            b"/%00",
            b"/\xff",
        )
    ),
    *(
        CALL.replace(b"POST", method)
        for method in (b"GET", b"post", b"OPTIONS", b"TRACE", b"CONNECT", b"P\tOST", b"WEBSOCKET")
    ),
    b"GET /\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\r\n\r\n\r\n" + CALL,
)
TOKENS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"\n\n",
        b" ",
        b"\t",
        b":",
        b"\x00",
        b"\x0b",
        b"\x85",
        b"\xa0",
        b"\xff",
        b",",
        b";",
        b"\r\n ",
    ),
    *(b"0\r\n\r\n", b"\r\n0\r\n", b"ffffffffffffffff\r\n", b"-1\r\n", b"0x2\r\n", b"5;" + b"e" * 300 + b"\r\n"),
    *(
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer_Encoding: chunked\r\n",
        b"Connection: close\r\n",
    ),
    *(
        b"Expect: 100-continue\r\n",
        b"Authorization: x\r\n",
        b"Content-Type: text/plain\r\n",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"http://[",
    ),
    *(b"#", b"?", b"%", b"%2f", b"//", b"X: " + b"y" * 9000 + b"\r\n"),
)
FIRST = [
    (Sent(CALL * 3), list[int]()),
    (Sent(CHUNKED * 2), [1, 1, 1]),
    (Sent(with_header(b"Content-Length: 10" + b"0" * 4400)), list[int]()),
]
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) [A-Za-z ]+")
HEADER = re.compile(rb"[A-Za-z-]+: [\x20-\x7e]*")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def requests() -> st.SearchStrategy[tuple[Sent, list[int]]]:
    """Return bytes to send, and where to part them in packets."""
    one = st.one_of(st.sampled_from(REQUESTS).map(Sent), mutated(REQUESTS, TOKENS), mutated(REQUESTS, TOKENS))
    several = st.lists(one, min_size=1, max_size=3).map(lambda parts: Sent(b"".join(parts)))
    return st.tuples(several, st.lists(st.integers(1, 400), max_size=3))


@dataclass
class Heard:
    """What came back on a connection: responses in order, and how it ended."""

    statuses: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    was_reset: bool = False
    closes: list[bool] = field(default_factory=list)


def exchange(service: HookService, raw: bytes, parts: list[int]) -> Heard:
    """Send, then end whatever is open, then read until the listener hangs up."""
    heard, answered = Heard(), b""
    with socket.create_connection(service.listener.address, PATIENCE_SECONDS) as connection:
        with suppress(ConnectionError):
            for part in packets(raw, parts):
                connection.sendall(part)
            connection.sendall(ENDING)
        try:
            while piece := connection.recv(65_536):
                answered += piece
        except ConnectionError:
            heard.was_reset = True
    read_responses(answered, heard)
    return heard


def packets(raw: bytes, parts: list[int]) -> Iterator[bytes]:
    """Part the bytes; waitress looks at each packet by itself."""
    for much in parts:
        yield raw[:much]
        raw = raw[much:]
    yield raw


def read_responses(answered: bytes, heard: Heard) -> None:
    """Take the bytes apart; a response that is not whole is one only if the connection was reset."""
    while answered:
        answered = answered.removeprefix(CONTINUE)
        head, found, rest = answered.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        if not found:
            assert heard.was_reset, answered
            return
        status = STATUS_LINE.fullmatch(line)
        assert status, line
        assert all(HEADER.fullmatch(header) for header in headers), headers
        pairs = [header.lower().partition(b": ")[::2] for header in headers]
        by_name = dict(pairs)
        assert len(pairs) == len(by_name), headers
        length = int(by_name[b"content-length"])
        if len(rest) < length:
            assert heard.was_reset, answered
            return
        assert by_name[b"content-type"] == b"application/json"
        heard.statuses.append(int(status[1]))
        heard.bodies.append(rest[:length])
        heard.closes.append(by_name.get(b"connection") == b"close")
        answered = rest[length:]


def hold_to_account(service: HookService, heard: Heard) -> None:
    """Hold what was heard against what was done."""
    assert set(heard.statuses) <= {200, 400, 401, 403, 404, 405, 413, 415, 431, 501}
    assert not any(heard.closes[:-1]), "nothing may follow an answer that closes"
    decided = [body for status, body in zip(heard.statuses, heard.bodies, strict=True) if status == 200]
    done = [json.dumps({"digest": digest(body)}).encode() for body, _ in service.line.calls]
    service.line.calls.clear()
    if not heard.was_reset:
        # One call of the line for one answer: nothing is decided that nobody hears of.
        assert decided == done
    for status, body in zip(heard.statuses, heard.bodies, strict=True):
        if status != 200:
            error = json.loads(body)["error"]
            assert error["errorSummary"]
            assert all(cause["domain"] == "usher" for cause in error["errorCauses"])
            assert SECRET.encode() not in body


@pytest.fixture
def service(serve_hook: Serve) -> HookService:
    """Return a listener with small limits; nothing in it waits for longer than the client does."""
    return serve_hook(body_limit_bytes=LIMIT_BYTES, header_limit_bytes=LIMIT_BYTES, channel_timeout_seconds=60)


def test_every_request_is_answered_in_whole_http_and_the_next_one_served(
    service: HookService, caplog: pytest.LogCaptureFixture
) -> None:
    """No hang, no half response, no fault in the log, and a call on a new connection is answered as ever."""
    seen: Counter[int] = Counter()
    exchanges = itertools.count()

    def law(sent: tuple[Sent, list[int]]) -> None:
        next(exchanges)
        caplog.clear()
        events.clear()
        heard = exchange(service, *sent)
        hold_to_account(service, heard)
        seen.update(heard.statuses)
        healthy = exchange(service, CALL, [])
        assert (healthy.statuses[:1], healthy.bodies[:1]) == ([200], [service.expected(BODY)])
        service.line.calls.clear()
        assert caplog.records == []
        assert [event for event in events if event["log_level"] == "error"] == []

    with capture_logs() as events:
        tried(law, requests(), first=FIRST, examples=1000, share=0.5)
    print(next(exchanges), "exchanges", seen)
    # A fuzzer that only ever makes garbage would find nothing.
    assert seen.keys() >= {200, 400, 401, 403, 404, 405, 413, 415, 431, 501}


def test_every_known_trouble_by_itself(service: HookService) -> None:
    """The requests that the others are made from, whole and parted every few bytes."""
    for raw in REQUESTS:
        for at in range(0, len(raw), 37):
            hold_to_account(service, exchange(service, raw, [at]))


def test_a_refusal_of_head_has_no_body(service: HookService) -> None:
    """RFC 9110 has it so whoever refuses: a client that keeps the connection would take a body for the next answer."""
    for headers in (b"Transfer-Encoding: gzip\r\n", b"Content-Length: 99999\r\n", b"Authorization: wrong\r\n"):
        with socket.create_connection(service.listener.address, PATIENCE_SECONDS) as connection:
            connection.sendall(b"HEAD /okta/import HTTP/1.1\r\nConnection: close\r\n" + headers + b"\r\n")
            answered = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answered.startswith((b"HTTP/1.1 501", b"HTTP/1.1 413", b"HTTP/1.1 403"))
        assert answered.endswith(b"\r\n\r\n")
        assert b"Content-Length: " in answered
