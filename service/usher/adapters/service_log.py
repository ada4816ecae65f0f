"""The service log on standard error: what structlog and the libraries' own loggers say, in one form.

Owns level, form and what an exception may show. Configured once at start; logging itself is safe on any thread.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Final, Literal, Protocol, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from usher.errors import fault_place

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LogSettings(Protocol):
    """What this module needs of the settings."""

    @property
    def level(self) -> Literal["debug", "info", "warning", "error"]:
        """The least that is logged."""

    @property
    def format(self) -> Literal["console", "json"]:
        """For a person or for a collector."""


class _ServiceHandler(logging.StreamHandler[TextIO]):
    """The handler this module puts in; a second configuration replaces the first."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Let a record go that cannot be written, on a full disk for example: the service goes on.

        APPSEC: the library would print a traceback with the record's arguments in it.
        """


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send structlog's events and the standard library's records to the stream, standard error by default.

    A process may have none, started by a Windows service wrapper for example; its log goes nowhere then.
    """
    stream = stream or sys.stderr or _nowhere()
    level = LEVELS[settings.level]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        exception_place,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _ServiceHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(settings, stream)],
        )
    )
    root = logging.getLogger()
    for previous in [known for known in root.handlers if isinstance(known, _ServiceHandler)]:
        root.removeHandler(previous)
    root.addHandler(handler)
    root.setLevel(level)
    # It tells every look at a schema; what a start does to a database, the start says itself.
    logging.getLogger("alembic").setLevel(max(level, logging.WARNING))


def exception_place(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Put an exception's type and place where its text and its traceback would stand.

    APPSEC: the text of an exception and the lines of a traceback may quote a profile.
    """
    del logger, method
    given = event.pop("exc_info", None)
    error = (
        given[1]
        if isinstance(given, tuple)
        else given
        if isinstance(given, BaseException)
        else sys.exc_info()[1]
        if given
        else None
    )
    if error is not None:
        # Not `exception`: the console form takes that for a traceback and breaks the line.
        event["error"] = type(error).__name__
        event["place"] = fault_place(error)
    return event


def _renderer(settings: LogSettings, stream: TextIO) -> Processor:
    if settings.format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=stream.isatty())


def _nowhere() -> TextIO:
    """Return a stream that swallows everything, for the rest of the process."""
    return Path(os.devnull).open("w", encoding="utf-8")
