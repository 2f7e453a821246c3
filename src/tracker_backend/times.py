"""Times that clients send, and their conversion to microseconds since 1970."""

import math
import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_SECONDS_BELOW = 100_000_000_000  # smaller numbers are epoch seconds, larger ones milliseconds
_MICROSECOND = timedelta(microseconds=1)
FARTHEST = 10**18
"""Microseconds (31,700 years): times are cut to this distance from 1970. Sums and differences of two such times fit
into a bigint, and in milliseconds into a number of JavaScript.
"""
_NUMBER = re.compile(
    r"[+-]?[0-9]{1,30}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII
)  # linear: no two parts overlap


def parse_time(value: int | float | str) -> int | None:
    """Parse an ISO 8601 text (UTC if it names no zone), epoch milliseconds or epoch seconds, also as a text of digits.

    Returns microseconds since 1970, at most `FARTHEST` away from it; None if it is none of these.
    """
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            value = int(value) if value.lstrip("+-").isdigit() else float(value)
        else:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                return None
            return from_datetime(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    if not isinstance(value, int):
        if not math.isfinite(value):
            return None
        # Whole numbers of this size are exact, larger ones are cut below.
        value = min(max(value, -FARTHEST), FARTHEST)
    time = round(value * (SECOND if -_SECONDS_BELOW < value < _SECONDS_BELOW else 1000))
    return min(max(time, -FARTHEST), FARTHEST)


def to_datetime(microseconds: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime."""
    return EPOCH + timedelta(microseconds=microseconds)


def from_datetime(moment: datetime) -> int:
    """Return an aware datetime as microseconds since 1970."""
    return (moment - EPOCH) // _MICROSECOND


def midnight_of(moment: datetime) -> datetime:
    """Return the start of the UTC day of an aware datetime."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def hour_of(microseconds: int) -> int:
    """Return the start of the hour of a time; both in microseconds since 1970."""
    return microseconds - microseconds % HOUR
