"""Days as people name them: today, the last seven, from one date to another; each in a time zone."""

import re
from datetime import date, datetime

import asyncpg

from tracker_backend.errors import Invalid
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

# PostgreSQL also takes offsets, whose sign it reads the other way round (+02:00 is west): only names are passed on.
_ZONE = re.compile(r"[A-Za-z_-]+(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_BACK = {"today": 0, "7d": 6, "30d": 29}
_sql = load(__file__, "days")


async def day_span(pool: Pool, project_id: int, text: str, timezone: str | None = None) -> tuple[datetime, datetime]:
    """Begin and end (not included) of `today`, `7d` and `30d` (today and the days before), or `first..last`, both
    included; of `timezone`, else of the project, else UTC. Invalid for anything else.
    """
    zone = await zone_of(pool, project_id, timezone)
    first, last = (None, None) if text in _BACK else _dates(text)
    try:
        row = await pool.fetchrow(_sql.span, zone, first, _BACK.get(text, 0), last)
    except asyncpg.InvalidParameterValueError as error:
        raise no_zone(zone) from error
    except (asyncpg.DatetimeFieldOverflowError, OverflowError, ValueError) as error:
        raise _no_range(text) from error
    assert row is not None  # noqa: S101 — it has no condition
    return row[0], row[1]


async def zone_of(pool: Pool, project_id: int, timezone: str | None) -> str:
    """The time zone that was asked for, else the project's, else UTC. Invalid for what cannot be a zone's name; whether
    it is one, PostgreSQL tells: see `no_zone`.
    """
    zone: str = timezone or await pool.fetchval(_sql.timezone, project_id) or "UTC"
    if not _ZONE.fullmatch(zone):
        raise no_zone(zone)
    return zone


async def is_zone(connection: Pool | Connection, name: str) -> bool:
    """Whether this is the name of a time zone."""
    return _ZONE.fullmatch(name) is not None and await connection.fetchval(_sql.is_zone, name)


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


def no_zone(zone: str) -> Invalid:
    """The error for a time zone that is none."""
    return Invalid(f"`tz` is {zone!r}: give a name of the IANA list, such as Europe/Berlin or UTC.")
