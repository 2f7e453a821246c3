"""Times that clients send, and their conversion to microseconds since 1970."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_SECONDS_BELOW = 100_000_000_000  # smaller numbers are epoch seconds, larger ones milliseconds
_MICROSECOND = timedelta(microseconds=1)
_HIGHEST = 10**18  # higher than any clock in milliseconds; an offset of this size fits into a bigint


def parse_time(value: int | float | str) -> int | None:
    """Parse an ISO 8601 text (UTC if it names no zone), epoch milliseconds or epoch seconds.

    Returns microseconds since 1970; None if it is none of these.
    """
    if isinstance(value, int) and -_HIGHEST < value < _HIGHEST:
        return value * (SECOND if -_SECONDS_BELOW < value < _SECONDS_BELOW else 1000)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return from_datetime(moment)
    if not abs(value) < _HIGHEST:  # also true for NaN
        return None
    return round(value * (SECOND if abs(value) < _SECONDS_BELOW else 1000))


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
