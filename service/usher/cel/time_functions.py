"""The functions of CEL's standard definitions for timestamps and durations.

Time zones come from the system or the `tzdata` package. Any thread.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from usher.cel.errors import EvaluationError
from usher.cel.signatures import DURATION, INT, STRING, TIMESTAMP, Implementation, Library
from usher.cel.time_values import duration_from, duration_text, timestamp_from, timestamp_text
from usher.cel.values import SECOND, Duration, Timestamp, checked_timestamp

library = Library()

_OFFSET = re.compile(r"([+-]?)([0-9]{1,2}):([0-9]{2})")
_MILLISECOND = SECOND // 1_000
_LAST_HOUR, _LAST_MINUTE = 23, 59
_WEEK_DAYS = 7


@library.function("timestamp", (STRING | INT | TIMESTAMP,), TIMESTAMP)
def to_timestamp(value: str | int | Timestamp) -> Timestamp:
    """From RFC 3339 text or seconds since 1970."""
    if isinstance(value, Timestamp):
        return value
    return timestamp_from(value) if isinstance(value, str) else checked_timestamp(value * SECOND)


@library.function("duration", (STRING | DURATION,), DURATION)
def to_duration(value: str | Duration) -> Duration:
    """From text like '1h30m' or '1.5s'."""
    return duration_from(value) if isinstance(value, str) else value


@library.function("int", (TIMESTAMP,), INT)
def seconds_since_1970(value: Timestamp) -> int:
    """Whole seconds since 1970."""
    return value.nanoseconds // SECOND


@library.function("string", (TIMESTAMP,), STRING)
def text_of_timestamp(value: Timestamp) -> str:
    """RFC 3339 in UTC."""
    return timestamp_text(value)


@library.function("string", (DURATION,), STRING)
def text_of_duration(value: Duration) -> str:
    """Seconds with an `s`."""
    return duration_text(value)


@functools.cache
def _zones() -> frozenset[str]:
    # APPSEC: a zone's name becomes a path and the name of a module, so only known ones get that far.
    return frozenset(available_timezones())


def _zone(name: str) -> tzinfo:
    """UTC, an offset like `+05:30`, or a name of the IANA database."""
    match = _OFFSET.fullmatch(name)
    if match and int(match[2]) <= _LAST_HOUR and int(match[3]) <= _LAST_MINUTE:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)
    if name in _zones():
        return ZoneInfo(name)
    raise EvaluationError("bad-time-zone", "there is no such time zone")


def _local(value: Timestamp, zone: str) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value.nanoseconds // SECOND)
    if zone == "UTC":
        return moment
    try:
        return moment.astimezone(_zone(zone))
    except OverflowError:
        raise EvaluationError("out-of-range", "the timestamp lies outside the years 1 to 9999 there") from None


def _day_of_year(moment: datetime) -> int:
    return moment.timetuple().tm_yday - 1


def _of_timestamp(name: str, part: Implementation) -> None:
    @library.function(name, (TIMESTAMP, STRING), INT, optional=1)
    def read(value: Timestamp, zone: str = "UTC") -> object:
        return part(_local(value, zone))


_of_timestamp("getFullYear", lambda moment: moment.year)
_of_timestamp("getMonth", lambda moment: moment.month - 1)
_of_timestamp("getDate", lambda moment: moment.day)
_of_timestamp("getDayOfMonth", lambda moment: moment.day - 1)
_of_timestamp("getDayOfWeek", lambda moment: moment.isoweekday() % _WEEK_DAYS)
_of_timestamp("getDayOfYear", _day_of_year)
_of_timestamp("getHours", lambda moment: moment.hour)
_of_timestamp("getMinutes", lambda moment: moment.minute)
_of_timestamp("getSeconds", lambda moment: moment.second)


@library.function("getMilliseconds", (TIMESTAMP, STRING), INT, optional=1)
def milliseconds_of_second(value: Timestamp, zone: str = "UTC") -> int:
    """Return the milliseconds within the second; the zone changes nothing."""
    del zone
    return value.nanoseconds % SECOND // _MILLISECOND


def _of_duration(name: str, unit: int) -> None:
    @library.function(name, (DURATION,), INT)
    def read(value: Duration) -> int:
        whole = abs(value.nanoseconds) // unit
        return -whole if value.nanoseconds < 0 else whole


_of_duration("getHours", 3_600 * SECOND)
_of_duration("getMinutes", 60 * SECOND)
_of_duration("getSeconds", SECOND)


@library.function("getMilliseconds", (DURATION,), INT)
def milliseconds_of_duration(value: Duration) -> int:
    """Return the milliseconds beyond whole seconds."""
    rest = abs(value.nanoseconds) % SECOND // _MILLISECOND
    return -rest if value.nanoseconds < 0 else rest


TIME_FUNCTIONS = library.functions()
