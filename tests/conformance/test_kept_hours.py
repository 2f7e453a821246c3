"""Hourly numbers outlive the rows they were counted from, whatever is refreshed, marked or deleted later."""

from datetime import datetime
from uuid import UUID

import asyncpg
import pytest

from tests.conformance.conftest import maintained
from tests.conformance.hourly import event_hours, kept_from, session_hours, wrong_event_hours, wrong_session_hours
from tests.conformance.visits import DAY, LONG_AGO, clicks, days_ago, now, visit
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance import retention
from tracker_backend.maintenance.tasks import refresh_sessions
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database

REFRESH_POLICY = (
    "select job_id from timescaledb_information.jobs where proc_name = 'policy_refresh_continuous_aggregate'"
)
VISITOR = UUID(int=7)


@pytest.fixture
async def expired(past: Database, pipeline: Pipeline) -> list[asyncpg.Record]:
    """Events of 31 to 40 days ago were computed and then dropped; returns the numbers that must stay."""
    for days in (39, 35, 33, 20, 10, 2):
        await visit(pipeline, clicks(days_ago(days), 10 + days))
        await visit(pipeline, clicks(days_ago(days), 3, "https://shop.example/"), session=VISITOR)
    await past.maintained.refresh_events_hourly()
    assert await wrong_event_hours(past.pool) == []
    before = await event_hours(past.pool)
    await retention.drop_raw_rows(past.maintained)
    limit = await kept_from(past.pool)
    assert await past.pool.fetchval("select count(*) from tracker.events where timestamp < $1", limit) == 0
    assert await event_hours(past.pool) == before
    return [row for row in before if row["bucket"] < limit]


async def mark(database: Database, *hours: datetime) -> None:
    """What late events and deletes leave behind."""
    await database.pool.execute(
        "insert into tracker.hours_to_refresh select rollup, 1, bucket"
        " from unnest($1::timestamptz[]) as bucket, unnest(array['events_hourly', 'sessions_hourly']) as rollup",
        [*hours],
    )


async def test_numbers_stay_after_refreshes(past: Database, expired: list[asyncpg.Record]) -> None:
    assert len(expired) == 6
    await past.maintained.refresh_events_hourly()
    assert await event_hours(past.pool, await kept_from(past.pool)) == expired


async def test_numbers_stay_after_late_marks(past: Database, expired: list[asyncpg.Record]) -> None:
    await mark(past, *(row["bucket"] for row in expired), days_ago(20))
    await past.maintained.refresh_events_hourly()
    assert await event_hours(past.pool, await kept_from(past.pool)) == expired


async def test_numbers_stay_after_a_delete_of_a_session_that_reaches_back(
    past: Database, expired: list[asyncpg.Record]
) -> None:
    assert await erase_session(past.pool, past.node, 1, VISITOR)
    await past.maintained.refresh_events_hourly()
    limit = await kept_from(past.pool)
    assert await event_hours(past.pool, limit) == expired
    after = [row for row in await event_hours(past.pool) if row["bucket"] >= limit]
    assert {row["page_path"] for row in after} == {"/cart"}


async def test_numbers_stay_after_retention_is_lengthened(
    past: Database, expired: list[asyncpg.Record], pipeline: Pipeline
) -> None:
    longer = maintained(past, LONG_AGO)
    async with past.maintained.pool.acquire() as connection:
        await longer.apply_settings(connection)  # makes days that were dropped anew, empty
    await mark(past, *(row["bucket"] for row in expired))
    await visit(pipeline, clicks(days_ago(3), 1), received=now())
    await longer.refresh_events_hourly()
    for job in await past.pool.fetch(REFRESH_POLICY) if past.store.tier == "timescale" else []:
        await past.maintained.pool.execute(f"call run_job({job['job_id']})")
    assert [row for row in await event_hours(past.pool) if row["bucket"] < now() - 31 * DAY] == expired


async def test_numbers_inside_raw_retention_are_still_right_after_the_drop(
    past: Database, expired: list[asyncpg.Record], pipeline: Pipeline
) -> None:
    assert expired
    await visit(pipeline, clicks(days_ago(20) + DAY / 2, 5), received=days_ago(20) + DAY)
    await past.maintained.refresh_events_hourly()
    limit = await kept_from(past.pool)
    assert [row for row in await wrong_event_hours(past.pool) if row["bucket"] >= limit] == []


async def test_numbers_of_sessions_stay_after_their_sessions_expired(past: Database, pipeline: Pipeline) -> None:
    for days in (39, 33, 20):
        await visit(pipeline, clicks(days_ago(days), days))
    await refresh_sessions(past.maintained)
    assert await wrong_session_hours(past.pool) == []
    before = await session_hours(past.pool)
    assert len(before) == 3

    assert await retention.drop_sessions_without_rows(past.maintained) == 2
    await mark(past, *(row["bucket"] for row in before))
    await refresh_sessions(past.maintained)
    assert await session_hours(past.pool) == before

    await mark(past, *(row["bucket"] for row in before))
    await refresh_sessions(maintained(past, Settings(retention_days=60)))
    assert await session_hours(past.pool) == before
