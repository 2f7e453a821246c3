"""`events_hourly` equals the raw events, grouped, whatever happens inside raw retention."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.conformance.hourly import counted, event_hours, wrong_event_hours
from tests.conformance.test_sessions_hourly import BOT, FIREFOX
from tests.conformance.visits import DAY, HOUR, clicks, days_ago, event, now, visit
from tests.projects import make_project
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.storage.database import Database


async def test_events_of_the_current_hour_are_counted_without_a_refresh(database: Database, pipeline: Pipeline) -> None:
    await visit(pipeline, clicks(now(), 3))
    rows = await event_hours(database.pool)
    assert sum(row["count"] for row in rows) == 3
    assert (rows[0]["event_type"], rows[0]["page_host"], rows[0]["page_path"]) == ("click", "shop.example", "/cart")
    assert await wrong_event_hours(database.pool) == []


async def test_events_stay_counted_while_new_ones_follow_a_refresh(database: Database, pipeline: Pipeline) -> None:
    await visit(pipeline, clicks(now(), 3))
    await database.maintained.refresh_events_hourly()
    await visit(pipeline, clicks(now(), 4))
    assert await counted(database.pool) == 7
    assert await wrong_event_hours(database.pool) == []


async def test_every_project_hour_type_host_and_path_has_its_own_numbers(
    database: Database, pipeline: Pipeline
) -> None:
    other = await make_project(database.pool, "other")
    sessions = [uuid4(), uuid4()]
    for days in (1, 2.5, 6):
        for project in (1, other):
            for session in sessions:
                start = days_ago(days)
                events = [
                    event(start + number * timedelta(minutes=25), kind, f"https://{host}.example{path}?q={number}")
                    for number in range(4)
                    for kind in ("click", "scroll")
                    for host in ("shop", "help")
                    for path in ("", "/cart")
                ]
                await visit(pipeline, events, project=project, session=session)
    await database.maintained.refresh_events_hourly()
    rows = await event_hours(database.pool)
    # 3 days, of each 2 hours with events; 2 projects, types, hosts and paths
    assert len(rows) == 3 * 2 * 2 * 2 * 2 * 2
    assert {row["sessions"] for row in rows} == {2}
    assert await counted(database.pool) == 3 * 2 * 2 * 32
    assert await wrong_event_hours(database.pool) == []


@pytest.mark.parametrize("late", [HOUR, 5 * HOUR, DAY, 3 * DAY, 7 * DAY], ids=lambda late: f"{late} late")
async def test_late_events_are_counted_in_the_hour_they_happened(
    late: timedelta, database: Database, pipeline: Pipeline
) -> None:
    received = now()
    moment = received - late
    await visit(pipeline, clicks(moment, 5), received=moment)
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 5

    await visit(pipeline, clicks(moment, 7), received=received)
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 12
    assert {row["bucket"] for row in await event_hours(database.pool)} == {
        moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    }
    assert await wrong_event_hours(database.pool) == []


async def test_late_events_of_many_hours_are_counted_by_one_refresh(database: Database, pipeline: Pipeline) -> None:
    start = days_ago(5)
    for part in range(2):
        for hours in (0, 1, 2, 7, 30, 71):
            await visit(pipeline, clicks(start + hours * HOUR, 3 + part), received=start + 4 * DAY)
        await database.maintained.refresh_events_hourly()
        assert await wrong_event_hours(database.pool) == []
    assert await counted(database.pool) == 6 * 7


async def test_a_deleted_session_is_taken_off_every_hour_it_had_events_in(
    database: Database, pipeline: Pipeline
) -> None:
    kept, gone = uuid4(), uuid4()
    moments = [days_ago(6), days_ago(2), now() - 2 * HOUR, now()]
    for session in (kept, gone):
        for moment in moments:
            await visit(pipeline, clicks(moment, 5), session=session, received=now())
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 40

    assert await erase_session(database.pool, database.node, 1, gone)
    await database.maintained.refresh_events_hourly()
    assert await counted(database.pool) == 20
    assert {row["sessions"] for row in await event_hours(database.pool)} == {1}
    assert await wrong_event_hours(database.pool) == []


@pytest.mark.parametrize("length", [9_600, 10_000])
async def test_a_projects_long_urls_are_cut_and_counted(length: int, database: Database, pipeline: Pipeline) -> None:
    # Characters that do not compress: pglz hides how long an index entry would be.
    paths = ["/" + "".join(chr(0x4E00 + (seed * 7919 + n * 104729) % 20000) for n in range(length)) for seed in (1, 2)]
    moment = days_ago(2)
    for path in paths:
        await visit(pipeline, clicks(moment, 4, f"https://shop.example{path}?token=1"))
    await database.maintained.refresh_events_hourly()
    rows = await event_hours(database.pool)
    assert [row["count"] for row in rows] == [4, 4]
    assert {row["page_path"] for row in rows} == {path[:512] for path in paths}
    stored = await database.pool.fetchval("select max(length(page_url)) from tracker.events")
    assert stored > length
    assert await wrong_event_hours(database.pool) == []


async def test_hours_add_up_to_days(database: Database, pipeline: Pipeline) -> None:
    for hours in range(0, 48, 5):
        await visit(pipeline, clicks(days_ago(3) + hours * HOUR, 2 + hours))
    await database.maintained.refresh_events_hourly()
    by_hours = await database.pool.fetch(
        "select date_trunc('day', bucket, 'UTC'), sum(count)::bigint from tracker.events_hourly group by 1 order by 1"
    )
    by_rows = await database.pool.fetch(
        "select date_trunc('day', timestamp, 'UTC') as day, count(*) from tracker.events group by 1 order by 1"
    )
    assert [tuple(row) for row in by_hours] == [tuple(row) for row in by_rows]
    assert len(by_rows) == 3


async def test_a_refresh_with_nothing_to_do_changes_nothing(database: Database, pipeline: Pipeline) -> None:
    await visit(pipeline, clicks(days_ago(2), 9))
    await database.maintained.refresh_events_hourly()
    before = await event_hours(database.pool)
    await database.maintained.refresh_events_hourly()
    assert await event_hours(database.pool) == before
    assert (
        await database.pool.fetchval("select count(*) from tracker.hours_to_refresh where rollup = 'events_hourly'")
        == 0
    )


async def test_an_event_older_than_the_late_window_is_counted_in_the_hour_of_receipt(
    database: Database, pipeline: Pipeline
) -> None:
    received: datetime = now()
    await visit(pipeline, [event(received - 8 * DAY)], received=received)
    rows = await event_hours(database.pool)
    assert [row["bucket"] for row in rows] == [received.replace(minute=0, second=0, microsecond=0)]
    client_time = await database.pool.fetchval("select event_data ->> '$client_timestamp' from tracker.events")
    assert client_time == (received - 8 * DAY).isoformat()


async def test_bots_are_counted_apart_by_the_label_of_their_session(
    database: Database, pipeline: Pipeline, second: Pipeline
) -> None:
    async def labels(session: UUID) -> set[bool]:
        query = "select distinct is_bot from tracker.events where session_id = $1"
        return {row[0] for row in await database.pool.fetch(query, session)}

    person, bot = SessionFields(user_agent=FIREFOX), SessionFields(user_agent=BOT)
    visitor = await visit(pipeline, clicks(days_ago(2), 3), fields=person)
    # A relay's own agent says nothing of the visitor.
    await visit(second, clicks(days_ago(2), 2), session=visitor, fields=SessionFields(user_agent=BOT))
    crawler = await visit(pipeline, clicks(days_ago(2), 4), fields=bot)
    await visit(pipeline, clicks(now(), 1), session=crawler, fields=SessionFields(user_agent=FIREFOX))
    assert (await labels(visitor), await labels(crawler)) == ({False}, {True})
    await database.maintained.refresh_events_hourly()
    rows = await event_hours(database.pool)
    assert sorted((row["is_bot"], row["count"]) for row in rows) == [(False, 5), (True, 1), (True, 4)]
    assert await wrong_event_hours(database.pool) == []


@pytest.mark.parametrize("is_start", [False, True])
async def test_a_session_whose_first_agent_arrives_late_takes_its_events_along(
    database: Database, pipeline: Pipeline, second: Pipeline, *, is_start: bool
) -> None:
    session = await visit(pipeline, clicks(days_ago(2), 3))
    await database.maintained.refresh_events_hourly()
    assert {row["is_bot"] for row in await event_hours(database.pool)} == {True}, "no user agent"
    about = SessionFields(user_agent=FIREFOX, page_url="https://shop.example/")
    await visit(second, [] if is_start else clicks(now(), 1), session=session, fields=about)
    await database.maintained.refresh_events_hourly()
    assert {row["is_bot"] for row in await event_hours(database.pool)} == {False}
    assert await wrong_event_hours(database.pool) == []
