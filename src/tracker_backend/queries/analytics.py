"""Hourly and daily numbers for analysts."""

from datetime import UTC, date, datetime, timedelta
from typing import Literal

import asyncpg
from msgspec import Struct

from tracker_backend.accounts.time_zones import choose_time_zone, invalid_time_zone
from tracker_backend.errors import Invalid
from tracker_backend.ingest.pages import split_page
from tracker_backend.queries.filters import Where, time_parameter
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "analytics")
GROUPS = ("bucket", "event_type", "page_host", "page_path", "is_bot")
_DEFAULT_GROUPS = GROUPS[:4]
MAX_ROWS = 50_000
Bots = Literal["false", "true", "any"]
"""Whether to count people, bots, or both."""
_BOTS = {"false": False, "true": True, "any": None}


class HourlyRow(Struct, frozen=True, omit_defaults=True):
    """Events of an hour. Members that are not in `group_by` are left out."""

    count: int
    bucket: datetime | None = None
    event_type: str | None = None
    page_host: str | None = None
    page_path: str | None = None
    is_bot: bool | None = None


class Hourly(Struct, frozen=True, omit_defaults=True):
    """Rows, sorted by their groups. `truncated`: only the 50,000 with the largest counts."""

    data: list[HourlyRow]
    truncated: bool = False


def hourly_groups(group_by: list[str] | None) -> list[str]:
    """The columns to group by in their order: the given ones, else all but `is_bot`. Raises Invalid."""
    unknown = sorted(set(group_by or ()) - set(GROUPS))
    if unknown:
        raise Invalid(f"`group_by` is {', '.join(unknown)}: use any of {', '.join(GROUPS)}.")
    return [name for name in GROUPS if name in (group_by or _DEFAULT_GROUPS)]


async def list_hours(
    pool: Pool,
    project_id: int,
    *,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
    event_type: str | None = None,
    page_url: str | None = None,
    group_by: list[str] | None = None,
    is_bot: Bots = "false",
) -> Hourly:
    """Counts of events by hour, type and page, by default of people in the last 7 days. Raises Invalid."""
    groups = hourly_groups(group_by)
    where = Where(project_id=project_id).add_if("is_bot = ?", _BOTS[is_bot])
    where.add("bucket >= ?", time_from or datetime.now(UTC) - timedelta(days=7))
    where.add_if("bucket < ?", time_to).add_if("event_type = ?", event_type)
    if page_url is not None:
        host, path = split_page(page_url)
        if host or not page_url.startswith("/"):
            where.add("page_host = ?", host or page_url.lower())
        if host or page_url.startswith("/"):
            where.add("page_path = ?", path)
    columns = ", ".join(groups)
    rows = await pool.fetch(
        f"select * from (select sum(count)::bigint as count, {columns}, count(*) over () > {MAX_ROWS} as truncated"
        f" from tracker.events_hourly where {where} group by {columns}"
        f" order by 1 desc, {columns} limit {MAX_ROWS}) as largest order by {columns}",
        *where.values,
    )
    return Hourly([HourlyRow(row["count"], **{name: row[name] for name in groups}) for row in rows], _truncated(rows))


class DailyRow(Struct, frozen=True):
    """The sessions of an app that began on a day. Durations are in seconds. Events are those that clients sent, and
    rrweb events.
    """

    date: date
    app_id: str | None
    total_sessions: int
    unique_users: int
    avg_duration: float
    total_errors: int
    total_clicks: int
    avg_events_per_session: float


class Daily(Struct, frozen=True, omit_defaults=True):
    """Rows, sorted by day and app. A day without sessions has no row.

    `truncated`: only the 50,000 with most sessions.
    """

    data: list[DailyRow]
    timezone: str
    truncated: bool = False


async def list_days(
    pool: Pool,
    project_id: int,
    *,
    app_id: str | None = None,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
    timezone: str | None = None,
    is_bot: Bots = "false",
) -> Daily:
    """Sessions by day and app, by default of people in the last 7 days. Raises Invalid.

    Days are those of `timezone`, else of the project. Only whole days are counted: those that begin at `time_from` or
    later, and before `time_to`. A time without a zone is in `timezone`.
    """
    zone = await choose_time_zone(pool, project_id, timezone)
    try:
        bounds = await pool.fetchrow(_sql.days, zone, *_moment_or_local(time_from), *_moment_or_local(time_to))
    except asyncpg.InvalidParameterValueError as error:
        raise invalid_time_zone(zone) from error
    except (asyncpg.DatetimeFieldOverflowError, OverflowError) as error:
        raise Invalid("`from` or `to` is outside of the calendar: give a year from 1 to 9999.") from error
    assert bounds is not None  # noqa: S101 — the statement has no condition
    rows = await pool.fetch(_sql.daily, zone, project_id, *bounds, app_id, MAX_ROWS, _BOTS[is_bot])
    return Daily([DailyRow(*row[:-1]) for row in rows], zone, _truncated(rows))


def _truncated(rows: list[asyncpg.Record]) -> bool:
    return bool(rows) and rows[0]["truncated"]


def day_parameter(text: str | None, name: str) -> datetime | None:
    """A day or a time from the query string, without a time zone where the text has none."""
    if text is None:
        return None
    try:
        moment = None if text.isdecimal() else datetime.fromisoformat(text)  # 20261121 is epoch seconds
    except ValueError:
        moment = None
    return time_parameter(text, name) if moment is None or moment.tzinfo is not None else moment


def _moment_or_local(time: datetime | None) -> tuple[datetime | None, datetime | None]:
    return (time, None) if time is None or time.tzinfo is not None else (None, time)
