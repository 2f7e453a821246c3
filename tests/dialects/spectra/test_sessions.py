"""The life of a `spectra` session: start, batches, heartbeats, end; and what `v1` says of it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.dialects.recorded import BASE, Json, click, visit
from tests.dialects.spectra.requests import (
    FAILURE,
    FORMS,
    METADATA,
    PURCHASE,
    UNIX_AGENT,
    batch,
    iso,
    new_id,
    now,
    packed,
    post,
    read,
    start,
)
from tests.http.api import events_of, get

NOTHING = {"success": True, "received": {"events": 0, "customEvents": 0, "errors": 0}}


async def test_a_start_is_answered_and_kept(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    first = await post(standing_client, "start", start(session, ticketId="T-1", release="1.2"))
    assert first == {"success": True, "sessionId": session, "message": "session started"}
    assert await read(standing_client, f"/{session}") == {
        "sessionId": session,
        "userId": "u-1",
        "appId": "shop",
        "startTime": BASE,
        "endTime": None,
        "duration": 0.0,
        "stats": {"totalEvents": 0, "errors": 0, "clicks": 0},
        "metadata": {**METADATA, "release": "1.2"},
        "id": session,
        "pageUrl": "https://shop.example/",
        "timestamp": iso(BASE),
        "device": "desktop",
        "clicks": 0,
        "errors": 0,
    }
    stored = await get(standing_client, f"/sessions/{session}")
    expected: dict[str, Any] = {
        "session_id": session,
        "client_session_id": None,
        "user_id": "u-1",
        "app_id": "shop",
        "ticket_id": "T-1",
        "page_url": "https://shop.example/",
        "referrer": "https://search.example/",
        "user_agent": UNIX_AGENT,
        "screen_width": 1920,
        "screen_height": 1080,
        "viewport_width": 1280,
        "viewport_height": 720,
        "language": "en-GB",
        "browser": "Chrome",
        "ttl_hours": 72,
        "is_active": True,
    }
    assert {name: stored[name] for name in expected} == expected
    kept = datetime.fromisoformat(stored["expires_at"]) - datetime.fromisoformat(stored["last_activity_at"])
    assert kept == timedelta(hours=72)


@pytest.mark.parametrize("form", FORMS)
async def test_a_batch_in_each_form_is_stored_once(standing_client: httpx.AsyncClient, form: str) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    body = batch(session, FORMS[form](visit()))
    for _ in range(2):
        answer = await post(standing_client, f"{session}/events", body)
        assert answer == {"success": True, "received": {"events": 3, "customEvents": 1, "errors": 1}}
        body["metadata"]["timestamp"] += 1  # set anew at each attempt
    assert await read(standing_client, f"/{session}") == {
        "sessionId": session,
        "userId": "u-1",
        "appId": "shop",
        "startTime": BASE,
        "endTime": None,
        "duration": 0.07,
        "stats": {"totalEvents": 5, "errors": 1, "clicks": 1},
        "metadata": METADATA,
        "id": session,
        "pageUrl": "https://shop.example/",
        "timestamp": iso(BASE),
        "device": "desktop",
        "clicks": 1,
        "errors": 1,
    }
    events = await events_of(standing_client, session)
    assert [(it["source"], it["event_type"], it["page_path"], it["event_data"]) for it in events] == [
        ("rrweb", "pageview", "/cart", None),
        ("rrweb", "click", "/cart", {"node": 7}),
        ("spectra", "purchase", "/cart", {"product": 17, "tags": ["a"], "$sent": {"type": "custom"}}),
        ("spectra", "error", "/cart", {name: FAILURE[name] for name in ("type", "message", "stack")}),
    ]


async def test_a_batch_is_all_or_nothing(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    answer = await standing_client.post(f"/api/sessions/{session}/events", json=batch(session, errors=[7]))
    assert answer.status_code == 422
    assert (await read(standing_client, f"/{session}"))["stats"] == {"totalEvents": 0, "errors": 0, "clicks": 0}
    assert (await read(standing_client, f"/{session}/replay"))["events"] == []


async def test_a_batch_starts_its_session_and_a_late_start_fills_in_what_is_missing(
    standing_client: httpx.AsyncClient,
) -> None:
    session = new_id()
    await post(standing_client, f"{session}/events", {"events": [click(500)], "customEvents": [PURCHASE], "tenant": 4})
    before = await read(standing_client, f"/{session}")
    assert (before["userId"], before["startTime"], before["metadata"]) == (None, BASE + 60, {"tenant": 4})
    for _ in range(2):
        answer = await post(standing_client, "start", start(session))
        assert answer["message"] == "session goes on"
    found = await read(standing_client, f"/{session}")
    assert found["userId"] == "u-1"
    assert found["metadata"] == {**METADATA, "tenant": 4}
    assert found["startTime"] == BASE
    assert found["stats"] == {"totalEvents": 2, "errors": 0, "clicks": 1}
    assert found["duration"] == 0.5
    assert (await get(standing_client, f"/sessions/{session}"))["ttl_hours"] == 72


async def test_custom_events_are_put_on_the_pages_of_the_recording(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    turn = {"type": 4, "data": {"href": "https://shop.example/pay", "width": 1, "height": 1}, "timestamp": BASE + 100}
    custom = [{**PURCHASE, "timestamp": BASE + after} for after in (110, 20)]
    await post(standing_client, f"{session}/events", {"events": [*visit(), turn], "customEvents": custom})
    later = {**PURCHASE, "timestamp": BASE + 200}
    await post(standing_client, f"{session}/events", {"customEvents": [later]})
    events = await events_of(standing_client, session, event_type="purchase")
    assert [it["page_path"] for it in events] == ["/cart", "/pay", "/pay"]


async def test_an_empty_batch_and_a_heartbeat_keep_the_session_active(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    before = await get(standing_client, f"/sessions/{session}")
    none: list[Json] = []
    for body in ({}, {"events": none}, {"events": packed(none), "customEvents": none, "errors": none}):
        assert await post(standing_client, f"{session}/events", body) == NOTHING
    middle = await get(standing_client, f"/sessions/{session}")
    stats = {"eventCount": 9, "errorCount": 1, "clickCount": 2}
    assert await post(standing_client, f"{session}/heartbeat", {"timestamp": now(), "stats": stats}) == {
        "success": True
    }
    after = await get(standing_client, f"/sessions/{session}")
    for name in ("last_activity_at", "expires_at"):
        assert before[name] < middle[name] < after[name]
    assert after["client_stats"] == stats
    assert after["recorded_event_count"] == 0


async def test_an_end_sets_end_and_duration(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    await post(standing_client, f"{session}/events", batch(session))
    stats = {"eventCount": 4, "errorCount": 1, "clickCount": 1}
    for _ in range(2):
        assert await post(standing_client, f"{session}/end", {"endTime": BASE + 5000, "stats": stats}) == {
            "success": True
        }
    found = await read(standing_client, f"/{session}")
    assert (found["endTime"], found["duration"]) == (BASE + 5000, 5.0)
    assert found["stats"] == {"totalEvents": 5, "errors": 1, "clicks": 1}
    stored = await get(standing_client, f"/sessions/{session}")
    assert stored["client_stats"] == stats
    assert not stored["is_active"]


async def test_a_batch_after_the_end_moves_the_end(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    await post(standing_client, f"{session}/end", {"endTime": BASE + 5000})
    await post(standing_client, f"{session}/events", {"events": [click(9000)]})
    found = await read(standing_client, f"/{session}")
    assert (found["endTime"], found["duration"]) == (BASE + 9000, 9.0)


async def test_an_end_before_the_start_is_one_at_the_start(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    await post(standing_client, f"{session}/end", {"endTime": BASE - 5000})
    found = await read(standing_client, f"/{session}")
    assert (found["endTime"], found["duration"]) == (BASE, 0.0)


async def test_an_end_without_a_body_is_one_now(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    before = now()
    answer = await standing_client.post(f"/api/sessions/{session}/end")
    assert answer.json() == {"success": True}
    assert before <= (await read(standing_client, f"/{session}"))["endTime"] <= now()


@pytest.mark.parametrize(
    "time",
    [BASE // 1000, BASE // 1000 * 1000, iso(BASE // 1000 * 1000), float(BASE // 1000)],
    ids=["seconds", "milliseconds", "iso", "fraction"],
)
async def test_times_in_each_form(standing_client: httpx.AsyncClient, time: Any) -> None:
    session, whole = new_id(), BASE // 1000 * 1000
    await post(standing_client, "start", start(session, startTime=time))
    await post(standing_client, f"{session}/events", {"customEvents": [{**PURCHASE, "timestamp": time}]})
    await post(standing_client, f"{session}/end", {"endTime": time})
    found = await read(standing_client, f"/{session}")
    assert (found["startTime"], found["endTime"]) == (whole, whole)
    assert (await read(standing_client, f"/{session}/replay"))["customEvents"][0]["timestamp"] == whole


@pytest.mark.parametrize(
    ("more", "hours"),
    [
        ({"ttlHours": 5}, 5),
        ({"metadata": {"ttlHours": 6}}, 6),
        ({"ttlHours": 0}, 72),
        ({"ttlHours": 10**9}, 72),
        ({"metadata": {"ttlHours": "long"}}, 72),
    ],
)
async def test_how_long_a_session_is_kept_can_be_asked_for(
    standing_client: httpx.AsyncClient, more: Any, hours: int
) -> None:
    session = new_id()
    await post(standing_client, "start", start(session, **more))
    assert (await get(standing_client, f"/sessions/{session}"))["ttl_hours"] == hours


async def test_metadata_of_strange_kinds_is_kept_and_fills_no_column(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    strange = {"url": 7, "screen": "1920x1080", "viewport": {"width": -1, "height": 10.6}, "language": ["en"]}
    await post(standing_client, "start", start(session, metadata=strange))
    stored = await get(standing_client, f"/sessions/{session}")
    assert stored["metadata"] == strange
    names = ("page_url", "screen_width", "viewport_width", "viewport_height", "language")
    assert [stored[name] for name in names] == [None, None, None, 11, None]


async def test_a_session_that_is_named_by_any_text(own_client: httpx.AsyncClient, project: int) -> None:
    text = "Sitzung 17 äöü"
    assert (await post(own_client, "start", start(text)))["sessionId"] == text
    await post(own_client, f"{text}/events", batch(text))
    found = await read(own_client, f"/{text}")
    assert found["sessionId"] == text
    assert await read(own_client, f"/{UUID(found['id'])}") == found
    assert found["stats"]["totalEvents"] == 5


async def test_the_clock_of_a_client_is_corrected(standing_client: httpx.AsyncClient) -> None:
    session, hour = new_id(), 3_600_000
    sent = {"events": [{**click(0), "timestamp": now() - hour}], "metadata": {"timestamp": now() - hour}}
    await post(standing_client, f"{session}/events", sent)
    await post(standing_client, f"{session}/end", {"endTime": now() - hour})
    found = await read(standing_client, f"/{session}")
    assert abs(found["startTime"] - now()) < 60_000
    assert abs(found["endTime"] - now()) < 60_000
    assert (await read(standing_client, f"/{session}/replay"))["events"] == sent["events"]
