"""Recordings: what goes in comes out, in order, and what is found in them is counted once."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker_backend.zstd import decompress

BASE = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
META: dict[str, Any] = {
    "type": 4,
    "data": {"href": "https://shop.example/cart?x=1", "width": 800, "height": 600},
    "timestamp": BASE,
}
SNAPSHOT: dict[str, Any] = {"type": 2, "data": {"node": {"type": 0, "childNodes": [], "id": 1}}, "timestamp": BASE + 1}


def click(time: int, x: int = 10, y: int = 20) -> dict[str, Any]:
    return {"type": 3, "data": {"source": 2, "type": 2, "id": 7, "x": x, "y": y}, "timestamp": time}


async def send(client: httpx.AsyncClient, session: str, events: list[Any], **more: Any) -> httpx.Response:
    body = {"session_id": session, "events": events, **more}
    return await client.post("/api/v1/track/recording", json=body)


async def replay(client: httpx.AsyncClient, session: str, encoding: str = "identity", query: Any = None) -> list[Any]:
    url = f"/api/v1/sessions/{session}/recording"
    async with client.stream("GET", url, params=query, headers={"accept-encoding": encoding}) as answer:
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding", "identity") == encoding
        raw = b"".join([part async for part in answer.aiter_raw()])
    if encoding == "zstd":
        raw = decompress(raw)
    elif encoding == "gzip":
        raw = gzip.decompress(raw)
    return json.loads(raw)


# Nothing that looks like a secret: no address or parameter, no card's number, no name like `CC`.
text = st.text(st.characters(codec="utf-8", exclude_characters="=@"))
name = st.text(st.characters(codec="utf-8", exclude_categories=["Lu", "Ll"]), max_size=5)
number = st.integers(-(2**53), 10**12)
event = st.fixed_dictionaries(
    {
        "type": st.integers(0, 9),
        "timestamp": st.integers(BASE, BASE + 20),
        "data": st.recursive(
            st.none() | st.booleans() | number | text,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(name, inner, max_size=3),
            max_leaves=6,
        ),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_what_goes_in_comes_out_in_any_batching_order_and_repetition(
    standing_client: httpx.AsyncClient, data: st.DataObject
) -> None:
    batches = data.draw(st.lists(st.lists(event, min_size=1, max_size=6), min_size=1, max_size=6))
    repeats = data.draw(st.lists(st.integers(0, len(batches) - 1), max_size=3))
    session = str(uuid4())
    order: list[Any] = []
    for number, batch in enumerate(batches):
        answer = await send(standing_client, session, batch, batch_id=f"b{number}")
        assert answer.status_code == 201, answer.text
        order += batch
    for number in repeats:
        assert (await send(standing_client, session, batches[number], batch_id=f"b{number}")).status_code == 201
    expected = sorted(order, key=lambda it: it["timestamp"])
    for encoding in ("identity", "gzip", "zstd"):
        assert await replay(standing_client, session, encoding) == expected
    found = (await standing_client.get(f"/api/v1/sessions/{session}")).json()
    assert found["recorded_event_count"] == len(order)


async def test_found_events_are_listed_and_counted(standing_client: httpx.AsyncClient) -> None:
    session = str(uuid4())
    console = {
        "type": 6,
        "data": {"plugin": "rrweb/console@1", "payload": {"level": "error", "payload": ['"boom"', "1"], "trace": []}},
        "timestamp": BASE + 9,
    }
    clicks = [click(BASE + 2), click(BASE + 3), click(BASE + 4)]
    await send(standing_client, session, [META, SNAPSHOT, *clicks, console])
    await send(standing_client, session, [{**META, "timestamp": BASE + 20}, {**SNAPSHOT, "timestamp": BASE + 21}])
    events = (await standing_client.get(f"/api/v1/sessions/{session}/events")).json()
    assert [it["event_type"] for it in events["data"]] == ["pageview", "click", "click", "click", "rage_click", "error"]
    assert {it["source"] for it in events["data"]} == {"rrweb"}
    assert {it["page_path"] for it in events["data"]} == {"/cart"}
    found = (await standing_client.get(f"/api/v1/sessions/{session}")).json()
    counts = {name: found[f"{name}_count"] for name in ("event", "click", "error", "page", "rage_click")}
    assert counts == {"event": 6, "click": 3, "error": 1, "page": 1, "rage_click": 1}
    assert events["total"] == 6
    assert found["has_recording"]


@pytest.mark.parametrize("native_first", [True, False])
async def test_what_is_sent_and_recorded_is_told_once(standing_client: httpx.AsyncClient, native_first: bool) -> None:
    session = str(uuid4())
    native = {
        "session_id": session,
        "events": [
            {"timestamp": BASE + 2, "event_type": "click", "page_url": "https://shop.example/cart"},
            {"timestamp": BASE + 2, "event_type": "scroll", "page_url": "https://shop.example/cart"},
        ],
    }

    async def send_native() -> None:
        assert (await standing_client.post("/api/v1/track", json=native)).status_code == 201

    if native_first:
        await send_native()
    await send(standing_client, session, [META, SNAPSHOT, click(BASE + 2)])
    if not native_first:
        await send_native()
    events = (await standing_client.get(f"/api/v1/sessions/{session}/events")).json()
    kinds = sorted((it["event_type"], it["source"]) for it in events["data"])
    assert kinds == [("click", "native"), ("pageview", "rrweb"), ("scroll", "native")]
    found = (await standing_client.get(f"/api/v1/sessions/{session}")).json()
    assert (found["event_count"], found["click_count"], found["page_count"]) == (3, 1, 1)
    assert events["total"] == 3


async def test_a_range_begins_at_the_full_snapshot_before_it(standing_client: httpx.AsyncClient) -> None:
    session = str(uuid4())
    for minute in range(4):
        start = BASE + minute * 60_000
        moves = [click(start + 1000 * second, second * 50) for second in range(2, 50)]
        await send(
            standing_client, session, [{**META, "timestamp": start}, {**SNAPSHOT, "timestamp": start + 1}, *moves]
        )
    got = await replay(standing_client, session, query={"from": BASE + 90_000, "to": BASE + 130_000})
    assert [it["type"] for it in got[:2]] == [4, 2]
    assert got[0]["timestamp"] == BASE + 60_000
    assert got[-1]["timestamp"] == BASE + 129_000


async def test_large_batches(standing_client: httpx.AsyncClient) -> None:
    session = str(uuid4())
    big = {"type": 2, "data": {"node": "x" * (10 * 1024 * 1024)}, "timestamp": BASE}
    assert (await send(standing_client, session, [big])).status_code == 201
    assert await replay(standing_client, session, "zstd") == [big]
    bigger = {"type": 2, "data": {"node": "x" * 11_000_000}, "timestamp": BASE}
    assert (await send(standing_client, str(uuid4()), [bigger])).status_code == 413


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ([], "length"),
        ([1], "events[0]"),
        ([META, {"type": 3}], "events[1]"),
        ([{"timestamp": "soon"}], "soon"),
        ({}, "array"),
    ],
)
async def test_what_is_no_recording_is_refused(standing_client: httpx.AsyncClient, events: Any, word: str) -> None:
    session = str(uuid4())
    answer = await send(standing_client, session, events)
    assert answer.status_code == 422
    assert word in answer.json()["detail"]
    assert (await standing_client.get(f"/api/v1/sessions/{session}")).status_code == 404
