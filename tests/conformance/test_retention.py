"""Retention drops the days past it, and nothing else."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.conformance.conftest import maintained
from tests.conformance.hourly import kept_from, session_hours, until
from tests.conformance.visits import DAY, clicks, days_ago, event, now, visit
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance import retention
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.store import SERIES

_SERIES_ROWS = {
    "events": "(event_id, project_id, session_id, timestamp, source, event_type, page_url, page_host, page_path)"
    " select 1, 1, $1, t, 'native', 'click', '', '', '' from unnest($2::timestamptz[]) as t",
    "screenshots": "(screenshot_id, project_id, session_id, timestamp, page_url, image_format, image_width,"
    " image_height, file_size, sha256)"
    " select 1, 1, $1, t, '', 'png', 1, 1, 1, ''::bytea from unnest($2::timestamptz[]) as t",
    "recordings": "(recording_id, project_id, session_id, timestamp, last_at, arrival, event_count, inflated_size,"
    " has_full_snapshot, client_first, client_last, batches, data)"
    " select 1, 1, $1, t, t, 1, 1, 1, true, 1, 1, '[]', ''::bytea from unnest($2::timestamptz[]) as t",
}


@pytest.mark.parametrize("series", SERIES)
async def test_retention_drops_exactly_the_days_that_ended_30_days_ago(series: str, past: Database) -> None:
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    # The first and the last microsecond of each of the last 40 days, and now.
    moments = [
        moment
        for day in range(40, 0, -1)
        for moment in (midnight - day * DAY, midnight - (day - 1) * DAY - timedelta.resolution)
    ]
    await past.pool.execute(f"insert into tracker.{series} {_SERIES_ROWS[series]}", UUID(int=1), [*moments, now()])

    await retention.drop_raw_rows(past.maintained)
    kept = [row[0] for row in await past.pool.fetch(f"select timestamp from tracker.{series} order by 1")]
    assert kept[:-1] == [moment for moment in moments if moment >= midnight - 30 * DAY]
    assert len(kept) == 61


async def test_retention_returns_how_many_days_it_dropped(past: Database) -> None:
    # Days -41 to -31: empty ones too.
    assert await retention.drop_raw_rows(past.maintained) == 11 * len(SERIES)
    assert await retention.drop_raw_rows(past.maintained) == 0


async def test_retention_runs_while_a_reader_and_a_writer_of_other_days_are_in_a_transaction(
    past: Database, pipeline: Pipeline, dsn: str
) -> None:
    """The reader ends after the drop has begun: only plain PostgreSQL waits for it, and lets others go on meanwhile."""
    reader = await asyncpg.connect(dsn)
    try:
        reading = reader.transaction()
        await reading.start()
        await reader.fetch("select count(*) from tracker.events where timestamp > now() - interval '1 day'")
        dropping = asyncio.create_task(retention.drop_raw_rows(past.maintained))
        async with asyncio.timeout(5):
            await visit(pipeline, clicks(now(), 3))
        await reading.commit()
        assert await dropping == 11 * len(SERIES)
    finally:
        await reader.close()
    assert await past.pool.fetchval("select count(*) from tracker.events") == 3


@pytest.mark.parametrize("tier", ["plain"], indirect=True)
async def test_a_detaching_that_was_cut_off_is_finished_by_the_next_run(
    past: Database, pipeline: Pipeline, dsn: str
) -> None:
    old = days_ago(35)
    for moment in (old, days_ago(34), days_ago(3)):
        await visit(pipeline, clicks(moment, 2))
    reader, cut = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        async with reader.transaction():
            await reader.fetch("select count(*) from tracker.events")
            detach = f"alter table tracker.events detach partition tracker.events_{old:%Y%m%d} concurrently"
            detaching = asyncio.create_task(cut.execute(detach))
            pending = "select exists (select from pg_inherits where inhdetachpending)"
            await until(lambda: past.pool.fetchval(pending))
            await past.pool.execute("select pg_cancel_backend($1)", cut.get_server_pid())
            with pytest.raises(asyncpg.QueryCanceledError):
                await detaching
    finally:
        await reader.close()
        await cut.close()
    assert await past.pool.fetchval(pending)

    assert await retention.drop_raw_rows(past.maintained) == 11 * len(SERIES)
    assert not await past.pool.fetchval(pending)
    assert await past.pool.fetchval("select to_regclass($1)", f"tracker.events_{old:%Y%m%d}") is None
    assert await past.pool.fetchval("select count(*) from tracker.events") == 2
    await visit(pipeline, clicks(days_ago(3), 1))
    assert await past.maintained.make_ahead() == 0


async def test_hourly_numbers_have_a_retention_of_their_own(past: Database, pipeline: Pipeline) -> None:
    for days in (35, 20, 3):
        await visit(pipeline, clicks(days_ago(days), 4))
    await past.maintained.refresh_events_hourly()
    await retention.drop_raw_rows(past.maintained)
    shorter = maintained(past, Settings(hourly_retention_days=31))
    limit = now() - 31 * DAY
    hours = "select array_agg(bucket order by bucket) from tracker.events_hourly"

    await retention.drop_hourly_numbers(past.maintained)
    assert len(await past.pool.fetchval(hours)) == 3

    async with past.maintained.pool.acquire() as connection:
        await shorter.apply_settings(connection)
    await retention.drop_hourly_numbers(shorter)
    kept = await past.pool.fetchval(hours)
    # Plain drops by the hour, TimescaleDB by its chunks of ten days.
    assert [hour for hour in kept if hour >= limit] == [days_ago(20), days_ago(3)]
    assert await past.pool.fetchval("select count(*) from tracker.events") == 8


async def test_hourly_numbers_of_13_months_are_kept_and_older_ones_dropped(database: Database) -> None:
    table = "events_hourly_rollup"
    if database.store.tier == "timescale":
        table = await database.pool.fetchval(
            "select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)"
            " from timescaledb_information.continuous_aggregates where view_schema = 'tracker'"
        )
    else:
        table = f"tracker.{table}"
    hours = [days_ago(days) for days in (450, 420, 390, 200)]
    await database.pool.execute(
        f"insert into {table} (project_id, bucket, event_type, page_host, page_path, count, sessions)"
        " select 1, h, 'click', '', '', 1, 1 from unnest($1::timestamptz[]) as h",
        hours,
    )
    await database.pool.execute(
        "insert into tracker.sessions_hourly_rollup select 1, h, null, null, false, 1, 0, 0, 0, 0, 0, 0"
        " from unnest($1::timestamptz[]) as h",
        hours,
    )
    await retention.drop_hourly_numbers(database.maintained)
    assert [row[0] for row in await database.pool.fetch(f"select bucket from {table} order by 1")] == hours[2:]
    assert [row["bucket"] for row in await session_hours(database.pool)] == hours[2:]


async def test_sessions_leave_with_their_last_raw_rows(past: Database, pipeline: Pipeline) -> None:
    gone = await visit(pipeline, clicks(days_ago(32), 2))
    kept = await visit(pipeline, clicks(days_ago(32), 2))
    await visit(pipeline, [event(days_ago(29))], session=kept)
    recent = await visit(pipeline, clicks(days_ago(29), 2))
    assert gone not in (kept, recent)
    assert await retention.drop_sessions_without_rows(past.maintained) == 1
    left = {row[0] for row in await past.pool.fetch("select session_id from tracker.sessions")}
    assert left == {kept, recent}


async def test_identities_of_batches_are_dropped_when_no_repeat_can_come(
    database: Database, pipeline: Pipeline
) -> None:
    for days in (13, 15):
        await visit(pipeline, clicks(now(), 1), name=f"{days}")
    await database.pool.execute(
        "update tracker.ingest_batches set received_at = now() - make_interval(days => 13 + 2 * n::int)"
        " from (select batch_id, row_number() over () - 1 as n from tracker.ingest_batches) as b"
        " where b.batch_id = ingest_batches.batch_id"
    )
    assert await retention.drop_batch_identities(database.maintained) == 1
    assert await database.pool.fetchval("select count(*) from tracker.ingest_batches") == 1


async def test_days_that_were_dropped_are_not_made_anew(past: Database) -> None:
    await retention.drop_raw_rows(past.maintained)
    assert await past.maintained.make_ahead() == 0
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert await kept_from(past.pool) == midnight - 30 * DAY
