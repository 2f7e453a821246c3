"""Clicks that were sent and recorded are stored once, whoever comes first, over two writers."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.conformance.visits import batch, event, microseconds, now
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.storage.database import Database

# What a session shows equals the rows that it has, and no kind has rows of both sources.
_WRONG = """
    select s.session_id from tracker.sessions s left join tracker.events e using (project_id, session_id)
    group by s.project_id, s.session_id
    having s.event_count <> count(event_id)
        or s.click_count <> count(*) filter (where event_type = 'click')
        or s.page_count <> count(*) filter (where event_type = 'pageview')
        or count(distinct source) filter (where event_type = 'click') > 1
        or count(distinct source) filter (where event_type = 'pageview') > 1
"""


def recorded(number: int) -> list[dict[str, Any]]:
    time = microseconds(now()) // 1000 + number
    return [
        {"type": 4, "data": {"href": f"https://shop.example/page/{number // 3}"}, "timestamp": time},
        {"type": 3, "data": {"source": 2, "type": 2, "id": 5, "x": 7 * number, "y": 9}, "timestamp": time + 1},
    ]


async def test_no_kind_is_told_by_two_sources_over_two_writers(
    database: Database, pipeline: Pipeline, second: Pipeline
) -> None:
    sessions = [uuid4() for _ in range(30)]

    async def record(session: UUID, through: Pipeline) -> None:
        for number in range(6):
            await through.submit(batch(session=session, recording=recorded(number)))

    async def send(session: UUID, through: Pipeline) -> None:
        await asyncio.sleep(0)  # lets the recording of some sessions begin first
        for number in range(4):
            kind = "click" if number % 2 else "pageview"
            await through.submit(batch([event(now() - timedelta(seconds=number), kind)], session=session))

    await asyncio.gather(
        *(record(session, pipeline) for session in sessions),
        *(send(session, second) for session in sessions[::2]),
    )
    assert await database.pool.fetch(_WRONG) == []
    told = await database.pool.fetchval("select count(*) from tracker.events where source = 'native'")
    found = await database.pool.fetchval("select count(*) from tracker.events where source = 'rrweb'")
    assert (told, found) == (15 * 4, 15 * 8)
