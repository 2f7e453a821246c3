"""Days as people name them: today, the last seven, from one date to another; each in a time zone."""

from datetime import date, datetime

import asyncpg

from tracker_backend.accounts.time_zones import choose_time_zone, invalid_time_zone
from tracker_backend.errors import Invalid
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_BACK = {"today": 0, "7d": 6, "30d": 29}
_sql = load(__file__, "days")


async def day_span(pool: Pool, project_id: int, text: str, timezone: str | None = None) -> tuple[datetime, datetime]:
    """Begin and end (not included) of `today`, `7d` and `30d` (today and the days before), or `first..last`, both
    included; of `timezone`, else of the project, else UTC. Invalid for anything else.
    """
    zone = await choose_time_zone(pool, project_id, timezone)
    first, last = (None, None) if text in _BACK else _dates(text)
    try:
        row = await pool.fetchrow(_sql.span, zone, first, _BACK.get(text, 0), last)
    except asyncpg.InvalidParameterValueError as error:
        raise invalid_time_zone(zone) from error
    except (asyncpg.DatetimeFieldOverflowError, OverflowError, ValueError) as error:
        raise _no_range(text) from error
    assert row is not None  # noqa: S101 — it has no condition
    return row[0], row[1]


def _dates(text: str) -> tuple[date, date]:
    first, dots, last = text.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise _no_range(text) from error
    if not dots or not 1900 <= begin.year <= end.year < 3000 or begin > end:
        raise _no_range(text)
    return begin, end


def _no_range(text: str) -> Invalid:
    return Invalid(f"`dateRange` is {text!r}: give today, 7d, 30d, or first..last such as 2026-01-31..2026-02-02.")
