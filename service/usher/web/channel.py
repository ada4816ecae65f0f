"""waitress' view of one connection, with what Usher adds to it.

Owns the time stamp of a request's arrival, refusals in Okta's shape for what never reaches an app (413, garbage), and
the lingering close that lets such a refusal be read. A channel belongs to its listener's loop thread; `service` and the
tasks run on worker threads. Checked against waitress 3.0.2 (channel.py, parser.py, task.py).
"""

import re
import socket
import time
from typing import Any, Final

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask

from usher.web.access import AccessLog
from usher.web.hook import AFTERWARDS, ARRIVED, TAKEN_UP
from usher.web.refusals import Refusals, refusal_body, status_line

# How long the rest of a refused request is read and thrown away, so that its sender gets round to reading the answer.
LINGER_SECONDS: Final = 2.0
_CODINGS: Final = re.compile(rb"(?im)^transfer-encoding:([^\r\n]*)")


class Hosting:
    """What the channels of one listener share. `draining` is set once, by the loop thread, and read by the workers."""

    def __init__(self, refusals: Refusals, access: AccessLog | None = None) -> None:
        self.refusals = refusals
        self.access = access
        self.draining = False


class StampedParser(HTTPRequestParser):  # type: ignore[misc]  # waitress is untyped
    """Notes when a request was complete, its time in waitress' queue still ahead of it."""

    arrived = 0.0

    def received(self, data: bytes) -> int:
        """Take bytes; return how many belonged to this request."""
        consumed: int = super().received(data)
        if self.completed:
            self.arrived = time.monotonic()
            # waitress sends "100 Continue" even to a request it refuses or that has no body, and then waits for more.
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Parse request line and headers; raises `ParsingError`.

        APPSEC: a request that says its length in two ways ends elsewhere for the proxy than for us, and what the proxy
        took for its rest would be a request here (RFC 9112, section 6.1). waitress goes by the chunks and serves it.
        """
        codings = [value.strip(b" \t").lower() for value in _CODINGS.findall(header_plus)]
        try:
            super().parse_header(header_plus)
        except ValueError:  # waitress lets through what int() and urlsplit() say of 5,000 digits and of `http://[`
            raise ParsingError("a length or a target that cannot be read") from None
        # HTTP/1.0 has no codings. waitress serves `chunked, chunked`, and takes one without a name for none.
        is_plain = codings == [b"chunked"] and self.version == "1.1" and "CONTENT_LENGTH" not in self.headers
        if codings and not is_plain:
            raise ParsingError("the length is said in two ways")


class _ClosesWhenDraining:
    """Tells the client of a stopping listener not to send another request on this connection."""

    channel: Any
    request: Any

    def build_response_header(self) -> bytes:
        if self.channel.hosting.draining and len(self.channel.requests) <= 1:
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()  # type: ignore[misc]  # waitress' Task, further on in the order
        return header


class _TellsOfItself:
    """Tells the access log, if there is one, of every answer, once.

    An exception ends here in one of two ways: the client has gone and got no answer, or the app has failed, and the
    task that says so tells of it, unless the answer was under way.
    """

    channel: Any
    wrote_header: bool

    def service(self) -> None:
        has_gone = False
        try:
            super().service()  # type: ignore[misc]  # waitress' Task, further on in the order
        except ClientDisconnected:
            has_gone = True
            raise
        finally:
            access: AccessLog | None = self.channel.hosting.access
            if access is not None and self.wrote_header and not has_gone:
                access.answered(self)


class RequestTask(_ClosesWhenDraining, _TellsOfItself, WSGITask):  # type: ignore[misc]  # waitress is untyped
    """Runs the app for one request."""

    wrote_header: bool
    environ: dict[str, Any] | None

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environ with the time of arrival in it."""
        environ: dict[str, Any] = super().get_environment()
        environ[ARRIVED] = self.request.arrived
        environ[TAKEN_UP] = time.monotonic()
        return environ

    def service(self) -> None:
        """Answer, and do afterwards what the answer left to do; by then the worker has sent what the socket took."""
        super().service()
        afterwards = (self.environ or {}).get(AFTERWARDS)
        if afterwards is not None:
            afterwards()

    def write(self, data: bytes) -> None:
        """Send header and body in one packet and one system call, where waitress makes two."""
        if self.wrote_header or not self.complete or not self.has_body or self.content_length != len(data):
            super().write(data)
            return
        header = self.build_response_header()
        self.wrote_header = True
        self.content_bytes_written = len(data)
        self.channel.write_soon(header + data)


