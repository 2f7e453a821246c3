"""Batches that a foreign tracker names: the kind and the name identify one, and other content under it is refused."""

from uuid import uuid4

import httpx
import pytest

from tests.dialects.recorded import BASE, Json, click, visit
from tests.http.api import get

REEV: Json = {"projectId": "1", "batchId": "1"}
UXCAM: Json = {"batch_id": "1"}
EVENT: Json = {"type": "cart", "timestamp": BASE, "data": {"n": 1}}


@pytest.mark.parametrize(
    ("path", "sent", "other"),
    [
        ("/events", {**REEV, "events": visit()}, {"events": [*visit(), click(9)]}),
        ("/api/snapshots/ingest", {**UXCAM, "snapshots": visit()}, {"snapshots": visit()[:1]}),
        ("/api/events/ingest", {**UXCAM, "events": [EVENT]}, {"events": [{**EVENT, "data": {"n": 2}}]}),
    ],
)
async def test_other_content_under_a_name_is_refused_in_the_dialects_shape(
    standing_client: httpx.AsyncClient, path: str, sent: Json, other: Json
) -> None:
    session = str(uuid4())
    body = {**sent, "sessionId": session, "session_id": session}
    assert (await standing_client.post(path, json=body)).is_success
    before = await get(standing_client, f"/sessions/{session}")

    refused = await standing_client.post(path, json={**body, **other})

    assert refused.status_code == 409
    assert "'1'" in refused.json()["error"]
    assert "nothing of this batch was stored" in refused.json()["error"]
    assert (await standing_client.post(path, json=body)).is_success, "a repeat is still answered like the first"
    after = await get(standing_client, f"/sessions/{session}")
    assert after["event_count"] == before["event_count"]
    assert after["recorded_event_count"] == before["recorded_event_count"]


async def test_snapshots_and_events_of_a_session_may_use_the_same_names(standing_client: httpx.AsyncClient) -> None:
    session = str(uuid4())
    for path, more in (("snapshots", {"snapshots": visit()}), ("events", {"events": [EVENT]})):
        answer = await standing_client.post(f"/api/{path}/ingest", json={**UXCAM, "session_id": session, **more})
        assert answer.status_code == 200
    stored = await get(standing_client, f"/sessions/{session}")
    assert (stored["native_event_count"], stored["recorded_event_count"]) == (1, len(visit()))
