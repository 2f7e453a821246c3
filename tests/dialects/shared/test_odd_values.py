"""One odd value does not cost a foreign tracker's batch."""

from uuid import uuid4

import httpx
import pytest

from tests.dialects.recorded import BASE, Json, visit
from tests.http.api import get

CUSTOM: Json = {"timestamp": BASE, "type": 7, "data": {"n": 1}}


ODD: list[tuple[str, Json, str | None, Json]] = [
    (
        "/api/sessions/start",
        {"appId": 3, "userId": 5, "ttlHours": "x", "startTime": {}},
        "5",
        {"ttlHours": "x", "startTime": {}},
    ),
    ("/api/sessions/start", {"userId": 5, "metadata": {"timestamp": []}}, "5", {"timestamp": []}),
    (
        "/api/sessions/{id}/events",
        {"userId": 5, "appId": [1], "events": visit(), "metadata": {"timestamp": {}}},
        "5",
        {"appId": [1], "metadata": {"timestamp": {}}},
    ),
    ("/api/sessions/{id}/events", {"customEvents": [{**CUSTOM, "eventType": {}}], "errors": []}, None, {}),
    ("/api/ingest", {"events": visit(), "timestamp": "soon"}, None, {}),
    ("/events", {"projectId": 1, "batchId": 7, "sentAt": [], "events": visit()}, None, {"sentAt": []}),
    (
        "/api/snapshots/ingest",
        {"snapshots": visit(), "batch_id": 7, "is_initial_snapshot": "perhaps"},
        None,
        {"is_initial_snapshot": "perhaps"},
    ),
    ("/api/events/ingest", {"events": [CUSTOM], "batch_id": 7, "sent_at": False}, None, {"sent_at": False}),
]


@pytest.mark.parametrize(("path", "body", "user", "metadata"), ODD)
async def test_odd_values_are_converted_or_kept(
    standing_client: httpx.AsyncClient, path: str, body: Json, user: str | None, metadata: Json
) -> None:
    session = str(uuid4())
    named: Json = {"sessionId": session}
    if "{id}" in path:
        named = {}
    elif "snapshots" in path or "events/ingest" in path:
        named = {"session_id": session}
    answer = await standing_client.post(path.format(id=session), json={**named, **body})
    assert answer.is_success, answer.text
    stored = await get(standing_client, f"/sessions/{session}")
    assert (stored["user_id"], stored["metadata"]) == (user, metadata)
    for line in (await get(standing_client, f"/sessions/{session}/events"))["data"]:
        if line["source"] != "rrweb":
            assert line["event_type"] == "7"


UNREADABLE: list[tuple[str, Json, str]] = [
    ("/api/events/ingest", {"events": [CUSTOM, {"type": {}, "timestamp": BASE}]}, "`$.events[1].type` is {}"),
    ("/api/events/ingest", {"events": [{"type": "a", "timestamp": []}]}, "`$.events[0].timestamp` is []"),
    (
        "/api/sessions/{id}/events",
        {"customEvents": [{"timestamp": {}, "type": "a"}]},
        "`$.customEvents[0].timestamp` is {}",
    ),
    ("/api/sessions/{id}/events", {"errors": [{"timestamp": None}]}, "`$.errors[0].timestamp` is null"),
]


@pytest.mark.parametrize(("path", "body", "tells"), UNREADABLE)
async def test_an_event_that_cannot_be_read_is_named_with_field_and_value(
    standing_client: httpx.AsyncClient, path: str, body: Json, tells: str
) -> None:
    session = str(uuid4())
    named = {} if "{id}" in path else {"session_id": session}
    answer = await standing_client.post(path.format(id=session), json={**named, **body})
    assert answer.status_code == 422
    assert tells in answer.json()["error"]
