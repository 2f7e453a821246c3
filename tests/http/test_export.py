"""`GET /api/v1/sessions/{id}/export`: everything of a session in one file."""

import gzip
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.http.api import API, check_problem, event, get, new_session, now, track
from tests.http.test_recordings import BASE, META, SNAPSHOT, click, send
from tests.http.test_screenshots import picture, shot, upload
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services


@pytest.fixture
async def session(standing_client: httpx.AsyncClient) -> str:
    """A session with rows of all kinds."""
    made = new_session()
    await send(standing_client, made, [META, SNAPSHOT, click(BASE + 2), click(BASE + 900)])
    await send(standing_client, made, [{**META, "timestamp": BASE + 3, "data": {"href": "https://shop.example/2"}}])
    events = [event(event_type=f"custom-{n}", event_data={"n": n}) for n in range(50)]
    for _ in range(5):
        await track(standing_client, *events, session_id=made, batch_id=str(uuid4()))
    for colour in ("navy", "red"):
        await upload(standing_client, shot(picture("PNG", colour=colour), "png", session_id=made))
    return made


async def export(client: httpx.AsyncClient, session: str, **parameters: str) -> httpx.Response:
    """An answer that must be there."""
    answer = await client.get(f"{API}/sessions/{session}/export", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer


async def test_an_export_holds_what_the_reads_tell(standing_client: httpx.AsyncClient, session: str) -> None:
    exported = (await export(standing_client, session)).json()
    assert list(exported) == ["session", "events", "track_events", "screenshots"]
    assert exported["session"] == await get(standing_client, f"/sessions/{session}")
    assert exported["events"] == await get(standing_client, f"/sessions/{session}/recording")
    listed = (await get(standing_client, f"/sessions/{session}/events"))["data"]
    assert exported["track_events"] == [row for row in listed if row["source"] != "rrweb"]
    assert len(exported["track_events"]) == 250 < len(listed)
    assert exported["screenshots"] == (await get(standing_client, f"/sessions/{session}/screenshots"))["data"]
    assert len(exported["screenshots"]) == 2


async def test_the_lines_of_an_export_tell_the_same(standing_client: httpx.AsyncClient, session: str) -> None:
    exported = (await export(standing_client, session)).json()
    answer = await export(standing_client, session, format="ndjson")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines: list[Any] = [json.loads(line) for line in answer.text.splitlines()]
    assert lines == [
        {"session": exported["session"]},
        *exported["events"],
        *({"track_event": row} for row in exported["track_events"]),
        *({"screenshot": row} for row in exported["screenshots"]),
    ]


async def test_an_event_with_line_breaks_is_one_line(standing_client: httpx.AsyncClient) -> None:
    session = new_session()
    pretty = json.dumps({"session_id": session, "events": [META, click(BASE + 5)]}, indent=2).replace("\n", "\r\n")
    answer = await standing_client.post(f"{API}/track/recording", content=pretty)
    assert answer.status_code == 201, answer.text
    lines = (await export(standing_client, session, format="ndjson")).text.splitlines()
    assert [json.loads(line) for line in lines][1:] == [META, click(BASE + 5)]


@pytest.mark.parametrize("form", ["json", "ndjson"])
async def test_an_export_is_a_file_and_packed_where_the_client_takes_that(
    standing_client: httpx.AsyncClient, session: str, form: str
) -> None:
    url, parameters = f"{API}/sessions/{session}/export", {"format": form}
    plain = await standing_client.get(url, params=parameters, headers={"accept-encoding": "zstd, gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["content-disposition"] == f'attachment; filename="session-{session}.{form}"'
    assert plain.headers["vary"] == "Accept-Encoding"
    headers = {"accept-encoding": "br, GZIP;q=0.5"}
    async with standing_client.stream("GET", url, params=parameters, headers=headers) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert gzip.decompress(raw) == plain.content


async def test_a_session_without_rows_is_exported(standing_client: httpx.AsyncClient) -> None:
    session = new_session()
    await standing_client.post(f"{API}/sessions", json={"session_id": session, "page_url": "https://a.example/"})
    exported = (await export(standing_client, session)).json()
    assert exported["session"]["page_url"] == "https://a.example/"
    assert (exported["events"], exported["track_events"], exported["screenshots"]) == ([], [], [])
    assert len((await export(standing_client, session, format="ndjson")).text.splitlines()) == 1


async def test_an_export_needs_a_read_key_and_a_session_of_its_project(
    standing_client: httpx.AsyncClient, standing_services: Services, session: str, project: int
) -> None:
    url = f"{API}/sessions/{session}/export"
    check_problem(await standing_client.get(f"{API}/sessions/{new_session()}/export"), 404, "not-found")
    check_problem(await standing_client.get(url, params={"format": "xml"}), 422, "invalid", "`format`")
    write = await keys.create_key(standing_services.pool, project, "write")
    read = await keys.create_key(standing_services.pool, project, "read")
    check_problem(await standing_client.get(url, headers={"x-api-key": write}), 403, "forbidden")
    check_problem(await standing_client.get(url, headers={"x-api-key": read}), 404, "not-found")


async def test_an_export_has_a_clock_offset_to_place_its_recording_by(standing_client: httpx.AsyncClient) -> None:
    session = new_session()
    ahead = {**META, "timestamp": int(now().timestamp() * 1000) + 600_000}
    await send(standing_client, session, [ahead], sent_at=ahead["timestamp"])
    exported = (await export(standing_client, session)).json()
    assert exported["events"] == [ahead]
    assert abs(exported["session"]["clock_offset_ms"] + 600_000) < 60_000


async def test_a_project_is_exported_session_by_session_in_the_order_of_their_beginnings(
    own_client: httpx.AsyncClient, standing_services: Services, project: int
) -> None:
    made = [new_session() for _ in range(3)]
    for hours, session in zip((5, 3, 1), made, strict=True):
        await track(own_client, event(timestamp=(now() - timedelta(hours=hours)).isoformat()), session_id=session)
    answer = await own_client.get(f"{API}/project/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers["content-disposition"] == f'attachment; filename="project-{project}.ndjson"'
    single = [(await export(own_client, session, format="ndjson")).text for session in made]
    assert answer.text == "".join(single)
    middle = (now() - timedelta(hours=4)).isoformat()
    assert (await own_client.get(f"{API}/project/export", params={"from": middle})).text == "".join(single[1:])
    assert (await own_client.get(f"{API}/project/export", params={"to": middle})).text == single[0]
    check_problem(await own_client.get(f"{API}/project/export", params={"from": "soon"}), 422, "invalid", "`from`")
    line = next(line for line in (await get(own_client, "/audit"))["data"] if line["action"] == "project exported")
    assert line["details"] == {"since": None, "before": line["details"]["before"]}
    for kind in ("read", "write"):
        key = await keys.create_key(standing_services.pool, project, kind)
        refused = await own_client.get(f"{API}/project/export", headers={"x-api-key": key})
        check_problem(refused, 403, "forbidden")


async def test_a_project_of_more_sessions_than_a_page_is_exported_whole(
    own_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker_backend.queries.export._SESSIONS", 2)
    moment = now().isoformat()  # all begin at once
    made = sorted([await track(own_client, event(timestamp=moment)) for _ in range(5)])
    lines = (await own_client.get(f"{API}/project/export")).text.splitlines()
    assert [found["session"]["session_id"] for line in lines if "session" in (found := json.loads(line))] == made
