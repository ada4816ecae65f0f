"""PostgreSQL connections that no server can make wait: psycopg's, with a moment until which a call may take.

Owns the bound on the client's side: a server that was stopped, or a network that swallows packets, outwaits every
time-out the server itself would keep. Any thread; one connection belongs to one thread at a time. The only module that
imports psycopg, which is an extra.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.abc import RV, PQGen
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError

_INTERVAL_SECONDS: Final = 0.1
_SHORTEST_SECONDS: Final = 0.001
_IDLE_SECONDS: Final = 10
"""A transaction that a dead process left open must not hold its locks for ever."""
_CONNECT_SECONDS: Final = 2
"""Also the least that psycopg knows."""
_LOCK_SHARE: Final = 0.75
"""Waiting for a lock ends before the call does: else it would look as if the server did not answer."""


class NoAnswerError(psycopg.OperationalError):
    """The server was not done when there was no time left; `is_late` tells it from what a server says."""

    is_late: Final = True


class PatientConnection(psycopg.Connection[Any]):
    """`left_seconds` says how long the thread that uses it may still wait; then the connection is given up."""

    left_seconds: Callable[[], float] = staticmethod(lambda: math.inf)

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL_SECONDS, timeout: float | None = None) -> RV:
        """Wait for the server, but no longer than there is time."""
        left = max(0.0, self.left_seconds() if timeout is None else min(timeout, self.left_seconds()))
        try:
            return super().wait(_bounded(gen, time.monotonic() + left), min(interval, max(_SHORTEST_SECONDS, left)))
        except NoAnswerError:
            # The server may still answer, into whatever is asked next: this connection is of no more use.
            self.pgconn.finish()
            raise

    def is_gone(self) -> bool:
        """Say whether the server has ended this idle connection, as when it was restarted; without asking it."""
        try:
            # The first look may find the server's farewell, only the second that nothing follows.
            self.pgconn.consume_input()
            self.pgconn.consume_input()
        except psycopg.OperationalError:
            return True
        return self.closed


def _bounded(steps: PQGen[RV], until: float) -> PQGen[RV]:
    """Hand the steps of an exchange on until its end, or until that moment of `time.monotonic()`."""
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            wanted = steps.send(ready)
            if time.monotonic() >= until:
                raise NoAnswerError("no answer in time")
    except StopIteration as end:
        result: RV = end.value
        return result


class Connector:
    """Opens connections on threads of their own: neither psycopg nor the search for a name keeps to tenths of seconds.

    An opening that outlasts the call that wanted it is taken over by the next: where every one takes longer than a call
    may wait, the second call has a connection. Raises `ValueError`, with what is wrong, for options libpq lacks.
    """

    def __init__(self, url: URL, timeout_seconds: float, left_seconds: Callable[[], float]) -> None:
        self._parameters = _parameters(url, timeout_seconds)
        self._left_seconds = left_seconds
        self._late: list[Future[PatientConnection]] = []
        try:
            make_conninfo(**self._parameters)
        except psycopg.ProgrammingError as error:
            raise ValueError(str(error).strip()) from None

    def connect(self) -> PatientConnection:
        """Return a new connection."""
        opening = self._taken_over() or self._begun()
        try:
            connection = opening.result(min(max(0.0, self._left_seconds()), threading.TIMEOUT_MAX))
        except TimeoutError:
            self._late.append(opening)
            raise NoAnswerError("no connection in time") from None
        connection.left_seconds = self._left_seconds
        return connection

    def watch(self, engine: Engine) -> None:
        """Let an engine lend no connection that the server has ended, and leave none behind when it is disposed of."""

        @event.listens_for(engine, "checkout")
        def check(connection: PatientConnection, *_: object) -> None:
            if connection.is_gone():
                raise DisconnectionError

        @event.listens_for(engine, "handle_error")
        def tell(context: ExceptionContext) -> None:
            # This server no longer leads: a new connection may find the one that does.
            if isinstance(context.original_exception, errors.ReadOnlySqlTransaction):
                context.is_disconnect = True

        @event.listens_for(engine, "engine_disposed")
        def close(*_: object) -> None:
            self.close()

    def close(self) -> None:
        """Close what was opened for nobody, now or when it comes."""
        with suppress(IndexError):
            while True:
                self._late.pop().add_done_callback(_close)

    def _begun(self) -> Future[PatientConnection]:
        opening: Future[PatientConnection] = Future()
        threading.Thread(target=_open, args=(opening, self._parameters), name="usher-connecting", daemon=True).start()
        return opening

    def _taken_over(self) -> Future[PatientConnection] | None:
        """Return an opening without a caller, under way or done and still good."""
        with suppress(IndexError):
            while True:
                opening = self._late.pop()
                if not opening.done() or (opening.exception() is None and not opening.result().is_gone()):
                    return opening
                _close(opening)
        return None


def _open(opening: Future[PatientConnection], parameters: Mapping[str, Any]) -> None:
    try:
        opening.set_result(PatientConnection.connect(prepare_threshold=None, **parameters))
    except Exception as error:  # noqa: BLE001 - raised again by whoever waits
        opening.set_exception(error)


def _close(opening: Future[PatientConnection]) -> None:
    if opening.exception() is None:
        opening.result().close()


def _parameters(url: URL, timeout_seconds: float) -> dict[str, Any]:
    bounds = {
        "statement_timeout": timeout_seconds,
        "lock_timeout": timeout_seconds * _LOCK_SHARE,
        "idle_in_transaction_session_timeout": max(_IDLE_SECONDS, 2 * timeout_seconds),
    }
    options = [f"-c {name}={_milliseconds(seconds)}" for name, seconds in bounds.items()]
    wanted = {name: value for name, value in url.query.items() if isinstance(value, str)}
    parameters = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "dbname": url.database,
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "usher",
        "client_encoding": "utf8",
        "keepalives_idle": 30,
        **wanted,
        "options": " ".join((*options, wanted.get("options", ""))).strip(),
    }
    return {name: value for name, value in parameters.items() if value is not None}


def _milliseconds(seconds: float) -> int:
    # 0 would be no bound at all, and more the server does not take.
    return int(min(max(1.0, seconds * 1000), 2**31 - 1))
