"""What batches make of their session: counters, totals, clock, and who says something first."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tests.conformance.visits import CART, DAY, HOUR, batch, clicks, days_ago, event, microseconds, now, visit
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance import retention
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.queries.events import list_events
from tracker_backend.queries.sessions import get_session, list_sessions
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database

KINDS = ("click", "click", "error", "pageview", "rage_click", "scroll")


def recorded(moment: datetime) -> list[dict[str, Any]]:
    """A page view, four clicks of which the first three are in a rage, and an error, as rrweb records them."""
    time = microseconds(moment) // 1000
    page = {"type": 4, "data": {"href": CART, "width": 800, "height": 600}}
    clicks = [{"type": 3, "data": {"source": 2, "type": 2, "id": 5, "x": x, "y": 9}} for x in (5, 5, 5, 500)]
    error = {"type": 6, "data": {"plugin": "rrweb/console@1", "payload": {"level": "error", "payload": ['"no"']}}}
    return [{**each, "timestamp": time + index} for index, each in enumerate([page, *clicks, error])]


async def test_counters_are_kept_by_source_and_each_kind_is_shown_from_one(
    database: Database, pipeline: Pipeline
) -> None:
    session = uuid4()
    await visit(pipeline, session=session, recording=recorded(now()))
    found = await get_session(database.pool, 1, session)
    assert (found.event_count, found.click_count, found.error_count) == (7, 4, 1)
    assert (found.page_count, found.rage_click_count, found.native_event_count) == (1, 1, 0)
    assert (found.recorded_event_count, found.has_recording, found.last_page_url) == (6, True, CART)

    await visit(pipeline, [event(now(), "scroll"), event(now(), "click")], session=session)
    found = await get_session(database.pool, 1, session)
    assert (found.event_count, found.click_count, found.error_count, found.page_count) == (5, 1, 1, 1)
    assert (found.rrweb_event_count, found.rrweb_click_count, found.native_event_count) == (7, 4, 2)
    stored = await list_events(database.pool, 1, session)
    assert stored.total == len(stored.data) == 5
    assert {each.event_type for each in stored.data if each.source == "rrweb"} == {"pageview", "error", "rage_click"}


async def test_counters_equal_the_stored_events(database: Database, pipeline: Pipeline) -> None:
    sessions = [uuid4() for _ in range(4)]
    for number in range(12):
        session = sessions[number % 4]
        await visit(pipeline, [event(now() - number * HOUR, kind) for kind in KINDS[number % 3 :]], session=session)
    wrong = await database.pool.fetch(
        "select s.session_id from tracker.sessions s join tracker.events e using (project_id, session_id)"
        " group by s.project_id, s.session_id"
        " having s.event_count <> count(*) or s.click_count <> count(*) filter (where event_type = 'click')"
        " or s.first_at <> min(timestamp) or s.last_at <> max(timestamp)"
    )
    assert wrong == []
    assert await database.pool.fetchval("select sum(event_count) from tracker.sessions") == 60


async def test_the_total_is_exact_after_creates_deletes_and_retention(
    past: Database, pipeline: Pipeline, settings: Settings, dsn: str
) -> None:
    async def total() -> int:
        shown = (await list_sessions(past.pool, 1, {})).total
        assert shown == await past.pool.fetchval("select count(*) from tracker.sessions")
        return shown

    other = await Database.open(settings, dsn)
    other_pipeline = Pipeline(settings, other.store)
    other_pipeline.writer.start()
    try:
        assert await total() == 0
        sessions = [await visit(each, clicks(now(), 1)) for each in (pipeline, other_pipeline) for _ in range(5)]
        for session in sessions:
            await visit(pipeline, clicks(now(), 1), session=session)  # goes on, and is not counted twice
        await visit(pipeline, session=uuid4())  # a start without events
        assert await total() == 11

        await erase_session(other.pool, other.node, 1, sessions[0])
        await erase_session(past.pool, past.node, 1, sessions[-1])
        assert not await erase_session(past.pool, past.node, 1, sessions[-1])
        assert await total() == 9

        for days in (33, 32, 31, 20):
            await visit(other_pipeline, clicks(days_ago(days), 1))
        assert await total() == 13
        assert await retention.drop_sessions_without_rows(past.maintained) == 3
        assert await total() == 10
    finally:
        await other_pipeline.writer.stop()
        await other.close()


@pytest.mark.parametrize("wrong", [-3 * HOUR, 2 * HOUR, 5 * DAY], ids=lambda wrong: f"{wrong}")
async def test_a_sessions_clock_offset_corrects_its_later_batches_until_the_clock_is_corrected(
    wrong: timedelta, database: Database, pipeline: Pipeline
) -> None:
    session, moment = uuid4(), now()
    await visit(pipeline, clicks(moment + wrong, 2), session=session, received=moment, sent=moment + wrong)
    later = moment + timedelta(minutes=1)
    await visit(pipeline, clicks(later + wrong, 3), session=session, received=later)
    much_later = moment + timedelta(minutes=2)
    # The clock was corrected meanwhile, as `sent_at` shows.
    await visit(pipeline, clicks(much_later, 1), session=session, received=much_later, sent=much_later)

    found = await get_session(database.pool, 1, session)
    assert found.clock_offset_ms == -wrong // timedelta(milliseconds=1)
    page = await list_events(database.pool, 1, session)
    expected = [
        moment,
        moment + timedelta(milliseconds=10),
        *(later + n * timedelta(milliseconds=10) for n in range(3)),
    ]
    assert [each.timestamp for each in page.data] == [*expected, much_later]
    assert (found.first_at, found.last_at) == (moment, much_later)


async def test_a_clock_that_is_only_a_little_off_is_left_alone(database: Database, pipeline: Pipeline) -> None:
    moment = now()
    shift = timedelta(seconds=20)
    session = await visit(pipeline, clicks(moment + shift, 1), received=moment, sent=moment + shift)
    assert (await list_events(database.pool, 1, session)).data[0].timestamp == moment + shift
    assert (await get_session(database.pool, 1, session)).clock_offset_ms == 0


async def test_a_late_explicit_start_fills_in_what_events_could_not_say(database: Database, pipeline: Pipeline) -> None:
    session = uuid4()
    implicit = await pipeline.submit(batch(clicks(now(), 2, "https://shop.example/first"), session=session))
    explicit = await pipeline.submit(
        batch(
            session=session,
            fields=SessionFields(
                page_url="https://shop.example/second", user_id="u1", screen_width=1280, metadata=b'{"plan":"pro"}'
            ),
        )
    )
    assert (implicit.created, explicit.created) == (True, False)
    assert explicit.started_at == implicit.started_at
    found = await get_session(database.pool, 1, session)
    assert (found.page_url, found.user_id, found.screen_width) == ("https://shop.example/first", "u1", 1280)
    assert msgspec.json.decode(found.metadata) == {"plan": "pro"}
    assert found.event_count == 2


async def test_events_that_follow_an_explicit_start_change_nothing_it_said(
    database: Database, pipeline: Pipeline
) -> None:
    session = uuid4()
    said = SessionFields(page_url="https://shop.example/a", user_id="u1", browser="Own", metadata=b'{"a":1,"b":1}')
    await visit(pipeline, session=session, fields=said)
    more = SessionFields(user_id="u2", user_email="e@example.org", metadata=b'{"b":2,"c":2}')
    await visit(pipeline, clicks(now(), 2), session=session, fields=more)
    found = await get_session(database.pool, 1, session)
    assert (found.page_url, found.user_id, found.browser) == ("https://shop.example/a", "u1", "Own")
    assert found.user_email == "e@example.org"
    assert msgspec.json.decode(found.metadata) == {"a": 1, "b": 1, "c": 2}


async def test_sessions_of_two_projects_with_one_id_are_two_sessions(database: Database, pipeline: Pipeline) -> None:
    session = uuid4()
    for project in (1, 2):
        await visit(pipeline, clicks(now(), project), session=session, project=project)
    assert (await get_session(database.pool, 1, session)).event_count == 1
    assert (await list_events(database.pool, 2, session)).total == 2
