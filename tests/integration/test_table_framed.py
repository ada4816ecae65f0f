"""Every row of the design's HTTP table through the installed service, however the bytes of the request arrive."""

import itertools
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.integration.conftest import Answer, answers_in
from tests.integration.installations import Installation
from tests.integration.payloads import GUIDE_CASE, OKTA_SAMPLE, like_the_guide
from tests.integration.usher_process import PATIENCE_SECONDS, SECRET, UsherProcess

CREDENTIAL = f"Authorization: {SECRET}"
JSON = "Content-Type: application/json"
POST = "POST /okta/import HTTP/1.1"
BODY_LIMIT_BYTES = 4096
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Row:
    """A row of the table: what is sent, and the status that it gets; `causes` of an answer that is an error."""

    status: int
    body: bytes
    headers: tuple[str, ...] = (CREDENTIAL, JSON)
    line: str = POST
    causes: bool = False
    decided: bool = False


def sample(change: Callable[[dict[str, object]], object]) -> bytes:
    """Return Okta's sample, changed."""
    request = json.loads(OKTA_SAMPLE.read_bytes())
    change(request)
    return json.dumps(request).encode()


GOOD = GUIDE_CASE.read_bytes()
ROWS = {
    "no credential": Row(401, GOOD, (JSON,)),
    "wrong credential": Row(403, GOOD, ("Authorization: another secret", JSON)),
    "no credential and no JSON": Row(401, b"nonsense", (JSON,)),
    "another path": Row(404, GOOD, line="POST /okta/imports HTTP/1.1"),
    "a path of operations": Row(404, GOOD, line="POST /reload HTTP/1.1"),
    "another method": Row(405, GOOD, line="PUT /okta/import HTTP/1.1"),
    "another media type": Row(415, GOOD, (CREDENTIAL, "Content-Type: text/plain")),
    "no media type": Row(415, GOOD, (CREDENTIAL,)),
    "not JSON": Row(400, b'{"eventId": ', causes=True),
    "not UTF-8": Row(400, GOOD.replace(b"George", b"Ge\xffrge"), causes=True),
    "NaN": Row(400, b'{"eventId": NaN}', causes=True),
    "duplicate keys": Row(400, b'{"eventId": "1", "eventId": "2"}', causes=True),
    "nested too deep": Row(400, b"[" * 1000 + b"]" * 1000, causes=True),
    "breaks the schema": Row(200, sample(lambda request: request.pop("data")), causes=True),
    "another event": Row(200, sample(lambda request: request.update(eventType="com.okta.other")), causes=True),
    "decided": Row(200, GOOD, decided=True),
    "decided, media type in capitals": Row(200, GOOD, (CREDENTIAL, "CONTENT-TYPE: Application/JSON; charset=x")),
}


def head(row: Row, *more: str) -> bytes:
    """Return everything before the body."""
    return "\r\n".join((row.line, "Host: hook", *row.headers, *more, "", "")).encode()


def with_length(row: Row) -> list[bytes]:
    """Send it whole."""
    return [head(row, f"Content-Length: {len(row.body)}") + row.body]


def in_one_chunk(row: Row) -> list[bytes]:
    """Send the body as one chunk."""
    chunk = b"%x\r\n%s\r\n" % (len(row.body), row.body)
    return [head(row, "Transfer-Encoding: chunked") + chunk + b"0\r\n\r\n"]


def in_small_chunks(row: Row) -> list[bytes]:
    """Send the body in chunks of 700 bytes, with extensions, each in two pieces."""
    pieces = [head(row, "Transfer-Encoding: chunked")]
    for start in range(0, len(row.body), 700):
        part = row.body[start : start + 700]
        pieces += [b"%X;name=value\r\n%s" % (len(part), part[:3]), part[3:] + b"\r\n"]
    return [*pieces, b"0\r\n", b"\r\n"]


def in_pieces(row: Row) -> list[bytes]:
    """Send it in pieces that end within a line, between head and body, and before the last byte."""
    whole = with_length(row)[0]
    blank = whole.index(b"\r\n\r\n")
    cuts = (0, 5, 30, blank + 2, blank + 4, len(whole) - 1, len(whole))
    return [whole[start:end] for start, end in itertools.pairwise(cuts)]


FRAMINGS = {
    framing.__name__.replace("_", " "): framing for framing in (with_length, in_one_chunk, in_small_chunks, in_pieces)
}


@pytest.fixture(scope="module")
def usher(wheel_installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UsherProcess]:
    """Return one service for all rows, with a small limit on bodies."""
    process = UsherProcess(
        [wheel_installation.usher, "serve"],
        tmp_path_factory.mktemp("table"),
        USHER_SECRET=SECRET,
        USHER_POLICIES_GATE="off",
        USHER_SERVER_BODY_LIMIT_BYTES=str(BODY_LIMIT_BYTES),
    )
    process.wait_until_ready()
    yield process
    process.clear_away()


