"""The replay of `spectra`: what was sent comes back as it was sent, streamed in each encoding."""

import gzip
import json
from typing import Any

import httpx
import pytest

from tests.dialects.recorded import BASE, Json, click, visit
from tests.dialects.spectra.requests import FAILURE, PURCHASE, batch, new_id, now, post, read, start
from tests.http.api import event, track
from tracker_backend.zstd import decompress


async def test_a_replay_gives_back_what_was_sent(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    custom: list[Json] = [
        {**PURCHASE, "timestamp": BASE + 2, "shop": {"name": "x"}, "release": None},
        {"type": "note", "eventType": "note", "data": "text", "timestamp": BASE + 3.5},
        {"type": "custom", "eventType": "e" * 80, "data": [1, {"a": 2}], "timestamp": BASE + 4},
        {"type": 5, "eventType": "odd", "data": {"$sent": 1, "$value": 2}, "timestamp": BASE + 5},
        {"type": "custom", "eventType": "odd", "data": {"also": 1}, "also": 2, "timestamp": BASE + 6},
        {"type": "custom", "eventType": "none", "data": None, "timestamp": BASE + 7},
        {"type": "custom", "eventType": "purchase", "data": {}, "timestamp": BASE + 8},
    ]
    errors = [{**FAILURE, "timestamp": BASE + 5, "url": "https://shop.example/a.js", "line": 3}]
    await post(standing_client, f"{session}/events", batch(session, customEvents=custom, errors=errors))
    await post(standing_client, f"{session}/events", {"events": [click(25)]})
    first, second, third = visit()
    assert await read(standing_client, f"/{session}/replay") == {
        "sessionId": session,
        "events": [first, second, click(25), third],
        "customEvents": custom,
        "errors": errors,
    }


async def test_a_custom_event_without_an_event_type_has_its_type_for_one(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    sent = [{"type": "login", "timestamp": BASE}, {"eventType": "logout", "timestamp": BASE + 1}]
    await post(standing_client, f"{session}/events", {"customEvents": sent})
    assert (await read(standing_client, f"/{session}/replay"))["customEvents"] == [
        {"type": "login", "eventType": "login", "data": {}, "timestamp": BASE},
        {"type": "logout", "eventType": "logout", "data": {}, "timestamp": BASE + 1},
    ]


async def test_a_time_that_is_no_ones_comes_back_as_it_was_sent(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    sent = {**PURCHASE, "timestamp": 86_400_000_000_000}
    await post(standing_client, f"{session}/events", {"customEvents": [sent]})
    assert (await read(standing_client, f"/{session}/replay"))["customEvents"] == [sent]


async def test_times_are_those_of_the_client(standing_client: httpx.AsyncClient) -> None:
    session, sent_at = new_id(), now() - 3_600_000
    custom, error = {**PURCHASE, "timestamp": sent_at - 20}, {**FAILURE, "timestamp": sent_at - 10}
    body = {"customEvents": [custom], "errors": [error], "metadata": {"timestamp": sent_at}}
    await post(standing_client, f"{session}/events", body)
    answer = await standing_client.get(f"/api/sessions/{session}/replay")
    assert answer.json() == {"sessionId": session, "events": [], "customEvents": [custom], "errors": [error]}
    assert abs(int(answer.headers["x-tracker-clock-offset"]) - 3_600_000) < 60_000


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
async def test_a_replay_in_each_encoding(standing_client: httpx.AsyncClient, encoding: str) -> None:
    session = new_id()
    many = [{**PURCHASE, "timestamp": BASE + number} for number in range(2500)]
    failures = [{**FAILURE, "timestamp": BASE + number} for number in range(1500)]
    body = {"events": visit(), "customEvents": many, "errors": failures}
    answer = await post(standing_client, f"{session}/events", body)
    assert answer["received"] == {"events": 3, "customEvents": 2500, "errors": 1500}
    url = f"/api/sessions/{session}/replay"
    async with standing_client.stream("GET", url, headers={"accept-encoding": encoding}) as stream:
        assert stream.headers.get("content-encoding", "identity") == encoding
        raw = b"".join([part async for part in stream.aiter_raw()])
    text = {"gzip": gzip.decompress, "zstd": decompress}.get(encoding, bytes)(raw)
    assert json.loads(text) == {"sessionId": session, "events": visit(), "customEvents": many, "errors": failures}


async def test_a_session_without_anything_is_replayed_as_empty(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    empty: dict[str, Any] = {"sessionId": session, "events": [], "customEvents": [], "errors": []}
    assert await read(standing_client, f"/{session}/replay") == empty


async def test_a_session_of_v1_is_replayed(standing_client: httpx.AsyncClient) -> None:
    moment, page = BASE + 5, "https://shop.example/cart"
    native = [
        event(timestamp=moment, page_url=page, target_selector="#buy", event_data={"a": 1}),
        event(timestamp=moment + 1, event_type="error", event_data={"message": "boom"}, page_url=page),
    ]
    session = await track(standing_client, *native)
    recorded = {"session_id": session, "events": visit()}
    assert (await standing_client.post("/api/v1/track/recording", json=recorded)).status_code == 201
    assert await read(standing_client, f"/{session}/replay") == {
        "sessionId": session,
        "events": visit(),
        "customEvents": [
            {
                "type": "click",
                "eventType": "click",
                "data": {"target_selector": "#buy", "page_url": page, "a": 1},
                "timestamp": moment,
            }
        ],
        "errors": [{"type": "error", "message": "boom", "stack": None, "timestamp": moment + 1}],
    }


async def test_errors_found_in_a_recording_are_errors_of_the_replay(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    payload = {"level": "error", "payload": ['"boom"'], "trace": []}
    console = {"type": 6, "data": {"plugin": "rrweb/console@1", "payload": payload}, "timestamp": BASE + 60}
    await post(standing_client, f"{session}/events", {"events": [*visit(), console]})
    found = await read(standing_client, f"/{session}/replay")
    assert found["errors"] == [
        {"type": "error", "message": "boom", "stack": None, "plugin": "rrweb/console@1", "timestamp": BASE + 60}
    ]
    assert found["customEvents"] == []
