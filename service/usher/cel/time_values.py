"""Timestamps and durations from text and to text, in nanoseconds and in linear time.

Timestamps: RFC 3339, and nothing else. Digits beyond the ninth are cut off; a leap second (`:60`) is refused.
Durations: Go's grammar. Pure; any thread.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from usher.cel.errors import EvaluationError
from usher.cel.values import SECOND, Duration, Timestamp, checked_duration, checked_timestamp

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,100}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_PART = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3_600 * SECOND,
}
_LONGEST_TEXT = 128
_EPOCH = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400
_LAST = {"hour": 23, "minute": 59, "second": 59}


def _no(what: str) -> EvaluationError:
    return EvaluationError("bad-conversion", f"the text is no {what}")


def timestamp_from(text: str) -> Timestamp:
    """Read RFC 3339. Raises `EvaluationError` for anything else and for what lies outside the years 1 to 9999."""
    match = _RFC3339.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise _no("timestamp by RFC 3339")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    offset = _offset_seconds(match[8], match[9], match[10])
    if hour > _LAST["hour"] or minute > _LAST["minute"] or second > _LAST["second"]:
        raise _no("timestamp by RFC 3339")
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        raise _no("timestamp by RFC 3339") from None
    seconds = days * _DAY_SECONDS + hour * 3_600 + minute * 60 + second - offset
    return checked_timestamp(seconds * SECOND + int((match[7] or "")[:9].ljust(9, "0")))


def _offset_seconds(sign: str | None, hours: str | None, minutes: str | None) -> int:
    if sign is None or hours is None or minutes is None:
        return 0
    if int(hours) > _LAST["hour"] or int(minutes) > _LAST["minute"]:
        raise _no("timestamp by RFC 3339")
    seconds = int(hours) * 3_600 + int(minutes) * 60
    return -seconds if sign == "-" else seconds


def duration_from(text: str) -> Duration:
    """Read what Go's `time.ParseDuration` reads, else raise `EvaluationError`; fractions of 1 ns are cut off."""
    sign = -1 if text[:1] == "-" else 1
    position = 1 if text[:1] in {"-", "+"} else 0
    if text[position:] == "0":
        return Duration(0)
    if not position < len(text) <= _LONGEST_TEXT:
        raise _no("duration")
    total = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or not (match[1] or match[3]):
            raise _no("duration")
        unit, fraction = _UNITS[match[4]], match[3] or ""
        total += int(match[1] or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = match.end()
    return checked_duration(sign * total)


def _fraction_text(nanoseconds: int) -> str:
    """'' or 3, 6 or 9 digits, as protobuf's JSON form has them."""
    digits = f"{nanoseconds:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f".{digits}" if digits else ""


def timestamp_text(value: Timestamp) -> str:
    """RFC 3339 in UTC."""
    seconds, nanoseconds = divmod(value.nanoseconds, SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%S}{_fraction_text(nanoseconds)}Z"


def duration_text(value: Duration) -> str:
    """Seconds with an `s`."""
    seconds, nanoseconds = divmod(abs(value.nanoseconds), SECOND)
    return f"{'-' if value.nanoseconds < 0 else ''}{seconds}{_fraction_text(nanoseconds)}s"
