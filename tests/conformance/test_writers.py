"""Groups of batches, several writers at once, and what they wait for."""

import asyncio
from uuid import UUID, uuid4

import pytest
from msgspec import Raw

from tests.conformance.blocking import blocking, until_waited_for
from tests.conformance.hourly import table_of, until, wrong_event_hours
from tests.conformance.visits import HOUR, batch, clicks, days_ago, now, placed, visit
from tests.conftest import other_process
from tracker_backend.errors import Invalid, Unavailable
from tracker_backend.ingest.batch import Batch, Outcome
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database


async def write(pipeline: Pipeline, database: Database, batches: list[Batch]) -> list[Outcome]:
    """One group, without the writer's second attempts."""
    written = await pipeline.commit.write([placed(pipeline, each) for each in batches])
    return [each.outcome for each in written]


async def test_two_writers_of_the_same_sessions_in_opposite_orders_never_deadlock(
    database: Database, pipeline: Pipeline, settings: Settings, dsn: str
) -> None:
    other = await Database.open(settings, dsn)
    other_pipeline = Pipeline(settings, other.store)
    sessions = [uuid4() for _ in range(12)]
    try:
        for _ in range(15):
            forth = [batch(clicks(now(), 2), session=session) for session in sessions]
            back = [batch(clicks(now(), 2), session=session) for session in reversed(sessions)]
            await asyncio.gather(
                write(pipeline, database, forth),
                write(other_pipeline, other, back),
                erase_session(database.pool, database.node, 1, sessions[3]),
                erase_session(other.pool, other.node, 1, sessions[8]),
            )
    finally:
        await other.close()
    counts = await database.pool.fetch("select session_id, event_count from tracker.sessions")
    assert {row["event_count"] for row in counts if row["session_id"] not in (sessions[3], sessions[8])} == {60}


@pytest.mark.parametrize("held", ["identity", "session"])
@pytest.mark.parametrize("order", [1, -1], ids=["forth", "back"])
async def test_a_group_that_waits_for_a_key_holds_no_later_key(
    order: int, held: str, database: Database, pipeline: Pipeline, settings: Settings, dsn: str
) -> None:
    """Everyone takes keys in their order, so nobody can wait in a circle."""
    low, high = UUID(int=1), UUID(int=2)
    for session in (low, high):
        await visit(pipeline, clicks(now(), 1), session=session)
    group = {session: batch(clicks(now(), 1), session=session, name="next") for session in (low, high)}
    first = placed(pipeline, batch(clicks(now(), 1), session=low, name="next")).batch
    statement, values = "select from tracker.sessions where session_id = $1 for update", [low]
    if held == "identity":
        statement = (
            "insert into tracker.ingest_batches (project_id, session_id, batch_id, events) values (1, $1, $2, 1)"
        )
        values = [low, first.identity]
    other = await Database.open(settings, dsn)
    other_pipeline = Pipeline(settings, other.store)
    try:
        async with blocking(database, dsn, statement, *values) as blocker:
            waiting = asyncio.create_task(write(pipeline, database, [group[key] for key in (low, high)[::order]]))
            await until_waited_for(database, blocker)
            later = batch(clicks(now(), 1), session=high, name="next" if held == "identity" else "other")
            async with asyncio.timeout(3):
                assert [outcome.repeated for outcome in await write(other_pipeline, other, [later])] == [False]
            assert not waiting.done()
        repeated = {key: outcome.repeated for key, outcome in zip((low, high)[::order], await waiting, strict=True)}
    finally:
        await other.close()
    assert repeated == {low: False, high: held == "identity"}


async def test_two_processes_that_write_one_batch_store_it_once(
    database: Database, pipeline: Pipeline, second: Pipeline
) -> None:
    session = uuid4()
    for _ in range(10):
        events = clicks(now(), 3)
        outcomes = await asyncio.gather(
            *(each.submit(batch(events, session=session)) for each in (pipeline, second) * 3)
        )
        assert sorted(outcome.repeated for outcome in outcomes) == [False, *[True] * 5]
    assert await database.pool.fetchval("select count(*) from tracker.events") == 30
    assert await database.pool.fetchval("select event_count from tracker.sessions") == 30


async def test_a_repeated_batch_is_known_by_its_events_or_by_its_name(database: Database, pipeline: Pipeline) -> None:
    events, session = clicks(now(), 3), uuid4()
    first = await pipeline.submit(batch(events, session=session, sent=now()))
    again = await pipeline.submit(batch(events, session=session, sent=now()))
    named = await pipeline.submit(batch(events, session=session, name="one"))
    renamed = await pipeline.submit(batch(events, session=session, name="one"))
    elsewhere = await pipeline.submit(batch(events, session=uuid4(), name="one"))
    assert [outcome.repeated for outcome in (first, again, named, renamed, elsewhere)] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert await database.pool.fetchval("select count(*) from tracker.events") == 9


