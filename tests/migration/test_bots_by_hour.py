"""Migration 0013 labels stored events, and keeps hours that have lost their rows."""

from uuid import UUID

import asyncpg
import pytest

from tests.conformance.hourly import wrong_event_hours
from tests.conformance.visits import days_ago
from tests.conftest import Server
from tracker_backend.settings import Settings
from tracker_backend.storage import migrate as runner
from tracker_backend.storage.database import Database, migrate

OLD = days_ago(100).replace(minute=0)
_SESSION = """
    insert into tracker.sessions (
        project_id, session_id, started_at, last_activity_at, first_at, last_at, is_bot, native_event_count
    ) values (1, $1, $2, $2, $2, $2, $3, 1)"""
_EVENT = """
    insert into tracker.events (
        event_id, project_id, session_id, timestamp, source, event_type, page_url, page_host, page_path
    ) values (1, 1, $1, $2, 'native', 'click', 'https://shop.example/', 'shop.example', '/')"""
_LISTED = "insert into tracker.hours_to_refresh values ('events_hourly', 1, date_bin('1 hour', $1, 'epoch'))"


async def _past(connection: asyncpg.Connection, tier: str) -> None:
    """An hour without rows, as retention leaves it, and hours of a person and of bots, also compressed ones."""
    if tier == "plain":
        await connection.execute(
            "insert into tracker.events_hourly_rollup values (1, $1, 'click', 'shop.example', '/', 1, 1)", OLD
        )
        await connection.execute("update tracker.rollups set kept_from = now() - interval '30 days'")
    else:
        await connection.execute(_EVENT, UUID(int=9), OLD)
    for number, (days, is_bot) in enumerate([(3, False), (3, True), (7, True)]):
        await connection.execute(_SESSION, UUID(int=number), days_ago(days), is_bot)
        await connection.execute(_EVENT, UUID(int=number), days_ago(days))
        await connection.execute(_LISTED, days_ago(days))
    if tier == "timescale":
        await connection.execute(
            "call refresh_continuous_aggregate('tracker.events_hourly', null, now() - '1 h'::interval)"
        )
        await connection.execute("select drop_chunks('tracker.events', now() - interval '30 days')")
        await connection.execute(
            "select compress_chunk(c) from show_chunks('tracker.events', now() - interval '6 days') as c"
        )


async def test_events_are_labelled_and_no_hour_is_lost(
    server: Server, tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = await server.empty_database()
    everything = runner.files(tier)
    with monkeypatch.context() as patched:

        def before(_: str) -> list[runner.Migration]:
            return [each for each in everything if each.name.partition("/")[2] < "0013"]

        patched.setattr(runner, "files", before)
        await migrate(Settings(), dsn)
    connection = await asyncpg.connect(dsn)
    await _past(connection, tier)
    await connection.close()
    await migrate(Settings(), dsn)
    database = await Database.open(Settings(), dsn)
    try:
        await database.maintained.refresh_events_hourly()
        rows = await database.pool.fetch(
            "select bucket, is_bot, count, sessions from tracker.events_hourly order by 1, 2"
        )
        expected = [(OLD, False), (days_ago(7), True), (days_ago(3), False), (days_ago(3), True)]
        assert [tuple(row) for row in rows] == [(moment, is_bot, 1, 1) for moment, is_bot in expected]
        assert [row["bucket"] for row in await wrong_event_hours(database.pool)] == [OLD], "all others are of rows"
        columns = "select is_bot from tracker_analyst.events union all select is_bot from tracker_analyst.events_hourly"
        assert await database.pool.fetch(columns) == [], "the view has it, and shows it to whom it was granted"
    finally:
        await database.close()
