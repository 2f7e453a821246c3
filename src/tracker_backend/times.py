"""Times as clients write them, as microseconds since 1970."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_SECONDS_BELOW = 100_000_000_000  # a smaller number is epoch seconds, a larger one milliseconds
_MICROSECOND = timedelta(microseconds=1)
_MOST = 10**18  # no clock counts further in milliseconds, and a bigint holds it as an offset


def parse_time(value: int | float | str) -> int | None:
    """Microseconds since 1970 of an ISO 8601 text (UTC if it names no zone), epoch milliseconds or epoch seconds;
    None if it is none of these.
    """
    if isinstance(value, int) and -_MOST < value < _MOST:
        return value * (SECOND if -_SECONDS_BELOW < value < _SECONDS_BELOW else 1000)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return from_datetime(moment)
    if not abs(value) < _MOST:  # nor is NaN
        return None
    return round(value * (SECOND if abs(value) < _SECONDS_BELOW else 1000))


def to_datetime(microseconds: int) -> datetime:
    """The moment as an aware datetime."""
    return EPOCH + timedelta(microseconds=microseconds)


def from_datetime(moment: datetime) -> int:
    """An aware datetime as microseconds."""
    return (moment - EPOCH) // _MICROSECOND


def hour_of(microseconds: int) -> int:
    """The start of its hour."""
    return microseconds - microseconds % HOUR
