"""Moments as tests write them: RFC 3339 with an offset. A pure function."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = range(1970, 9999)  # what every offset leaves within the years that a record can name


def nanoseconds(text: str) -> int | None:
    """Return nanoseconds since 1970; None for what is no moment, or one that differs from machine to machine."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.utcoffset() is None or moment.year not in _YEARS:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