class RefusalTask(_ClosesWhenDraining, _TellsOfItself, ErrorTask):  # type: ignore[misc]  # waitress is untyped
    """Answers what no app gets to see. APPSEC: waitress' own texts quote the request's headers; these do not."""

    def execute(self) -> None:
        """Write the refusal; the connection ends with it."""
        status: int = self.request.error.code
        body = refusal_body(status)
        self.status = status_line(status)
        self.response_headers.append(("Content-Type", "application/json"))
        self.content_length = len(body)
        self.channel.lingers = True
        # Or waitress would promise to keep the connection of an HTTP/1.0 client that asks for that, beside closing it.
        self.request.headers["CONNECTION"] = "close"
        self.set_close_on_finish()
        self.channel.hosting.refusals.refused(status)
        # The method is known unless the request line itself could not be read.
        self.write(b"" if getattr(self.request, "command", "") == "HEAD" else body)


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress is untyped
    """One connection."""

    parser_class = StampedParser
    task_class = RequestTask
    error_task_class = RefusalTask
    lingers = False
    creation_time: float
    last_activity: float
    requests: list[Any]
    request: Any
    total_outbufs_len: int
    will_close: bool
    _linger_until: float | None = None

    def __init__(self, hosting: Hosting, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # waitress' own
        self.hosting = hosting
        super().__init__(*arguments, **options)

    @property
    def is_busy(self) -> bool:
        """Whether a request is in work or partly received, or an answer not yet wholly sent.

        A worker appends its output before it gives up its request, so there is no moment at which neither shows.
        """
        return bool(
            self.requests
            or self.request is not None
            or self.total_outbufs_len
            or self.close_when_flushed
            or self.will_close
            or self._linger_until
        )

    def handle_read(self) -> None:
        """Read what there is."""
        partial, active = self.request, self.last_activity
        super().handle_read()
        if partial is not None and self.request is partial:
            # APPSEC: a request that trickles in is no activity, or one byte a second would hold a connection for ever.
            self.last_activity = active

    def received(self, data: bytes) -> bool:
        """Take bytes from the client, or throw them away after a refusal."""
        if self._linger_until is not None:
            return False
        accepted: bool = super().received(data)
        return accepted

    def readable(self) -> bool:
        """Say whether the loop should look for input."""
        return self._linger_until is not None or bool(super().readable())

    def writable(self) -> bool:
        """Say whether the loop should offer to take output, which is also how a lingering channel gets closed."""
        if self._linger_until is not None:
            return time.monotonic() >= self._linger_until
        if self.total_outbufs_len and self.requests and self._is_being_sent():
            return False
        return bool(super().writable())

    def handle_write(self) -> None:
        """Send what there is."""
        if self._linger_until is not None:
            self.handle_close()
            return
        super().handle_write()

    def handle_close(self) -> None:
        """Close now, or after the rest of a refused request.

        Closing with input unread makes the kernel reset the connection, and the refusal may be lost with it.
        """
        if self.lingers and self.will_close and self.connected and self._linger_until is None:
            self._linger_until = time.monotonic() + LINGER_SECONDS
            self.will_close = False
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            else:
                return
        super().handle_close()

    def _is_being_sent(self) -> bool:
        """Say whether a worker is sending right now; it wakes the loop when it is done.

        waitress lets the loop spin meanwhile, and a spinning loop keeps the worker from getting the interpreter lock
        back from its system call: with 75 connections throughput fell from 5,000 requests a second to 80.
        """
        if not self.outbuf_lock.acquire(blocking=False):
            return True
        self.outbuf_lock.release()
        return False

    def cut(self) -> None:
        """Close whatever is going on; a worker that still writes here is told that the client is gone."""
        self.lingers = False
        self.handle_close()
