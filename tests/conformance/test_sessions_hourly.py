"""`sessions_hourly` equals the sessions, grouped."""

from uuid import uuid4

from tests.conformance.hourly import session_hours, wrong_session_hours
from tests.conformance.visits import DAY, HOUR, clicks, days_ago, event, now, visit
from tests.projects import make_project
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance.tasks import refresh_sessions
from tracker_backend.queries.sessions import get_session
from tracker_backend.storage.database import Database

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


async def test_sessions_of_the_current_hour_are_counted_without_a_refresh(
    database: Database, pipeline: Pipeline
) -> None:
    await visit(pipeline, clicks(now(), 3))
    rows = await session_hours(database.pool)
    assert [(row["sessions"], row["event_count"], row["click_count"]) for row in rows] == [(1, 3, 3)]
    assert await wrong_session_hours(database.pool) == []


async def test_every_project_hour_app_and_device_has_its_own_numbers(database: Database, pipeline: Pipeline) -> None:
    other = await make_project(database.pool, "other")
    for project in (1, other):
        for agent in (FIREFOX, PHONE, BOT):
            for app in (None, "shop"):
                for moment in (days_ago(3), days_ago(3) + HOUR, now()):
                    kinds = ("click", "error", "pageview", "rage_click", "scroll")
                    events = [event(moment + number * HOUR / 90, kind) for number, kind in enumerate(kinds)]
                    fields = SessionFields(user_agent=agent, app_id=app)
                    await visit(pipeline, events, project=project, fields=fields, received=now())
    await refresh_sessions(database.maintained)
    rows = await session_hours(database.pool)
    assert len(rows) == 2 * 3 * 2 * 3
    assert {row["is_bot"] for row in rows} == {True, False}
    assert all((row["sessions"], row["error_count"], row["rage_click_count"]) == (1, 1, 1) for row in rows)
    assert await wrong_session_hours(database.pool) == []


async def test_a_session_that_goes_on_is_counted_in_the_hour_it_began(database: Database, pipeline: Pipeline) -> None:
    session = uuid4()
    for number, hours in enumerate((30, 29, 26, 3, 0)):
        await visit(pipeline, clicks(now() - hours * HOUR, 2), session=session)
        await refresh_sessions(database.maintained)
        rows = await session_hours(database.pool)
        assert [row["event_count"] for row in rows] == [2 * number + 2]
        assert await wrong_session_hours(database.pool) == []


async def test_late_events_change_the_numbers_of_their_sessions(database: Database, pipeline: Pipeline) -> None:
    sessions = [await visit(pipeline, clicks(days_ago(days), 5)) for days in (6, 3, 1)]
    await refresh_sessions(database.maintained)
    for session in sessions:
        await visit(pipeline, clicks(days_ago(1) + HOUR, 7), session=session, received=days_ago(1) + 2 * HOUR)
    await refresh_sessions(database.maintained)
    assert [row["event_count"] for row in await session_hours(database.pool)] == [12, 12, 12]
    assert await wrong_session_hours(database.pool) == []


async def test_a_refresh_takes_up_the_hours_since_the_last(database: Database, pipeline: Pipeline) -> None:
    """As if the server had been off for two days: hours that were current when they came carry no mark."""
    for hours in (47, 30, 2, 0):
        await visit(pipeline, clicks(now() - hours * HOUR, 2))
    await database.pool.execute("delete from tracker.hours_to_refresh")
    await database.pool.execute(
        "update tracker.rollups set upto = date_bin('1 hour', now() - $1::interval, 'epoch')", 2 * DAY
    )
    assert await wrong_session_hours(database.pool) == []
    await refresh_sessions(database.maintained)
    assert await wrong_session_hours(database.pool) == []
    assert await database.pool.fetchval("select count(*) from tracker.sessions_hourly_rollup") == 3


async def test_a_session_moves_to_the_hour_of_an_earlier_event_that_arrives_later(
    database: Database, pipeline: Pipeline, second: Pipeline
) -> None:
    session = await visit(pipeline, fields=SessionFields(page_url="https://shop.example/"))
    await refresh_sessions(database.maintained)
    for writer, days in ((second, 1), (pipeline, 4), (second, 2), (pipeline, 6)):
        await visit(writer, clicks(days_ago(days), 2), session=session, received=now())
        found = await get_session(database.pool, 1, session)
        assert found.started_at == found.first_at
        await refresh_sessions(database.maintained)
        rows = await session_hours(database.pool)
        assert [row["sessions"] for row in rows] == [1]
        assert await wrong_session_hours(database.pool) == []
    assert found.started_at == days_ago(6)
