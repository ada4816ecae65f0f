"""The service log: one form for all, nobody's data in it, and nobody waits for it."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
import structlog

from usher.adapters.service_log import configure, in_the_background


@dataclass(frozen=True)
class Logging:
    """The settings this room needs."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "json"


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level, config = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def events(stream: io.StringIO) -> list[dict[str, object]]:
    """Return what was logged as JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_structlog_and_libraries_share_one_form() -> None:
    """An event of ours and a record of the standard library are both JSON with level and time."""
    stream = io.StringIO()
    configure(Logging(), stream)
    structlog.get_logger("usher.test").warning("listener_started", port=8080)
    logging.getLogger("waitress").warning("queue depth is %d", 3)
    ours, theirs = events(stream)
    assert (ours["event"], ours["port"], ours["level"]) == ("listener_started", 8080, "warning")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("queue depth is 3", "warning", "waitress")
    assert str(ours["timestamp"]).endswith("Z")


@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_holds_for_both(level: Literal["debug", "info", "warning", "error"], expected: int) -> None:
    """What is below the level is logged by nobody."""
    stream = io.StringIO()
    configure(Logging(level=level), stream)
    for source in (structlog.get_logger("usher.test"), logging.getLogger("watchfiles")):
        for name in ("debug", "info", "warning", "error"):
            getattr(source, name)("event")
    assert len(events(stream)) == 2 * expected


def test_a_library_that_quotes_callers_is_heard_from_warnings_on() -> None:
    """APPSEC: waitress tells of a caller who hung up with the path that was asked for, decoded line ends included."""
    stream = io.StringIO()
    configure(Logging(level="debug"), stream)
    logging.getLogger("waitress").info("Client disconnected while serving %s", "/okta\n2026-03-01 error forged")
    logging.getLogger("waitress.queue").info("serving %s", "/sally")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_path_that_waitress_quotes_stays_out(form: Literal["console", "json"]) -> None:
    """APPSEC: of a fault that no app has handled, waitress tells with the path, decoded; the place is enough."""
    stream = io.StringIO()
    configure(Logging(format=form), stream)
    try:
        int("x")
    except ValueError:
        logging.getLogger("waitress").exception("Exception while serving %s", "/sally\n2026 [error] forged")
    assert len(stream.getvalue().splitlines()) == 1
    assert "sally" not in stream.getvalue()
    assert "Exception while serving a request" in stream.getvalue()
    assert "ValueError" in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_nothing_in_a_line_is_obeyed_by_a_terminal(form: Literal["console", "json"]) -> None:
    """APPSEC: a line end or an escape in a library's text, or in a value, forges no line."""
    stream = io.StringIO()
    configure(Logging(format=form), stream)
    logging.getLogger("library").warning("took %s", "one\ntwo\x1b[31m\u202e")
    structlog.get_logger("usher.test").warning("took\r", name="\x1b[31mSally", path="a\nb")
    with in_the_background(lambda: None) as events_of_calls:
        events_of_calls.event("decided", {"event_id": "\x1b[31mx\u2028y"})
    lines = stream.getvalue().removesuffix("\n").split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines), lines


@pytest.mark.parametrize(("level", "expected"), [("warning", 1), ("error", 0)])
def test_lost_lines_are_told_at_level_warning(level: Literal["warning", "error"], expected: int) -> None:
    """Who wants errors alone gets errors alone."""
    lost = threading.Event()

    class FullAtFirst(io.StringIO):
        """A stream that takes nothing until a line is lost."""

        def write(self, text: str) -> int:
            if not lost.is_set():
                raise OSError(28, "No space left on device")
            return super().write(text)

    stream = FullAtFirst()
    configure(Logging(level=level), stream)
    with in_the_background(lost.set):
        structlog.get_logger("usher.test").error("lost")
        assert lost.wait(60)
        structlog.get_logger("usher.test").error("kept")
    told = [event["event"] for event in events(stream)]
    assert told == ["kept"] + ["log_lines_lost"] * expected


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_one_line(form: Literal["console", "json"]) -> None:
    """A record is a line: collectors read lines."""
    stream = io.StringIO()
    configure(Logging(format=form), stream)
    try:
        int("Sally Admin")
    except ValueError:
        structlog.get_logger("usher.test").exception("failed")
    assert len(stream.getvalue().splitlines()) == 1


