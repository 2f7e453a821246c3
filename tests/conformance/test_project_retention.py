"""A project that keeps its rows for less long than the server loses them day by day, and no other project does."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.conformance.blocking import blocking, until_waited_for
from tests.conformance.columnstore import compress
from tests.conformance.cut_off import cut_off_everywhere
from tests.conformance.hourly import event_hours, until, wrong_event_hours, wrong_session_hours
from tests.conformance.recorded import page
from tests.conformance.test_erasure import all_rows, check_hours
from tests.conformance.visits import DAY, HOUR, batch, clicks, days_ago, event, now, visit
from tests.importing.test_round_trip import picture
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.maintenance import project_retention
from tracker_backend.queries.events import list_events
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.store import SERIES

SHORT = 2


@pytest.fixture
async def short(past: Database) -> Database:
    """Project 2 keeps its rows for five days; project 1 as long as the server."""
    await past.pool.execute("insert into tracker.projects (project_id, name, settings) values (2, 's', $1)", KEPT % 5)
    return past


KEPT = b'{"retention_days": %d}'


def limit() -> datetime:
    """The midnight before which rows go."""
    return now().replace(hour=0, minute=0, second=0, microsecond=0) - 5 * DAY


async def full(pipeline: Pipeline, moments: Sequence[float], project: int) -> UUID:
    """A session with rows of each kind on each of these days."""
    session = uuid4()
    for days in moments:
        moment = days_ago(days)
        about: dict[str, Any] = {"session": session, "project": project, "received": moment + HOUR}
        await visit(pipeline, clicks(moment, 5), **about)
        await visit(pipeline, recording=page(moment), **about)
        sent = ScreenshotRequest(session, "https://shop.example/", 0, picture("red"))
        await pipeline.submit(batch(image=await check_image(sent, Settings()), **about))
    return session


async def test_whole_days_past_a_projects_own_retention_go_and_nothing_else(
    short: Database, pipeline: Pipeline
) -> None:
    old, straddling, young = [await full(pipeline, days, SHORT) for days in ([20, 9], [12, 6, 4, 1], [3])]
    kept = [await full(pipeline, days, 1) for days in ([20, 9], [12, 6, 4, 1])]
    await check_hours(short)
    if short.store.tier == "timescale":
        assert {f"{days_ago(days):%Y-%m-%d}" for days in (20, 12, 9)} <= await compress(short)
    before = {session: await all_rows(short, session) for session in (*kept, young)}
    others = [row for row in await event_hours(short.pool) if row["project_id"] == 1]

    assert await project_retention.apply_project_retention(short.maintained) > 0

    for series in SERIES:
        oldest = await short.pool.fetchval(f"select min(timestamp) from tracker.{series} where project_id = 2")
        assert oldest >= limit()
    assert await short.pool.fetchval("select count(*) from tracker.sessions where session_id = $1", old) == 0
    assert {session: await all_rows(short, session) for session in before} == before
    found = await list_events(short.pool, SHORT, straddling)
    assert {each.timestamp.date() for each in found.data} == {days_ago(days).date() for days in (4, 1)}
    first = await short.pool.fetchval("select first_at from tracker.sessions where session_id = $1", straddling)
    assert first == limit()
    totals = "select project_id, sum(sessions)::int from tracker.session_totals group by 1 order by 1"
    assert [tuple(row) for row in await short.pool.fetch(totals)] == [(1, 2), (2, 2)]
    await check_hours(short)
    assert [row for row in await event_hours(short.pool) if row["project_id"] == 1] == others
    assert await project_retention.apply_project_retention(short.maintained) == 0


async def test_the_first_and_the_last_microsecond_of_the_limit(short: Database, pipeline: Pipeline) -> None:
    edge = limit()
    for moment in (edge - timedelta.resolution, edge):
        await visit(pipeline, [event(moment)], project=SHORT, received=moment + HOUR)
    assert await project_retention.apply_project_retention(short.maintained) >= 1
    assert [row[0] for row in await short.pool.fetch("select timestamp from tracker.events")] == [edge]


@pytest.mark.parametrize("days", [30, 60, None])
async def test_a_retention_that_is_not_shorter_than_the_servers_changes_nothing(
    past: Database, pipeline: Pipeline, days: int | None
) -> None:
    await past.pool.execute("update tracker.projects set settings = $1", KEPT % days if days else b"{}")
    session = await full(pipeline, [29, 1], 1)
    before = await all_rows(past, session)
    assert await project_retention.apply_project_retention(past.maintained) == 0
    assert await all_rows(past, session) == before


async def test_late_rows_go_with_the_next_run(short: Database, pipeline: Pipeline) -> None:
    await project_retention.apply_project_retention(short.maintained)
    session = await visit(pipeline, clicks(now() - 6.5 * DAY, 3), project=SHORT, received=now())
    await visit(pipeline, clicks(now(), 2), session=session, project=SHORT)
    assert await project_retention.apply_project_retention(short.maintained) == 3
    assert (await list_events(short.pool, SHORT, session)).data[0].timestamp > now() - DAY
    await check_hours(short)


async def test_a_run_that_was_cut_off_is_finished_by_the_next(
    short: Database, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await full(pipeline, [9, 4], SHORT)
        await full(pipeline, [8], SHORT)
    monkeypatch.setattr(project_retention, "_PAGE", 2)
    cuts = await cut_off_everywhere(
        short, monkeypatch, lambda: project_retention.apply_project_retention(short.maintained), step=7
    )
    assert cuts > 20
    assert await short.pool.fetchval("select min(timestamp) from tracker.events") >= limit()
    assert await short.pool.fetchval("select count(*) from tracker.sessions") == 3
    await check_hours(short)


async def test_a_late_batch_that_is_under_way_stays_within_its_sessions_bounds(
    short: Database, pipeline: Pipeline, dsn: str
) -> None:
    """Its rows are written before those of its day are removed, and committed after."""
    session = await visit(pipeline, clicks(now(), 1), project=SHORT)
    moment = now() - 6.5 * DAY
    await visit(pipeline, clicks(moment, 1), session=session, project=SHORT, received=now())
    held = "select from tracker.sessions where session_id = $1 for update"
    async with blocking(short, dsn, held, session) as blocker:
        late = batch(clicks(moment, 3), session=session, project=SHORT, received=now(), name="late")
        writing = asyncio.create_task(pipeline.submit(late))
        await until_waited_for(short, blocker)
        removing = asyncio.create_task(project_retention.apply_project_retention(short.maintained))
        await until(lambda: short.pool.fetchval("select count(*) < 2 from tracker.events"))
        both = "select count(*) > 1 from pg_stat_activity where pg_blocking_pids(pid) <> '{}'"
        await until(lambda: short.pool.fetchval(both))
    await asyncio.gather(writing, removing)
    outside = """
        select count(*) from tracker.events e join tracker.sessions s using (project_id, session_id)
        where e.timestamp < s.first_at or e.timestamp > s.last_at"""
    assert await short.pool.fetchval(outside) == 0
    await project_retention.apply_project_retention(short.maintained)
    assert await short.pool.fetchval("select count(*) from tracker.events") == 1
    await check_hours(short)
    assert await wrong_event_hours(short.pool) == await wrong_session_hours(short.pool) == []
