"""Erasing in one project, also from compressed chunks and hourly numbers, leaves the other's rows as they were."""

from typing import Any

from tests.conformance.analysts import make_teams
from tests.conformance.hourly import wrong_event_hours, wrong_session_hours
from tests.conftest import running
from tests.http.api import API, Json, local
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.settings import Settings
from tracker_backend.storage import rollups
from tracker_backend.storage.database import Database

_TABLES = (
    "sessions",
    "events",
    "recordings",
    "screenshots",
    "ingest_batches",
    "session_totals",
    "events_hourly",
    "sessions_hourly",
)


async def stored(database: Database, project: int) -> Json:
    """All rows of a project as text, by table."""
    found: Json = {}
    for table in _TABLES:
        rows = f"select t::text from tracker.{table} t where project_id = $1 order by 1"
        found[table] = [row[0] for row in await database.pool.fetch(rows, project)]
    return found


async def test_what_is_erased_in_one_project_stays_in_the_other(
    past: Database, pipeline: Pipeline, settings: Settings, dsn: str
) -> None:
    teams = await make_teams(past, pipeline)
    before = await stored(past, teams.ours)
    assert len(before["events"]) == 86
    assert len(before["events_hourly"]) >= 4
    assert await past.pool.fetchval("select count(*) from tracker.events") == 172
    key = {"x-api-key": await keys.create_key(past.pool, teams.theirs, "admin")}
    app = create_app(settings, dsn)
    async with running(app), local(app) as client:
        asked: list[tuple[str, str, Any]] = [
            ("DELETE", f"{API}/sessions/{teams.sessions[1]}", None),
            ("POST", f"{API}/erasures", {"user_id": teams.their_mark}),
        ]
        for method, path, body in asked:
            answer = await client.request(method, path, json=body, headers=key)
            assert answer.status_code in (200, 204), answer.text  # 202: it would go on
    await past.maintained.refresh_events_hourly()
    await rollups.refresh(past.pool, "sessions_hourly")
    assert await stored(past, teams.ours) == before
    left = await stored(past, teams.theirs)
    assert not [table for table, rows in left.items() if rows and table != "session_totals"], left
    assert await past.pool.fetchval("select count(*) from tracker.events") == 86
    assert await wrong_event_hours(past.pool) == []
    assert await wrong_session_hours(past.pool) == []
