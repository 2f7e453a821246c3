"""Hourly and daily numbers for analysts."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
from msgspec import Struct

from tracker_backend.accounts.time_zones import choose_time_zone, invalid_time_zone
from tracker_backend.errors import Invalid
from tracker_backend.ingest.pages import split_page
from tracker_backend.queries.filters import Where, time_parameter
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "analytics")
GROUPS = ("bucket", "event_type", "page_host", "page_path")
MAX_ROWS = 50_000


class HourlyRow(Struct, frozen=True, omit_defaults=True):
    """Events of an hour. Members that are not in `group_by` are left out."""

    count: int
    bucket: datetime | None = None
    event_type: str | None = None
    page_host: str | None = None
    page_path: str | None = None


class Hourly(Struct, frozen=True):
    """Rows, sorted by their groups."""

    data: list[HourlyRow]


async def list_hours(
    pool: Pool,
    project_id: int,
    *,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
    event_type: str | None = None,
    page_url: str | None = None,
    group_by: list[str] | None = None,
) -> Hourly:
    """Counts of events by hour, type and page, by default of the last 7 days. Raises Invalid above 50,000 rows."""
    groups = [name for name in GROUPS if not group_by or name in group_by]
    unknown = sorted(set(group_by or ()) - set(GROUPS))
    if unknown:
        raise Invalid(f"`group_by` is {', '.join(unknown)}: use any of {', '.join(GROUPS)}.")
    where = Where(project_id=project_id)
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
        f"select sum(count)::bigint as count, {columns} from tracker.events_hourly where {where}"
        f" group by {columns} order by {columns} limit {where.parameter(MAX_ROWS + 1)}",
        *where.values,
    )
    if len(rows) > MAX_ROWS:
        raise Invalid(
            f"more than {MAX_ROWS} rows: shorten the time from `from` to `to`, or leave something out of `group_by`."
        )
    return Hourly([HourlyRow(**dict(row.items())) for row in rows])


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


class Daily(Struct, frozen=True):
    """Rows, sorted by day and app. A day without sessions has no row."""

    data: list[DailyRow]
    timezone: str


async def list_days(
    pool: Pool,
    project_id: int,
    *,
    app_id: str | None = None,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
    timezone: str | None = None,
) -> Daily:
    """Sessions by day and app, by default of the last 7 days. Raises Invalid above 50,000 rows.

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
    rows = await pool.fetch(_sql.daily, zone, project_id, *bounds, app_id, MAX_ROWS + 1)
    if len(rows) > MAX_ROWS:
        raise Invalid(f"more than {MAX_ROWS} rows: shorten the time from `from` to `to`, or give one `app_id`.")
    return Daily([DailyRow(*row) for row in rows], zone)


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
