"""A deleted session leaves nothing behind, from the columnstore either."""

from uuid import UUID, uuid4

import pytest

from tests.conformance.columnstore import compress
from tests.conformance.hourly import counted, event_hours, wrong_event_hours, wrong_session_hours
from tests.conformance.visits import batch, clicks, days_ago, now, visit
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance.tasks import refresh_sessions
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.storage.database import Database

_TABLES = """
    select table_name from information_schema.columns
    where table_schema = 'tracker' and column_name = 'session_id' and table_name !~ '_[0-9]{8}$' order by 1"""


async def rows_of(database: Database, session: UUID) -> dict[str, int]:
    """How many rows of a session each table has."""
    tables = [row[0] for row in await database.pool.fetch(_TABLES)]
    assert {"events", "screenshots", "recordings", "sessions", "ingest_batches"} <= {*tables}
    count = "select count(*) from tracker.{} where session_id = $1"
    return {table: await database.pool.fetchval(count.format(table), session) for table in tables}


async def test_every_row_of_a_deleted_session_is_gone_and_its_neighbours_stay(
    database: Database, pipeline: Pipeline
) -> None:
    kept, gone = uuid4(), uuid4()
    for number, session in enumerate((kept, gone)):
        await visit(pipeline, clicks(days_ago(3), 5), session=session)
        await visit(pipeline, clicks(now(), 2), session=session)
        for table, values in (
            ("screenshots", "'', 'png', 1, 1, 1, ''::bytea, null, null, null"),
            ("recordings", "t, 1, 1, 1, true, 1, 1, '[]', ''::bytea"),
        ):
            await database.pool.execute(
                f"insert into tracker.{table} select $2, 1, $1, t, {values}"
                " from (select first_at as t from tracker.sessions where session_id = $1) as s",
                session,
                number,
            )
    before = await rows_of(database, kept)
    assert await rows_of(database, gone) == before
    assert before["events"] == 7

    assert await erase_session(database.pool, database.node, 1, gone)
    assert set((await rows_of(database, gone)).values()) == {0}
    assert await rows_of(database, kept) == before
    assert not await erase_session(database.pool, database.node, 1, gone)


async def test_a_session_of_another_project_is_not_found(database: Database, pipeline: Pipeline) -> None:
    session = await visit(pipeline, clicks(now(), 2))
    assert not await erase_session(database.pool, database.node, 2, session)
    assert await counted(database.pool) == 2


async def test_a_batch_of_a_deleted_session_begins_it_anew(database: Database, pipeline: Pipeline) -> None:
    events = clicks(now(), 4)
    session = await visit(pipeline, events)
    await erase_session(database.pool, database.node, 1, session)
    outcome = await pipeline.submit(batch(events, session=session))
    assert (outcome.created, outcome.repeated) == (True, False)
    assert (await rows_of(database, session))["events"] == 4


async def test_hours_of_sessions_lose_a_deleted_session(database: Database, pipeline: Pipeline) -> None:
    for moment in (days_ago(3), days_ago(3), now()):
        gone = await visit(pipeline, clicks(moment, 5))
        await visit(pipeline, clicks(moment, 3))
        await refresh_sessions(database.maintained)
        await erase_session(database.pool, database.node, 1, gone)
        await refresh_sessions(database.maintained)
        assert await wrong_session_hours(database.pool) == []
    assert await database.pool.fetchval("select sum(sessions) from tracker.sessions_hourly") == 3


@pytest.mark.tiers("timescale")
async def test_a_session_is_deleted_from_a_compressed_chunk(past: Database, pipeline: Pipeline) -> None:
    kept, gone = [uuid4() for _ in range(20)], uuid4()
    for session in [*kept[:10], gone, *kept[10:]]:
        await visit(pipeline, clicks(days_ago(10), 200), session=session)
    await past.maintained.refresh_events_hourly()
    assert f"{days_ago(10):%Y-%m-%d}" in await compress(past)
    before = {session: await rows_of(past, session) for session in kept}

    assert await erase_session(past.pool, past.node, 1, gone)
    assert set((await rows_of(past, gone)).values()) == {0}
    assert {session: await rows_of(past, session) for session in kept} == before
    await past.maintained.refresh_events_hourly()
    assert [(row["count"], row["sessions"]) for row in await event_hours(past.pool)] == [(4_000, 20)]
    assert await wrong_event_hours(past.pool) == []


@pytest.mark.tiers("timescale")
async def test_a_session_of_more_than_100000_compressed_rows_is_deleted(past: Database, pipeline: Pipeline) -> None:
    """TimescaleDB refuses to unpack more in a transaction, unless told; 2.29 deletes whole batches unopened."""
    session = uuid4()
    for number in range(21):
        await visit(pipeline, clicks(days_ago(10), 5_000), session=session, name=f"{number}")
    kept = await visit(pipeline, clicks(days_ago(10), 10))
    await past.maintained.refresh_events_hourly()
    assert f"{days_ago(10):%Y-%m-%d}" in await compress(past)
    assert (await rows_of(past, session))["events"] == 105_000

    assert await erase_session(past.pool, past.node, 1, session)
    await past.maintained.refresh_events_hourly()
    assert set((await rows_of(past, session)).values()) == {0}
    assert (await rows_of(past, kept))["events"] == 10
    assert [(row["count"], row["sessions"]) for row in await event_hours(past.pool)] == [(10, 1)]
    assert await wrong_event_hours(past.pool) == []