def test_a_record_that_cannot_be_written_is_let_go(capsys: pytest.CaptureFixture[str]) -> None:
    """APPSEC: the library would print the record's arguments to standard error instead."""

    class Full(io.StringIO):
        """A stream on a full disk."""

        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    configure(Logging(), Full())
    logging.getLogger("waitress").warning("about %s", "Sally")
    structlog.get_logger("usher.test").warning("event", name="Sally")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_shows_type_and_place_only(form: Literal["console", "json"]) -> None:
    """APPSEC: the text of an exception quotes what could not be handled; neither form repeats it, whoever logs."""
    stream = io.StringIO()
    configure(Logging(format=form), stream)
    try:
        int("Sally Admin")
    except ValueError as error:
        structlog.get_logger("usher.test").exception("failed")
        structlog.get_logger("usher.test").error("failed", exc_info=error)
        logging.getLogger("waitress").exception("while serving")
    text = stream.getvalue()
    assert "Sally" not in text
    assert "Traceback" not in text
    assert text.count("ValueError") == 3
    assert text.count("test_service_log.py:") == 3


def test_exc_info_without_an_exception_is_no_fault() -> None:
    """A careless call logs its event."""
    stream = io.StringIO()
    configure(Logging(), stream)
    structlog.get_logger("usher.test").error("event", exc_info=True)
    assert events(stream)[0]["event"] == "event"


def test_configuring_again_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is logged twice, and standard error is where it goes without a stream."""
    first = io.StringIO()
    configure(Logging(), first)
    configure(Logging(format="console"))
    structlog.get_logger("usher.test").info("started")
    assert first.getvalue() == ""
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("started")) == ("", 1)
    assert "\x1b[" not in captured.err


def test_in_the_background_all_lines_keep_their_order_and_their_form() -> None:
    """What structlog, libraries and single calls tell is written as told, whoever tells; at the end nothing is left."""
    stream = io.StringIO()
    configure(Logging(), stream)
    with in_the_background(lambda: pytest.fail("nothing is lost")) as events_of_calls:
        for number in range(50):
            structlog.get_logger("usher.test").warning("said", number=3 * number)
            events_of_calls.event("decided", {"number": 3 * number + 1, "decision_id": "d"})
            logging.getLogger("watchfiles").warning("%d", 3 * number + 2)
    structlog.get_logger("usher.test").info("afterwards")
    *told, last = events(stream)
    assert [int(str(line.get("number", line["event"]))) for line in told] == [*range(150)]
    decided = told[1]
    assert list(decided) == ["number", "decision_id", "event", "level", "timestamp"]
    assert (decided["event"], decided["level"]) == ("decided", "info")
    assert str(decided["timestamp"]).endswith("Z")
    assert last["event"] == "afterwards"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_single_calls_are_told_at_level_info(level: Literal["debug", "info", "warning", "error"]) -> None:
    """As with every other event, a higher level leaves them out, and whoever would tell them can know."""
    is_heard = level in {"debug", "info"}
    stream = io.StringIO()
    configure(Logging(level=level, format="console"), stream)
    with in_the_background(lambda: None) as events_of_calls:
        events_of_calls.event("decided", {"fired": ["logins/free-login"]})
    assert events_of_calls.is_heard is is_heard
    assert ("decided" in stream.getvalue()) is is_heard
    assert stream.getvalue().count("\n") == int(is_heard)


def test_without_a_service_log_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A service that is built inside another program leaves that one's streams alone."""
    logging.getLogger().handlers[:] = []
    with in_the_background(lambda: None) as events_of_calls:
        events_of_calls.event("decided", {})
    assert events_of_calls.is_heard is False
    assert capsys.readouterr() == ("", "")


def test_a_record_that_cannot_be_told_is_let_go(capsys: pytest.CaptureFixture[str]) -> None:
    """APPSEC: also in the background nobody prints its arguments instead."""
    stream = io.StringIO()
    logging.getLogger().handlers[:] = []  # pytest's own would complain
    configure(Logging(), stream)
    with in_the_background(lambda: None):
        logging.getLogger("watchfiles").warning("%d people", "Sally")
        logging.getLogger("watchfiles").warning("next")
    assert [line["event"] for line in events(stream)] == ["next"]
    assert "Sally" not in "".join(capsys.readouterr())


def test_a_block_that_fails_still_writes_what_was_told() -> None:
    """The last lines before an end are those that are wanted."""
    stream = io.StringIO()
    configure(Logging(), stream)

    def fail() -> None:
        with in_the_background(lambda: None):
            structlog.get_logger("usher.test").error("about to fail")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert [line["event"] for line in events(stream)] == ["about to fail"]
