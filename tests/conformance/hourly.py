"""Holds the hourly numbers to the rows they count."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg

from tracker_backend.storage.pool import Pool

_EVENTS = (
    "select project_id, bucket, event_type, page_host, page_path, is_bot, count, sessions from tracker.events_hourly"
)
_RAW_EVENTS = """
    select project_id, date_bin('1 hour', timestamp, 'epoch'), event_type, page_host, page_path,
           is_bot, count(*), count(distinct session_id)
    from tracker.events group by 1, 2, 3, 4, 5, 6"""
_SESSIONS = """
    select project_id, bucket, app_id, device_type, is_bot, sessions, round(duration_seconds::numeric, 3),
           event_count, click_count, error_count, page_count, rage_click_count
    from tracker.sessions_hourly"""
_RAW_SESSIONS = """
    select project_id, date_bin('1 hour', started_at, 'epoch'), app_id, device_type, is_bot, count(*),
           round(sum(duration_seconds)::numeric, 3), sum(event_count)::bigint, sum(click_count)::bigint,
           sum(error_count)::bigint, sum(page_count)::bigint, sum(rage_click_count)::bigint
    from tracker.sessions group by 1, 2, 3, 4, 5"""


async def _differences(pool: Pool, shown: str, raw: str) -> list[asyncpg.Record]:
    return await pool.fetch(f"(({shown}) except all ({raw})) union all (({raw}) except all ({shown}))")


async def wrong_event_hours(pool: Pool) -> list[asyncpg.Record]:
    """Rows that stand in `events_hourly` and not in the grouped events, or the other way round."""
    return await _differences(pool, _EVENTS, _RAW_EVENTS)


async def wrong_session_hours(pool: Pool) -> list[asyncpg.Record]:
    """The same of `sessions_hourly` and the sessions."""
    return await _differences(pool, _SESSIONS, _RAW_SESSIONS)


async def event_hours(pool: Pool, before: datetime | None = None) -> list[asyncpg.Record]:
    """All rows of `events_hourly`, or those before a moment, in order."""
    where = "" if before is None else f" where bucket < '{before.isoformat()}'"
    return await pool.fetch(f"{_EVENTS}{where} order by 1, 2, 3, 4, 5, 6")


async def session_hours(pool: Pool) -> list[asyncpg.Record]:
    """All rows of `sessions_hourly` in order."""
    return await pool.fetch(f"{_SESSIONS} order by 1, 2, 3, 4, 5")


async def counted(pool: Pool) -> int:
    """The sum of all counts of events."""
    return await pool.fetchval("select coalesce(sum(count), 0)::bigint from tracker.events_hourly")


async def kept_from(pool: Pool) -> datetime:
    """Hours before it lost rows to retention."""
    return await pool.fetchval("select kept_from from tracker.rollups where name = 'events_hourly'")


async def table_of(pool: Pool, series: str, since: datetime | None = None) -> str:
    """The partition or chunk that holds the oldest row of a series, or the oldest from a moment on."""
    return await pool.fetchval(
        "select format('%I.%I', relnamespace::regnamespace, relname) from pg_class where oid ="
        f" (select tableoid from tracker.{series} where timestamp >= $1 order by timestamp limit 1)",
        since or datetime(2020, 1, 1, tzinfo=UTC),
    )


async def until(check: Callable[[], Awaitable[object]]) -> None:
    """Asks the database again and again until it says yes."""
    async with asyncio.timeout(30):
        while not await check():
            pass