async def test_a_batch_that_cannot_be_stored_fails_alone_and_its_neighbours_commit(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    sessions = [UUID(int=number) for number in range(1, 10)]
    batches = [batch(clicks(now(), 3), session=session) for session in sessions]
    batches[5].events[1].event_data = Raw(rb'"\u0000"')  # past the cleaning, as if that had a hole
    held = placed(pipeline, batch(clicks(now(), 1), name="held"))
    claim = "insert into tracker.ingest_batches (project_id, session_id, batch_id, events) values (1, $1, $2, 1)"
    async with blocking(database, dsn, claim, held.batch.session_id, held.batch.identity) as blocker:
        # While the first group waits, all others gather for the next.
        first = asyncio.create_task(pipeline.writer.write(held))
        await until_waited_for(database, blocker)
        waiting = asyncio.gather(*(pipeline.submit(each) for each in batches), return_exceptions=True)
        await asyncio.wait({first}, timeout=0)
    assert not (await first).repeated
    outcomes = await waiting
    assert isinstance(outcomes[5], Invalid)
    assert [isinstance(outcome, Outcome) for outcome in outcomes] == [number != 5 for number in range(9)]
    stored = await database.pool.fetch("select session_id, count(*) from tracker.events group by 1 order by 1")
    assert [tuple(row) for row in stored if row["session_id"] in sessions] == [
        (session, 3) for session in sessions if session != sessions[5]
    ]
    identities = "select count(*) from tracker.ingest_batches where session_id = $1"
    assert await database.pool.fetchval(identities, sessions[5]) == 0


async def test_a_batch_for_a_chunk_under_compression_is_stored_when_that_is_done(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    moment = days_ago(6)
    await visit(pipeline, clicks(moment, 1))
    chunk = await table_of(database.pool, "events")
    async with blocking(database, dsn, f"lock table {chunk} in exclusive mode") as blocker:
        late = asyncio.create_task(pipeline.submit(batch(clicks(moment, 4), received=now())))
        await until_waited_for(database, blocker)
        # Batches of today do not wait for it: they have a lane of their own.
        await asyncio.wait_for(visit(pipeline, clicks(now(), 2)), 3)
        assert not late.done()
    assert not (await late).repeated
    assert await database.pool.fetchval("select count(*) from tracker.events") == 7


async def test_a_batch_for_a_chunk_that_stays_locked_is_answered_and_its_repeat_is_stored_once(
    database: Database, dsn: str
) -> None:
    moment = days_ago(6)
    async with other_process(Settings(pool_min=1, pool_max=4, request_timeout=1), dsn) as impatient:
        await visit(impatient, clicks(moment, 1))
        chunk, events, session = await table_of(database.pool, "events"), clicks(moment, 4), uuid4()
        async with blocking(database, dsn, f"lock table {chunk} in exclusive mode"), asyncio.timeout(8):
            with pytest.raises(Unavailable) as refusal:
                await impatient.submit(batch(events, session=session, received=now()))
        assert int(refusal.value.headers["Retry-After"]) > 0
        await impatient.submit(batch(events, session=session, received=now()))
        again = await impatient.submit(batch(events, session=session, received=now()))
    assert again.repeated
    assert await database.pool.fetchval("select count(*) from tracker.events") == 5
    await database.maintained.refresh_events_hourly()
    assert await wrong_event_hours(database.pool) == []


@pytest.mark.tiers("timescale")
async def test_a_group_that_waited_5_seconds_for_a_lock_gives_up_its_own_and_tries_again(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    moment = days_ago(6)
    await visit(pipeline, clicks(moment, 1))
    chunk = await table_of(database.pool, "events")
    async with blocking(database, dsn, f"lock table {chunk} in exclusive mode") as blocker:
        begun = "select min(xact_start) from pg_stat_activity where $1 = any(pg_blocking_pids(pid)) and xact_start > $2"
        late = asyncio.create_task(pipeline.submit(batch(clicks(moment, 4), received=now())))
        attempts = [now() - HOUR]
        for _ in range(2):
            await until(lambda: database.pool.fetchval(begun, blocker.get_server_pid(), attempts[-1]))
            attempts.append(await database.pool.fetchval(begun, blocker.get_server_pid(), attempts[-1]))
    assert not (await late).repeated
    assert 4 < (attempts[2] - attempts[1]).total_seconds() < 10
    assert await database.pool.fetchval("select count(*) from tracker.events") == 5


async def test_ids_are_in_order_unique_and_safe_in_a_browser(
    database: Database, pipeline: Pipeline, second: Pipeline
) -> None:
    for _ in range(5):
        await asyncio.gather(*(visit(each, clicks(now(), 100)) for each in (pipeline, second) * 4))
    ids = [row[0] for row in await database.pool.fetch("select event_id from tracker.events")]
    assert len(set(ids)) == len(ids) == 4_000
    assert max(ids) < 2**53
    disordered = await database.pool.fetchval(
        "select count(*) from (select event_id < lag(event_id) over (partition by session_id order by timestamp)"
        " from tracker.events) as e (is_wrong) where is_wrong"
    )
    assert disordered == 0
