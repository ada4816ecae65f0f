"""The service log on standard error: what structlog and the libraries' own loggers say, in one form.

Owns level, form and what an exception may show; how lines reach the stream while the service runs is
`adapters.log_writer`'s. Configured once at start, by the main thread; logging itself is safe on any thread.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, Protocol, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from usher.adapters.log_writer import LogWriter, event_of
from usher.errors import fault_place

_SERVING: Final = " while serving "
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
    """The handler this module puts in; a second configuration replaces the first.

    With a `writer` it hands its lines over and waits for nothing.
    """

    writer: LogWriter | None = None

    def __init__(self, stream: TextIO, renderer: Processor) -> None:
        super().__init__(stream)
        self._renderer = renderer

    def rendered(self, event: Mapping[str, object]) -> str:
        """Return an event as a line of this log."""
        return str(self._renderer(None, "", dict(event)))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or hand it over."""
        writer = self.writer
        if writer is None:
            super().emit(record)
            return
        try:
            writer.put(self.format(record))
        except Exception:  # noqa: BLE001 - a record that cannot be told must not end who logs
            self.handleError(record)

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
    renderer = _renderer(settings, stream)
    handler = _ServiceHandler(stream, renderer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared, _without_the_path],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for previous in _installed():
        root.removeHandler(previous)
    root.addHandler(handler)
    root.setLevel(level)
    # alembic tells every look at a schema; what a start does to a database, the start says itself. waitress tells of
    # every caller who hangs up.
    for library in ("alembic", "waitress"):
        logging.getLogger(library).setLevel(max(level, logging.WARNING))


class ServiceEvents:
    """Events of single calls: made without structlog's detour, in the form and with the level of all others.

    Any thread may tell; nobody waits. Without a configured log they go nowhere.
    """

    def __init__(self, writer: LogWriter | None) -> None:
        self._writer = writer

    @property
    def is_heard(self) -> bool:
        """Whether an event of level info is written at all."""
        return self._writer is not None

    def event(self, name: str, values: Mapping[str, object]) -> None:
        """Tell an event of level info."""
        if self._writer is not None:
            self._writer.put(event_of("info", name, values))


@contextmanager
def in_the_background(on_loss: Callable[[], None]) -> Iterator[ServiceEvents]:
    """Let nobody wait for the stream as long as the block runs; what waits is written at its end, or given up.

    `on_loss` is called once for each line that is lost.
    """
    handlers = _installed()
    if not handlers:
        yield ServiceEvents(None)
        return
    (handler,) = handlers
    is_heard = logging.getLogger().isEnabledFor
    writer = LogWriter(handler.stream, handler.rendered, on_loss, tells_losses=is_heard(logging.WARNING))
    writer.start()
    handler.writer = writer
    try:
        yield ServiceEvents(writer if is_heard(logging.INFO) else None)
    finally:
        is_written = writer.close()
        handler.writer = None
        if not is_written:
            # Nobody reads: whoever said one thing more would never come back.
            if handler.stream is sys.stderr:
                sys.stderr = _nowhere()
            handler.stream = _nowhere()


def _installed() -> list[_ServiceHandler]:
    return [known for known in logging.getLogger().handlers if isinstance(known, _ServiceHandler)]


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
    console = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    return lambda logger, method, event: console(logger, method, {name: _printable(event[name]) for name in event})


def _without_the_path(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Leave out what waitress quotes of a caller: `Exception while serving /the/decoded/path`.

    APPSEC: a path may hold anything, an attribute of a person as well.
    """
    del logger, method
    head, serving, path = str(event["event"]).partition(_SERVING)
    if path and event.get("logger") == "waitress":
        event["event"] = f"{head}{serving}a request"
    return event


def _printable(value: object) -> object:
    """Escape in a text what a terminal obeys. APPSEC: a line end in it would begin a line of somebody else's making.

    JSON has it so by itself, and lists and maps are shown as Python writes them.
    """
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in value)


def _nowhere() -> TextIO:
    """Return a stream that swallows everything, for the rest of the process."""
    return Path(os.devnull).open("w", encoding="utf-8")
