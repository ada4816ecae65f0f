"""The service log: one form for all, and nobody's data in it."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
import structlog

from usher.adapters.service_log import configure


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
    for source in (structlog.get_logger("usher.test"), logging.getLogger("waitress")):
        for name in ("debug", "info", "warning", "error"):
            getattr(source, name)("event")
    assert len(events(stream)) == 2 * expected


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
