"""Chunks of events are compressed after the late window, by how much, and read back as they were."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from bench import mix
from tests.conformance.columnstore import compress
from tests.conformance.conftest import maintained
from tests.conformance.hourly import wrong_event_hours
from tests.conformance.visits import DAY, HOUR, LONG_AGO, clicks, days_ago, event, now, visit
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.queries.events import list_events
from tracker_backend.storage.database import Database

pytestmark = pytest.mark.tiers("timescale")

SESSIONS, LENGTH = 150, 400
_EVENTS = " where hypertable_schema = 'tracker' and hypertable_name = 'events'"
SIZES = """
    select coalesce(before_compression_total_bytes, 0) as before, coalesce(after_compression_total_bytes, 0) as after
    from hypertable_columnstore_stats('tracker.events')"""


def browse(session: int, start: datetime) -> list[dict[str, Any]]:
    """One session of the bench's mix, which lasts 5 minutes; with ISO times, as the tracker sends them."""
    made = mix.events(1, LENGTH, start, seed=session)
    jitter = random.Random(session)
    for each in made:  # people do not move in step
        moment = datetime.fromtimestamp(each["timestamp"] / 1000 - jitter.random(), start.tzinfo)
        each["timestamp"] = moment.isoformat(timespec="milliseconds")
    return made


async def fill(pipeline: Pipeline, day: datetime) -> list[UUID]:
    """Sessions of a busy half hour, as batches of 100 that mix with each other."""
    sessions = [uuid4() for _ in range(SESSIONS)]
    starts = random.Random(1)
    browsed = [browse(number, day + starts.random() * HOUR / 2) for number in range(SESSIONS)]
    for part in range(0, LENGTH, 100):
        for session, events in zip(sessions, browsed, strict=True):
            await visit(pipeline, events[part : part + 100], session=session)
    return sessions


async def test_compressing_saves_at_least_85_percent_of_the_bench_mix(past: Database, pipeline: Pipeline) -> None:
    day = days_ago(10) - 11 * HOUR
    sessions = await fill(pipeline, day)
    kinds = await past.pool.fetch(
        "select event_type, round(100.0 * count(*) / sum(count(*)) over ()) as percent from tracker.events group by 1"
    )
    shares = {row["event_type"]: int(row["percent"]) for row in kinds}
    assert shares == pytest.approx({"mousemove": 60, "scroll": 15, "click": 15, "input": 5, "custom": 5}, abs=1)
    before = {session: await list_events(past.pool, 1, session) for session in sessions[:3]}

    assert f"{day:%Y-%m-%d}" in await compress(past)
    sizes = await past.pool.fetchrow(SIZES)
    assert sizes is not None
    saved = 1 - sizes["after"] / sizes["before"]
    print(f"compression saves {saved:.1%} of {sizes['before']} bytes")
    assert sizes["before"] > 10_000_000
    assert saved >= 0.85

    assert await past.pool.fetchval("select count(*) from tracker.events") == SESSIONS * LENGTH
    for session, page in before.items():
        assert page.total == LENGTH
        assert await list_events(past.pool, 1, session) == page
    await past.maintained.refresh_events_hourly()
    assert await wrong_event_hours(past.pool) == []


async def test_a_session_is_read_from_few_batches_of_the_columnstore(past: Database, pipeline: Pipeline) -> None:
    sessions = await fill(pipeline, days_ago(10) - 11 * HOUR)
    await compress(past)
    bounds = await past.pool.fetchrow(
        "select first_at, last_at from tracker.sessions where session_id = $1", sessions[7]
    )
    assert bounds is not None
    plan = await past.pool.fetch(
        "explain (analyze, costs off, timing off, summary off, buffers off) select * from tracker.events"
        " where project_id = 1 and session_id = $1 and timestamp between $2 and $3",
        sessions[7],
        *bounds,
    )
    text = "\n".join(row[0] for row in plan)
    scans = [line for line in text.splitlines() if "_compressed (actual" in line]
    assert len(scans) == 1, text
    batches = int(scans[0].partition("rows=")[2].partition(".")[0].partition(" ")[0])
    # 400 rows lie in one batch of 1,000, or across the border of two.
    assert 1 <= batches <= 2, text


async def test_compression_takes_the_chunks_that_ended_7_days_ago_and_no_other(
    past: Database, pipeline: Pipeline
) -> None:
    for days in range(12):
        await visit(pipeline, clicks(days_ago(days) if days else now(), 3))
    compressed = await compress(past)
    # The chunk of 7 days ago ended 6 days and some hours ago; the oldest is of 41 days ago.
    assert compressed == {f"{days_ago(days):%Y-%m-%d}" for days in range(8, 42)}
    assert await past.pool.fetchval("select count(*) from tracker.events") == 36


async def test_an_event_at_the_end_of_the_late_window_never_meets_a_compressed_chunk(
    past: Database, pipeline: Pipeline
) -> None:
    compressed = await compress(past)
    received = now()
    oldest = received - 7 * DAY
    assert f"{oldest:%Y-%m-%d}" not in compressed
    await visit(pipeline, [event(oldest + timedelta(seconds=5))], received=received)
    assert await past.pool.fetchval("select min(timestamp) from tracker.events") == oldest + timedelta(seconds=5)


async def test_rows_that_come_to_a_compressed_chunk_all_the_same_are_kept_and_compressed_again(
    past: Database, pipeline: Pipeline
) -> None:
    """An import, or a server with longer intervals before."""
    await visit(pipeline, clicks(days_ago(10), 1000))
    await compress(past)
    session = await visit(pipeline, clicks(days_ago(10), 50), received=days_ago(9))
    await past.maintained.refresh_events_hourly()
    assert await wrong_event_hours(past.pool) == []
    assert f"{days_ago(10):%Y-%m-%d}" in await compress(past)
    page = await list_events(past.pool, 1, session)
    assert len(page.data) == 50
    assert await past.pool.fetchval("select count(*) from tracker.events") == 1050


async def test_retention_drops_compressed_chunks(past: Database, pipeline: Pipeline) -> None:
    await visit(pipeline, clicks(days_ago(35), 1000))
    assert f"{days_ago(35):%Y-%m-%d}" in await compress(past)
    await maintained(past, LONG_AGO).refresh_events_hourly()
    before = await past.pool.fetch("select * from tracker.events_hourly")
    await past.maintained.drop_expired()
    assert await past.pool.fetchval("select count(*) from tracker.events") == 0
    assert await past.pool.fetch("select * from tracker.events_hourly") == before
    days = await past.pool.fetchrow("select min(range_start), count(*) from timescaledb_information.chunks" + _EVENTS)
    assert days is not None
    assert tuple(days) == (days_ago(30) - 12 * HOUR, 34)