@pytest.fixture
def connected(usher: UsherProcess) -> Iterator[socket.socket]:
    """Return a connection to the hook that sends each piece at once."""
    with socket.create_connection(usher.hook, timeout=PATIENCE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def check(row: Row, answer: Answer) -> None:
    """Compare an answer with its row: status, shape, and that nothing sent comes back."""
    assert answer.status == row.status, answer
    told = json.loads(answer.body)
    assert not {"error", "commands"} <= told.keys()
    assert ("x-usher-decision" in answer.headers) is (row.status == 200)
    if row.status != 200 or row.causes:
        assert told["error"]["errorCauses"]
        assert "George" not in answer.body.decode()
    if row.decided:
        assert told["debugContext"]["fired"] == ["logins/free-login"]


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_gets_its_answer_however_it_arrives(
    connected: socket.socket, row: Row, framing: Callable[[Row], list[bytes]]
) -> None:
    """Length, chunks or pieces: the status is the row's."""
    for piece in framing(row):
        connected.sendall(piece)
    check(row, answers_in(connected, 1)[0])


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_between_two_calls_on_one_connection(connected: socket.socket, row: Row) -> None:
    """Pipelined: three answers in order, each its own; a refusal by the app ends no connection."""
    before, after = (Row(200, like_the_guide(next(NUMBERS))) for _ in range(2))
    connected.sendall(b"".join(with_length(before) + in_one_chunk(row) + with_length(after)))
    first, middle, last = answers_in(connected, 3)
    check(row, middle)
    logins = [json.loads(answer.body)["commands"][0]["value"]["login"] for answer in (first, last)]
    names = [json.loads(call.body)["data"]["user"]["profile"]["firstName"].lower() for call in (before, after)]
    assert [login.partition(".")[0] for login in logins] == names


@pytest.mark.parametrize("framing", [with_length, in_one_chunk, in_small_chunks], ids=lambda framing: framing.__name__)
@pytest.mark.parametrize("headers", [(CREDENTIAL, JSON), (JSON,), ()], ids=["allowed", "no credential", "bare"])
def test_a_body_over_the_limit_is_refused_before_anything_else(
    connected: socket.socket, headers: tuple[str, ...], framing: Callable[[Row], list[bytes]]
) -> None:
    """413 stands before 401 and 415, and the connection ends with it."""
    row = Row(413, b'"%s"' % (b"x" * BODY_LIMIT_BYTES), headers)
    for piece in framing(row):
        try:
            connected.sendall(piece)
        except ConnectionError:
            break
    check(row, answers_in(connected, 1)[0])


MALFORMED = {
    "no HTTP at all": b"hello\r\n\r\n",
    "a second length": head(Row(400, b"", (CREDENTIAL, JSON, "Content-Length: 2")), "Content-Length: 3") + b"{}x",
    "a negative length": head(Row(400, b""), "Content-Length: -1"),
    "length and chunks": head(Row(400, b""), "Content-Length: 2", "Transfer-Encoding: chunked")
    + b"2\r\n{}\r\n0\r\n\r\n",
    "chunks of chunks": head(Row(400, b""), "Transfer-Encoding: chunked, chunked") + b"2\r\n{}\r\n0\r\n\r\n",
    "chunks twice": head(Row(400, b""), "Transfer-Encoding: chunked", "transfer-encoding: chunked")
    + b"2\r\n{}\r\n0\r\n\r\n",
    "a coding without a name": head(Row(400, b""), "Transfer-Encoding: ", "Content-Length: 2") + b"{}",
    "chunks in HTTP/1.0": head(
        Row(400, b"", line="POST /okta/import HTTP/1.0"), "Connection: keep-alive", "Transfer-Encoding: chunked"
    )
    + b"2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size that is none": head(Row(400, b""), "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk without its end": head(Row(400, b""), "Transfer-Encoding: chunked") + b"2\r\n{}0\r\n\r\n",
    "a header without a colon": head(Row(400, b"", (CREDENTIAL, JSON, "nonsense")), "Content-Length: 2") + b"{}",
    "a blank before the colon": head(Row(400, b"", (CREDENTIAL, JSON, "A : b")), "Content-Length: 2") + b"{}",
    "another coding": head(Row(501, b""), "Transfer-Encoding: gzip, chunked") + b"2\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_refused_and_what_follows_it_is_not_read(
    usher: UsherProcess, connected: socket.socket, raw: bytes
) -> None:
    """APPSEC: after a request whose end is in doubt, nothing on that connection is taken for another one."""
    smuggled = with_length(Row(200, like_the_guide(next(NUMBERS), event_id="smuggled")))[0]
    connected.sendall(raw + smuggled)
    answer = answers_in(connected, 1)[0]
    assert answer.status in {400, 501}
    assert json.loads(answer.body)["error"]["errorCauses"]
    try:
        rest = connected.recv(65_536)
    except ConnectionError:
        rest = b""
    assert rest == b""
    assert "smuggled" not in usher.decision_log_text()


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_a_truncated_call_decides_nothing(usher: UsherProcess, framing: Callable[[Row], list[bytes]]) -> None:
    """Cut anywhere, and the sending side closed: no decision; the next caller is served."""
    event = f"truncated-{framing.__name__}"
    whole = b"".join(framing(Row(200, like_the_guide(next(NUMBERS), event_id=event))))
    for cut in (1, 40, whole.index(b"\r\n\r\n") + 4, len(whole) - 200, len(whole) - 1):
        with socket.create_connection(usher.hook, timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(whole[:cut])
            connection.shutdown(socket.SHUT_WR)
            assert b"200 OK" not in connection.recv(65_536)
    assert usher.post(like_the_guide(next(NUMBERS))).status == 200
    assert event not in usher.decision_log_text()
