"""rrweb events through every dialect: deep pages, binary data in texts, and what not every reader takes."""

import asyncio
import base64
import json
import zlib
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.dialects.recorded import BASE, META, Json, click, replay

_LARGE = {"type": 5, "data": {"tag": "filler", "payload": "x" * 70_000}, "timestamp": BASE + 2}
"""Makes a body so large that it is read in a thread."""


def _spectra_packed(session: str, events: list[Any]) -> tuple[str, Json]:
    packed = base64.b64encode(zlib.compress(json.dumps(events).encode())).decode()
    return f"/api/sessions/{session}/events", {"events": {"compressed": True, "data": packed}}


WAYS: dict[str, Callable[[str, list[Any]], tuple[str, Json]]] = {
    "v1": lambda session, events: ("/api/v1/track/recording", {"session_id": session, "events": events}),
    "spectra": lambda session, events: (f"/api/sessions/{session}/events", {"events": events}),
    "spectra packed": _spectra_packed,
    "incuera": lambda session, events: ("/api/ingest", {"sessionId": session, "events": events}),
    "reev": lambda session, events: ("/events", {"sessionId": session, "projectId": "1", "events": events}),
    "uxcam": lambda session, events: ("/api/snapshots/ingest", {"session_id": session, "snapshots": events}),
    "uxcam text": lambda session, events: (
        "/api/snapshots/ingest",
        {"session_id": session, "snapshots": json.dumps(events)},
    ),
}
every_way = pytest.mark.parametrize("way", WAYS)


async def send(client: httpx.AsyncClient, way: str, events: list[Any]) -> str:
    """Sends a batch, which must be stored, and returns its session."""
    session = str(uuid4())
    path, body = WAYS[way](session, events)
    answer = await client.post(path, json=body)
    assert answer.is_success, answer.text
    return session


def page(levels: int) -> Json:
    """A full snapshot of so many elements in one another."""
    node: Json = {"type": 3, "textContent": "deep", "id": 2}
    for number in range(levels):
        node = {"type": 2, "tagName": "div", "attributes": {}, "childNodes": [node], "id": number + 3}
    return {"type": 2, "data": {"node": {"type": 0, "childNodes": [node], "id": 1}}, "timestamp": BASE + 1}


@every_way
@pytest.mark.parametrize("levels", [500, 600, 900])
@pytest.mark.parametrize("more", [[], [_LARGE]], ids=["small", "large"])
async def test_a_page_of_many_levels_is_stored_and_read_in_every_way(
    standing_client: httpx.AsyncClient, way: str, levels: int, more: list[Json]
) -> None:
    events = [META, page(levels), *more]
    session = await send(standing_client, way, events)
    assert await replay(standing_client, session) == events
    url = f"/api/v1/sessions/{session}/recording"
    part = await standing_client.get(url, params={"from": BASE + 1, "to": BASE + 2})
    assert part.json() == events[:2]
    path, body = WAYS[way](session, [click(1), page(levels), click(3)])
    assert (await standing_client.post(path, json=body)).is_success
    merged = await replay(standing_client, session)
    assert [event["timestamp"] for event in merged] == sorted(event["timestamp"] for event in merged)
    assert merged.count(page(levels)) == 2
    assert (await standing_client.get(f"/api/sessions/{session}/replay")).status_code == 200
    assert (await standing_client.get(f"/api/sessions/{session}/events")).status_code == 200
    assert (await standing_client.get(f"/api/v1/sessions/{session}/export")).status_code == 200


@every_way
async def test_binary_data_in_texts_is_stored_as_it_was_sent(standing_client: httpx.AsyncClient, way: str) -> None:
    binary = "".join(map(chr, range(256)))
    event = {"type": 5, "data": {"tag": "zip", "payload": {"bytes": binary}}, "timestamp": BASE}
    session = await send(standing_client, way, [event])
    assert await replay(standing_client, session) == [event]


@every_way
async def test_what_is_found_beside_binary_data_can_be_stored(standing_client: httpx.AsyncClient, way: str) -> None:
    page_view = {"type": 4, "data": {"href": "https://shop.example/\0x", "width": 1, "height": 1}, "timestamp": BASE}
    error = {"type": 5, "data": {"tag": "error", "payload": json.dumps("a\0b")}, "timestamp": BASE + 1}
    session = await send(standing_client, way, [page_view, error])
    found = (await standing_client.get(f"/api/v1/sessions/{session}/events")).json()["data"]
    assert {event["event_type"] for event in found} == {"pageview", "error"}
    assert found[0]["page_url"] == "https://shop.example/\ufffdx"


@every_way
async def test_packed_events_are_stored_unpacked(standing_client: httpx.AsyncClient, way: str) -> None:
    packed = [
        zlib.compress(json.dumps({**event, "v": "v1"}).encode(), level).decode("latin-1")
        for event, level in ((META, 0), (page(3), 6))
    ]
    assert any("\0" in text for text in packed), "which is no text for PostgreSQL"
    session = await send(standing_client, way, packed)
    assert await replay(standing_client, session) == [META, page(3)]


@every_way
async def test_times_types_and_numbers_are_stored_as_every_reader_takes_them(
    standing_client: httpx.AsyncClient, way: str
) -> None:
    session = str(uuid4())
    path, body = WAYS[way](session, [{**META, "timestamp": BASE // 1000}, {**click(50), "type": "3"}])
    assert (await standing_client.post(path, json=body)).is_success
    if "packed" not in way and "text" not in way:
        text = json.dumps(WAYS[way](session, [{**click(60), "data": {"n": 12345}}])[1])
        headers = {"content-type": "application/json"}
        answer = await standing_client.post(path, content=text.replace("12345", "1" * 5000), headers=headers)
        assert answer.is_success
    first, second, *rest = await replay(standing_client, session)
    assert (first["timestamp"], second) == (BASE // 1000 * 1000, click(50))
    assert [event["data"] for event in rest] == [{"n": None}] * len(rest)


async def test_many_deep_pages_at_once_are_all_stored(standing_client: httpx.AsyncClient) -> None:
    sessions = await asyncio.gather(*(send(standing_client, "v1", [page(900), _LARGE]) for _ in range(20)))
    for session in sessions:
        assert await replay(standing_client, session) == [page(900), _LARGE]
