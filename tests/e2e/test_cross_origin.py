"""A real Chromium on a page of another origin sends to each write route in every way: nothing is lost. With a login at
the server it reads and writes nothing that needs one.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import Servers
from tests.e2e.chromium import needs_chromium
from tests.e2e.driver import drive
from tests.http import matrix
from tests.http.api import Json, new_session
from tests.processes import Running
from tracker_backend.accounts import keys

HERE = Path(__file__).parent
WAYS = (
    *("fetch", "fetch with credentials", "fetch with credentials and a header of the page", "fetch with keepalive"),
    *("text with credentials", "beacon of text", "beacon of JSON", "XMLHttpRequest with credentials"),
)
ROUTES = sorted(route for route, need in matrix.NEEDS.items() if need == "write" and route.startswith("POST"))
IN_BODY = {
    "POST /api/snapshots/ingest": "sdk_key",
    "POST /api/events/ingest": "sdk_key",
    "POST /events": "projectId",
}
"""Where dialects have the key; elsewhere it stands in the URL, as beacons set no headers."""
SESSION_FIELDS = ("session_id", "sessionId")
READS = ["/api/v1/sessions", "/api/v1/keys", "/api/v1/me", "/api/v1/project", "/api/sessions", "/api/projects"]

pytestmark = [pytest.mark.tiers("plain"), *needs_chromium("playwright-core")]


def _write(route: str, way: str, key: str) -> Json:
    """A request in a session of its own."""
    world = matrix.World(1, new_session(), {})
    body = matrix.body_of(route, world)
    assert body is not None
    body = {name: world.session_id if name in SESSION_FIELDS else value for name, value in body.items()}
    path = route.partition(" ")[2].replace("{session_id}", world.session_id)
    if route in IN_BODY:
        body[IN_BODY[route]] = key
    else:
        path += f"?key={key}"
    return {"path": path, "way": way, "body": body, "route": route, "session": world.session_id}


async def test_a_page_of_another_origin_sends_in_every_way(servers: Servers, tier: str, tmp_path: Path) -> None:
    dsn = await servers.of(tier).database()
    with Running(DATABASE_URL=dsn, TRACKER_AUTH="required", TRACKER_LIMIT_KEY="0", TRACKER_LIMIT_SPECTRA="0") as server:
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=1)
        key = await keys.public_key(pool, 1)
        writes = [_write(route, way, key) for route in ROUTES for way in WAYS]
        started = [_write("POST /api/sessions/start", WAYS[0], key) for _ in writes]  # for calls that need a session
        for start, write in zip(started, writes, strict=True):
            start["body"]["sessionId"] = write["session"]
        without_key = [{**_write(route, way, "1"), "path": "/api/v1/track"} for route in ROUTES[:1] for way in WAYS]
        requests = tmp_path / "requests.json"
        requests.write_text(json.dumps({"writes": [*started, *writes, *without_key], "reads": READS}))
        token = urlsplit(str(server.values["owner_link"])).fragment
        report: Json = drive(HERE / "cross_origin.mjs", server.url, str(requests), token)
        rows = await pool.fetch("select session_id::text, client_stats is not null as has_stats from tracker.sessions")
        await pool.close()
    assert report["login"] == 200
    told: list[Any] = report["writes"][len(started) :]
    lost = [
        f"{write['way']} to {write['route']}: {answer}"
        for write, answer in zip(writes, told[: len(writes)], strict=True)
        if answer not in (200, 201, 204, "sent")
    ]
    assert lost == []
    stored = {row["session_id"]: row["has_stats"] for row in rows}
    assert stored.keys() == {write["session"] for write in writes}
    with_stats = {write["session"] for write in writes if write["route"].endswith(("/heartbeat", "/end"))}
    assert {session for session, has_stats in stored.items() if has_stats} == with_stats
    assert set(told[len(writes) :]) == {401, "sent"}, "a login writes nothing"
    assert report["reads"] == ["unreadable"] * len(READS)
