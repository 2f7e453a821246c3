"""Migration 0012 repairs sessions that could not be read, and lets sessions begin with their first event."""

from datetime import timedelta

from tests.conformance.hourly import session_hours, wrong_session_hours
from tests.conformance.visits import batch, clicks, days_ago, event, now, visit
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance.tasks import refresh_sessions
from tracker_backend.queries import export, sessions
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate

NAME = "core/0012_times_in_range.sql"
FAR = 2**62  # microseconds: the most that a recording's row could have
MOMENT = int(now().timestamp() * 1000)
RECORDED = [{"type": 4, "data": {"href": "https://shop.example/"}, "timestamp": MOMENT}]


async def migrate_again(database: Database, dsn: str) -> None:
    await database.pool.execute("alter table tracker.sessions drop column moved_from")
    await database.pool.execute("delete from tracker.migrations where name = $1", NAME)
    _, applied = await migrate(Settings(), dsn)
    assert applied == [NAME]


async def test_a_session_with_a_poisoned_clock_is_readable_before_and_after(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    made = batch(clicks(now(), 3), recording=RECORDED, fields=SessionFields(ttl_hours=72))
    await pipeline.submit(made)
    session = made.session_id
    await database.pool.execute(
        "update tracker.sessions set clock_offset_ms = -500000000000000000, ttl_hours = 2147483647"
    )
    await database.pool.execute("update tracker.recordings set client_first = $1, client_last = $1", FAR)

    async def exported() -> bytes:
        found = await sessions.get_session(database.pool, 1, session)
        return b"".join([text async for text in export.export_session(database.pool, 1, found, "json")])

    assert b"track_events" in await exported(), "a reader bears it"
    await migrate_again(database, dsn)
    assert b"track_events" in await exported()
    found = await sessions.get_session(database.pool, 1, session)
    assert (found.clock_offset_ms, found.ttl_hours) == (None, 87_600)
    assert found.expires_at == found.last_activity_at + timedelta(hours=87_600)
    rows = await database.pool.fetch("select client_first, client_last from tracker.recordings")
    assert [tuple(row) for row in rows] == [(10**18, 10**18)]


async def test_sessions_with_earlier_events_begin_with_them(database: Database, pipeline: Pipeline, dsn: str) -> None:
    moved = await visit(pipeline, clicks(days_ago(3), 2))
    kept = await visit(pipeline, [event(now())])
    await database.pool.execute(
        "update tracker.sessions set started_at = started_at + interval '1 day' where session_id = $1", moved
    )
    await refresh_sessions(database.maintained)
    before = await sessions.get_session(database.pool, 1, kept)
    await migrate_again(database, dsn)
    await refresh_sessions(database.maintained)
    assert (await sessions.get_session(database.pool, 1, moved)).started_at == days_ago(3)
    assert (await sessions.get_session(database.pool, 1, kept)).started_at == before.started_at
    assert len(await session_hours(database.pool)) == 2
    assert await wrong_session_hours(database.pool) == []
