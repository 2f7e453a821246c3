"""No time that a client sends makes its session unreadable: read, exported, archived and erased, in every dialect."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.dialects.recorded import META, SNAPSHOT
from tests.http.api import API, PAGE, Json, event, events_of, get, new_session, now, track
from tests.http.test_screenshots import picture, shot
from tests.importing.test_import import write
from tracker_backend import archive
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services
from tracker_backend.importing.run import import_files

Send = Callable[[httpx.AsyncClient, str, Any, str], Awaitable[httpx.Response]]
EXTREMES = [
    *(5 * 10**17, -5 * 10**17, 10**15, -(2**63), 2**64, 1e300),  # 10^15: as far as times are kept, in milliseconds
    *(253_402_300_800_000, -1),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "500000000000000000", "-" + "9" * 30),
]
USER = "ann"


def _recorded(time: Any) -> list[Json]:
    return [{**META, "timestamp": time}, {**SNAPSHOT, "timestamp": time}]


async def _v1_events(client: httpx.AsyncClient, session: str, time: Any, _key: str) -> httpx.Response:
    sent = {"session_id": session, "events": [event(timestamp=time)], "sent_at": time}
    return await client.post(f"{API}/track", json=sent)


async def _v1_recording(client: httpx.AsyncClient, session: str, time: Any, _key: str) -> httpx.Response:
    sent = {"session_id": session, "events": _recorded(time), "sent_at": time}
    return await client.post(f"{API}/track/recording", json=sent)


async def _v1_screenshot(client: httpx.AsyncClient, session: str, time: Any, _key: str) -> httpx.Response:
    sent = shot(picture("PNG", size=(8, 8)), "png", session_id=session, timestamp=time)
    return await client.post(f"{API}/track/screenshot", json=sent)


async def _spectra(client: httpx.AsyncClient, session: str, time: Any, _key: str) -> httpx.Response:
    start = {"sessionId": session, "appId": "shop", "startTime": time, "metadata": {"url": PAGE}}
    answer = await client.post("/api/sessions/start", json=start)
    if answer.is_success:
        sent: Json = {
            "sessionId": session,
            "events": _recorded(time),
            "customEvents": [{"type": "custom", "eventType": "buy", "data": {}, "timestamp": time}],
            "errors": [{"message": "x", "timestamp": time}],
            "metadata": {"timestamp": time},
        }
        answer = await client.post(f"/api/sessions/{session}/events", json=sent)
    if answer.is_success:
        answer = await client.post(f"/api/sessions/{session}/heartbeat", json={"timestamp": time})
    if answer.is_success:
        answer = await client.post(f"/api/sessions/{session}/end", json={"endTime": time})
    return answer


async def _incuera(client: httpx.AsyncClient, session: str, time: Any, _key: str) -> httpx.Response:
    start = {"sessionId": session, "metadata": {"url": PAGE, "timestamp": time}}
    answer = await client.post("/api/sessions/start", json=start)
    if not answer.is_success:
        return answer
    return await client.post("/api/ingest", json={"sessionId": session, "events": _recorded(time), "timestamp": time})


async def _uxcam(client: httpx.AsyncClient, session: str, time: Any, _key: str) -> httpx.Response:
    sent: Json = {"session_id": session, "snapshots": _recorded(time), "sent_at": time}
    answer = await client.post("/api/snapshots/ingest", json=sent)
    if not answer.is_success:
        return answer
    more: Json = {"session_id": session, "events": [{"type": "tap", "timestamp": time, "data": {}}], "sent_at": time}
    return await client.post("/api/events/ingest", json=more)


async def _reev(client: httpx.AsyncClient, session: str, time: Any, key: str) -> httpx.Response:
    return await client.post(
        "/events", json={"sessionId": session, "projectId": key, "events": _recorded(time), "sentAt": time}
    )


SENDERS: list[Send] = [_v1_events, _v1_recording, _v1_screenshot, _spectra, _incuera, _uxcam, _reev]


async def _read_all(client: httpx.AsyncClient, services: Services, project: int, session: str, folder: Path) -> Json:
    """Every way to read a session, which must succeed; returns the session."""
    found = await get(client, f"/sessions/{session}")
    offset = found["clock_offset_ms"]
    assert offset is None or abs(offset) < 100 * 367 * 86_400_000
    for path in ("events", "screenshots", "recording", "export", "export?format=ndjson"):
        answer = await client.get(f"{API}/sessions/{session}/{path}")
        assert answer.status_code == 200, (path, answer.text)
        assert answer.content, path
    moment = now()
    for query in ({"from": (moment - timedelta(days=1)).isoformat()}, {"to": moment.isoformat()}):
        answer = await client.get(f"{API}/sessions/{session}/recording", params=query)
        assert answer.status_code == 200, answer.text
        json.loads(answer.content)
    for path in (
        *(f"/api/sessions/{session}", f"/api/sessions/{session}/replay", f"/api/sessions/{session}/events"),
        f"/api/sessions/{project}/{session}",
        "/api/sessions",
    ):
        answer = await client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        json.loads(answer.content)
    (await archive.write_session(services.pool, folder, project, UUID(session))).discard()
    return found


@pytest.mark.parametrize("send", SENDERS, ids=lambda send: send.__name__.strip("_"))
async def test_a_session_with_any_time_is_read_exported_archived_and_erased(
    own_client: httpx.AsyncClient, standing_services: Services, project: int, tmp_path: Path, send: Send
) -> None:
    key = await keys.public_key(standing_services.pool, project)
    for time in EXTREMES:
        session = new_session()
        begun = {"session_id": session, "page_url": PAGE, "user_id": USER}
        assert (await own_client.post(f"{API}/sessions", json=begun)).status_code == 201
        answer = await send(own_client, session, time, key)
        assert answer.is_success, answer.text
        await _read_all(own_client, standing_services, project, session, tmp_path)
    exported = await own_client.get(f"{API}/visitors/export", params={"user_id": USER})
    assert exported.status_code == 200
    heads = [line for line in exported.content.splitlines() if line.startswith(b'{"session":')]
    assert len(heads) == len(EXTREMES), "the export is whole"
    for line in heads:
        session = json.loads(line)["session"]["session_id"]
        assert (await own_client.delete(f"{API}/sessions/{session}")).status_code == 204


async def test_a_clock_beyond_all_clocks_leaves_the_session_without_an_offset(
    standing_client: httpx.AsyncClient,
) -> None:
    session = new_session()
    far = 5 * 10**17
    await track(standing_client, event(timestamp=far, event_data={"a": 1}), session_id=session, sent_at=far)
    right = now()
    await track(standing_client, event(timestamp=right.isoformat()), session_id=session, sent_at=right.isoformat())
    found = await events_of(standing_client, session)
    assert {"a": 1, "$client_timestamp": far} in [line["event_data"] for line in found]
    assert (await get(standing_client, f"/sessions/{session}"))["clock_offset_ms"] == 0
    assert right in [datetime.fromisoformat(line["timestamp"]) for line in found]


@pytest.mark.parametrize(
    "header",
    [
        {"clock_offset_ms": 5 * 10**17},
        {"clock_offset_ms": -(2**63)},
        {"clock_offset_ms": 10**40},
        {"ttl_hours": 2**31 - 1},
        {"ttl_hours": -20_000_000},
        {"screen_width": 2**31, "viewport_height": -(2**40)},
    ],
    ids=str,
)
async def test_no_number_of_an_imported_file_makes_its_session_unreadable(
    own_client: httpx.AsyncClient, standing_services: Services, project: int, tmp_path: Path, header: Json
) -> None:
    moment = now()
    times = dict.fromkeys(("started_at", "last_activity_at", "first_at", "last_at"), moment.isoformat())
    session = str(uuid4())
    content = {
        "session": {"session_id": session, **times, **header},
        "events": _recorded(int(moment.timestamp() * 1000)),
        "track_events": [event(timestamp=moment.isoformat())],
    }
    path = write(tmp_path, content)
    await import_files(standing_services.settings, standing_services.database, project, [path])
    found = await _read_all(own_client, standing_services, project, session, tmp_path)
    assert found["event_count"] > 0
    assert (await own_client.delete(f"{API}/sessions/{session}")).status_code == 204
