"""What happens while a refresh runs, or before it ever ran, is not lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from tests.conformance.blocking import blocking, until_waited_for
from tests.conformance.hourly import counted, event_hours, until, wrong_event_hours, wrong_session_hours
from tests.conformance.visits import HOUR, clicks, days_ago, event, now, visit
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance.tasks import refresh_events, refresh_sessions
from tracker_backend.storage.database import Database
from tracker_backend.storage.store import Store

ROW = """
    insert into tracker.events
        (event_id, project_id, session_id, timestamp, source, event_type, page_url, page_host, page_path)
    values (1, 1, gen_random_uuid(), $1, 'native', 'late', '', '', '')"""
WAITING = "select min(pid) from pg_locks where not granted and relation = 'tracker.hours_to_refresh'::regclass"
MARK = "insert into tracker.hours_to_refresh values ('events_hourly', 1, date_bin('1 hour', $1::timestamptz, 'epoch'))"


async def test_late_events_that_commit_while_a_refresh_runs_are_counted_by_the_next(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    moment = days_ago(2)
    await visit(pipeline, clicks(moment, 3))
    writer = await asyncpg.connect(dsn)
    try:
        writing = writer.transaction()
        await writing.start()
        await writer.execute(ROW, moment)
        await writer.execute(MARK, moment)
        await database.maintained.refresh_events_hourly()
        assert await counted(database.pool) == 3
        await writing.commit()
    finally:
        await writer.close()
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 4
    assert await wrong_event_hours(database.pool) == []


async def test_a_second_refresh_at_the_same_time_takes_no_mark_from_the_first(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    for days in (6, 4, 2):
        await visit(pipeline, clicks(days_ago(days), 3))
    other = await asyncpg.create_pool(dsn, min_size=1, max_size=2)
    try:
        second = type(database.store)(database.store.settings, other, database.node, b"")
        first = database.maintained.refresh_events_hourly()
        await gather_tolerating_conflicts(first, second.refresh_events_hourly())
    finally:
        await other.close()
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 9
    assert await wrong_event_hours(database.pool) == []


async def gather_tolerating_conflicts(*calls: Awaitable[int]) -> None:
    """TimescaleDB may refuse one of two refreshes of one range; the leader tries again a minute later."""
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncpg.PostgresError):
            raise result


async def test_a_mark_that_came_after_the_list_was_read_stays_on_the_list(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    """The refresh waits for a lock in its midst; meanwhile a batch commits to an hour that it has already done."""
    early, late = days_ago(5), days_ago(3)
    await visit(pipeline, clicks(early, 3))
    await visit(pipeline, clicks(late, 3))
    blocker = await asyncpg.connect(dsn)
    try:
        async with blocker.transaction():
            # Readers and writers go on; a refresh deletes from where hours are kept, or waits for its own lock.
            await blocker.execute("lock table tracker.hours_to_refresh in exclusive mode nowait")
            refreshing = asyncio.create_task(database.maintained.refresh_events_hourly())
            await until(lambda: database.pool.fetchval(WAITING))
            await blocker.execute(ROW, early)
            await blocker.execute(MARK, early)
        await refreshing
    finally:
        await blocker.close()
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 7
    assert await wrong_event_hours(database.pool) == []


async def test_no_hour_is_invisible_when_only_late_marks_were_refreshed(database: Database, pipeline: Pipeline) -> None:
    """Hours that nobody refreshed lie before a marked one: a watermark moved past them would hide them."""
    for hours in (70, 50, 30):
        await visit(pipeline, clicks(now() - hours * HOUR, 2))
    # As if these had been the current hour when they came: no mark.
    await database.pool.execute("delete from tracker.hours_to_refresh")
    if database.store.tier == "plain":
        await database.pool.execute(
            "update tracker.rollups set upto = date_bin('1 hour', now() - interval '4 days', 'epoch')"
        )
    assert await counted(database.pool) == 6
    await visit(pipeline, clicks(now() - 40 * HOUR, 2), received=now())
    assert await wrong_event_hours(database.pool) == []
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 8
    assert await wrong_event_hours(database.pool) == []


@pytest.mark.tiers("timescale")
async def test_a_refresh_that_is_cut_off_hides_no_hour_between_the_watermark_and_a_late_mark(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    hour, middle, late = (now() - hours * HOUR for hours in (120, 70, 40))
    await visit(pipeline, clicks(hour, 2))
    await database.maintained.pool.execute(
        "call refresh_continuous_aggregate('tracker.events_hourly', null, now() - interval '4 days')"
    )
    # As if it had been the current hour when it came: no mark. A row of its hour that the refresh must delete, and
    # cannot while somebody holds it, is where the refresh stops.
    await visit(pipeline, clicks(middle, 2))
    await database.pool.execute("delete from tracker.hours_to_refresh")
    await database.pool.execute(
        f"insert into {await materialized(database)}"
        " select 1, date_bin('1 hour', $1::timestamptz, 'epoch'), '', '', '', 9, 9",
        middle,
    )
    await visit(pipeline, clicks(late, 2), received=now())
    held = f"select from {await materialized(database)} where count = 9 for update"
    async with blocking(database, dsn, held) as blocker:
        refreshing = asyncio.create_task(database.maintained.refresh_events_hourly())
        await cancel(database, await until_waited_for(database, blocker), refreshing)
    assert await wrong_event_hours(database.pool) == []
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 6
    assert await wrong_event_hours(database.pool) == []


async def cancel(database: Database, pid: int, refreshing: asyncio.Task[int]) -> None:
    """Ends a refresh that waits."""
    await database.pool.execute("select pg_cancel_backend($1)", pid)
    with pytest.raises(asyncpg.QueryCanceledError):
        await refreshing


async def materialized(database: Database) -> str:
    """The table in which TimescaleDB keeps hours."""
    return await database.pool.fetchval(
        "select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)"
        " from timescaledb_information.continuous_aggregates where view_schema = 'tracker'"
    )


@pytest.mark.parametrize("task", [refresh_events, refresh_sessions])
async def test_a_refresh_that_fails_forgets_nothing(
    task: Callable[[Store], Coroutine[Any, Any, int]], database: Database, pipeline: Pipeline, dsn: str
) -> None:
    await visit(pipeline, clicks(days_ago(2), 3))
    listed = "select count(*) from tracker.hours_to_refresh"
    before = await database.pool.fetchval(listed)
    async with blocking(database, dsn, "lock table tracker.hours_to_refresh in exclusive mode") as blocker:
        refreshing = asyncio.create_task(task(database.maintained))
        await cancel(database, await until_waited_for(database, blocker), refreshing)
    assert await database.pool.fetchval(listed) == before
    for each in (refresh_events, refresh_sessions):
        await each(database.maintained)
    assert await wrong_event_hours(database.pool) == []
    assert await wrong_session_hours(database.pool) == []


@pytest.mark.tiers("timescale")
async def test_a_refresh_never_starts_before_the_oldest_raw_chunk(past: Database, pipeline: Pipeline) -> None:
    """TimescaleDB's own refresh over a dropped range erases its hours; ours is asked for that range and does not."""
    for days in (36, 34, 12):
        await visit(pipeline, clicks(days_ago(days), 6))
    await past.maintained.refresh_events_hourly()
    before = await event_hours(past.pool)
    await past.pool.execute("select drop_chunks('tracker.events', older_than => interval '30 days')")
    await past.pool.execute(MARK, days_ago(36))
    await past.pool.execute(MARK, days_ago(12))
    await past.maintained.refresh_events_hourly()
    assert await event_hours(past.pool) == before

    # The trap itself: without it this test would prove nothing.
    async with past.maintained.pool.acquire() as connection:
        await connection.execute(
            "call refresh_continuous_aggregate("
            "'tracker.events_hourly', now() - interval '40 days', now() - interval '33 days')"
        )
    assert len(await event_hours(past.pool)) == 1


@pytest.mark.tiers("timescale")
async def test_the_refresh_policy_alone_keeps_finished_hours_right(database: Database, pipeline: Pipeline) -> None:
    for days in (6, 3):
        await visit(pipeline, [event(days_ago(days))])
    job = await database.pool.fetchval(
        "select job_id from timescaledb_information.jobs where proc_name = 'policy_refresh_continuous_aggregate'"
    )
    for _ in range(2):
        async with database.maintained.pool.acquire() as connection:
            await connection.execute(f"call run_job({job})")
        assert await wrong_event_hours(database.pool) == []
        await visit(pipeline, clicks(days_ago(3), 4), received=now())
    assert await counted(database.pool) < 10
