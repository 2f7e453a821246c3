"""Date ranges such as `today`, `7d` or `2026-01-31..2026-02-02`, in a time zone."""

from datetime import date, datetime

import asyncpg

from tracker_backend.accounts.time_zones import choose_time_zone, invalid_time_zone
from tracker_backend.errors import Invalid
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_DAYS_BEFORE = {"today": 0, "7d": 6, "30d": 29}
_sql = load(__file__, "date_ranges")


async def parse_date_range(
    pool: Pool, project_id: int, text: str, timezone: str | None = None
) -> tuple[datetime, datetime]:
    """The begin of a range's first day, and the end of its last day, in `timezone`, else in that of the project.

    A range is `today`, `7d` or `30d` (today and the days before), or `first..last`, which includes both days. Raises
    Invalid for anything else.
    """
    zone = await choose_time_zone(pool, project_id, timezone)
    first, last = (None, None) if text in _DAYS_BEFORE else _dates(text)
    try:
        row = await pool.fetchrow(_sql.find_range, zone, first, _DAYS_BEFORE.get(text, 0), last)
    except asyncpg.InvalidParameterValueError as error:
        raise invalid_time_zone(zone) from error
    except (asyncpg.DatetimeFieldOverflowError, OverflowError, ValueError) as error:
        raise _invalid_range(text) from error
    assert row is not None  # noqa: S101 — the statement has no condition
    return row[0], row[1]


def _dates(text: str) -> tuple[date, date]:
    first, dots, last = text.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise _invalid_range(text) from error
    if not dots or not 1900 <= begin.year <= end.year < 3000 or begin > end:
        raise _invalid_range(text)
    return begin, end


def _invalid_range(text: str) -> Invalid:
    return Invalid(f"`dateRange` is {text!r}: give today, 7d, 30d, or first..last such as 2026-01-31..2026-02-02.")
