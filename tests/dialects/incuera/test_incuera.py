"""`incuera`: golden requests and answers, and what is refused."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from tests.dialects.recorded import BASE, META, click, replay, visit
from tests.dialects.spectra.requests import now
from tests.http.api import CHROME, get, local
from tracker_backend.accounts import keys
from tracker_backend.dialects.incuera import examples
from tracker_backend.http.services import Services

METADATA = {
    "url": "https://shop.example/",
    "referrer": "",
    "userAgent": CHROME,
    "screen": {"width": 1920, "height": 1080},
    "viewport": {"width": 1280, "height": 720},
    "timestamp": BASE,
}


def new_id() -> str:
    """A session id as this SDK makes one."""
    return f"session_{BASE}_{uuid4().hex[:9]}"


def start(session: str, **more: Any) -> dict[str, Any]:
    return {"sessionId": session, "userId": "u-1", "userEmail": "u@shop.example", "metadata": METADATA, **more}


def batch(session: str, events: Any = None, **more: Any) -> dict[str, Any]:
    return {"sessionId": session, "events": visit() if events is None else events, "timestamp": now(), **more}


async def post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    answer = await client.post(f"/api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.json()


def check(answer: httpx.Response, status: int, *tells: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json() == {"success": False, "error": answer.json()["error"]}
    for text in tells:
        assert text in answer.json()["error"]


async def test_a_start_is_answered_and_kept(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    for _ in range(2):
        assert await post(standing_client, "sessions/start", start(session)) == {
            "success": True,
            "sessionId": session,
        }
    stored = await get(standing_client, f"/sessions/{session}")
    expected: dict[str, Any] = {
        "client_session_id": session,
        "user_id": "u-1",
        "user_email": "u@shop.example",
        "page_url": "https://shop.example/",
        "referrer": None,
        "user_agent": CHROME,
        "screen_width": 1920,
        "screen_height": 1080,
        "viewport_width": 1280,
        "viewport_height": 720,
        "app_id": None,
        "ttl_hours": None,
        "expires_at": None,
        "metadata": METADATA,
    }
    assert {name: stored[name] for name in expected} == expected
    assert datetime.fromisoformat(stored["started_at"]).timestamp() * 1000 == pytest.approx(BASE)


async def test_a_batch_is_stored_once(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    for _ in range(2):  # the time of sending is set anew at each attempt
        assert await post(standing_client, "ingest", batch(session)) == {"success": True, "received": 3}
    assert await replay(standing_client, session) == visit()
    stored = await get(standing_client, f"/sessions/{session}")
    assert (stored["recorded_event_count"], stored["click_count"], stored["page_url"]) == (
        3,
        1,
        "https://shop.example/cart",
    )


async def test_a_late_start_fills_in_and_resets_nothing(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "ingest", batch(session, [click(900)], tenant=4))
    await post(standing_client, "sessions/start", start(session))
    await post(standing_client, "ingest", batch(session, [click(1500)]))
    stored = await get(standing_client, f"/sessions/{session}")
    names = ("user_id", "recorded_event_count", "click_count", "duration_seconds")
    assert [stored[name] for name in names] == ["u-1", 2, 2, 1.5]
    assert stored["metadata"] == {**METADATA, "tenant": 4}


async def test_an_empty_batch_keeps_the_session_active(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(standing_client, "sessions/start", start(session))
    before = await get(standing_client, f"/sessions/{session}")
    assert await post(standing_client, "ingest", batch(session, [])) == {"success": True, "received": 0}
    after = await get(standing_client, f"/sessions/{session}")
    one, two = (datetime.fromisoformat(it["last_activity_at"]) for it in (before, after))
    assert one < two


async def test_the_clock_of_a_client_is_corrected(standing_client: httpx.AsyncClient) -> None:
    session, sent_at = new_id(), now() - 3_600_000
    await post(standing_client, "ingest", batch(session, [{**META, "timestamp": sent_at}], timestamp=sent_at))
    stored = await get(standing_client, f"/sessions/{session}")
    assert abs(stored["clock_offset_ms"] - 3_600_000) < 60_000
    assert abs(datetime.fromisoformat(stored["started_at"]) - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("headers", [{"content-type": "text/plain"}, {}, {"content-encoding": "gzip"}])
async def test_a_beacon(standing_client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    session = new_id()
    body = json.dumps(batch(session)).encode()
    content = gzip.compress(body) if "content-encoding" in headers else body
    answer = await standing_client.post("/api/ingest", content=content, headers=headers)
    assert answer.json() == {"success": True, "received": 3}


@pytest.mark.parametrize(
    ("change", "tells"),
    [
        ({"sessionId": None}, "sessionId"),
        ({"sessionId": ""}, "sessionId"),
        ({"sessionId": "x" * 201}, "200"),
        ({"events": None}, "events"),
        ({"events": {}}, "array"),
        ({"events": [META, 7]}, "$.events[1]"),
        ({"events": [{"type": 3}]}, "$.events[0]"),
        ({"events": [{"timestamp": "soon"}]}, "soon"),
    ],
)
async def test_a_batch_that_is_refused(standing_client: httpx.AsyncClient, change: Any, tells: str) -> None:
    session = new_id()
    body = batch(session) | change
    check(await standing_client.post("/api/ingest", json=body), 422, tells)
    check(await standing_client.post("/api/ingest", json={k: v for k, v in body.items() if v is not None}), 422)
    assert (await standing_client.get(f"/api/v1/sessions/{session}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"", {}, 400),
        (b"[]", {}, 422),
        (b"\x1f\x8bjunk", {}, 415),
        (b"{}", {"content-encoding": "lzma"}, 415),
        (b" " * 16_000_000, {}, 413),
        (gzip.compress(b" " * 100_000_000), {}, 413),
    ],
    ids=["cut off", "empty", "no object", "no gzip", "unknown encoding", "too large", "a bomb"],
)
async def test_a_body_that_is_refused(
    standing_client: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    check(await standing_client.post("/api/ingest", content=body, headers=headers), status)


async def test_large_batches(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    big = {"type": 2, "data": {"node": "x" * (10 * 1024 * 1024)}, "timestamp": BASE}
    assert await post(standing_client, "ingest", batch(session, [big])) == {"success": True, "received": 1}
    assert await replay(standing_client, session) == [big]
    bigger = {"type": 2, "data": {"node": "x" * 11_000_000}, "timestamp": BASE}
    check(await standing_client.post("/api/ingest", json=batch(new_id(), [bigger])), 413)


async def test_keys(standing_app: Litestar, standing_services: Services, project: int) -> None:
    pool, yesterday = standing_services.pool, datetime.now(UTC) - timedelta(days=1)
    good = await keys.create_key(pool, project, "write")
    read_only = await keys.create_key(pool, project, "read")
    expired = await keys.create_key(pool, project, "write", expires_at=yesterday)
    revoked = await keys.create_key(pool, project, "write")
    await keys.revoke_key(pool, "user 1", project, revoked[: keys.PREFIX_LENGTH])
    async with local(standing_app, peer="203.0.113.9") as stranger:
        for key, status, tells in [
            (good, 200, ""),
            (read_only, 403, "write"),
            (expired, 401, "expired"),
            (revoked, 401, "revoked"),
            ("tb_w_unknown", 401, "not known"),
            (None, 401, "without a key"),
        ]:
            headers = {} if key is None else {"x-api-key": key}
            for path, body in (("sessions/start", start(new_id())), ("ingest", batch(new_id()))):
                answer = await stranger.post(f"/api/{path}", json=body, headers=headers)
                assert answer.status_code == status
                if status != 200:
                    check(answer, status, tells)
                    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_browser_on_another_site_may_write(standing_client: httpx.AsyncClient) -> None:
    answer = await standing_client.options("/api/ingest", headers={"origin": "https://shop.example"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


async def test_the_examples_of_the_documentation_are_accepted(standing_client: httpx.AsyncClient) -> None:
    session = examples.SESSION_ID
    assert (await post(standing_client, "sessions/start", examples.START))["sessionId"] == session
    assert await post(standing_client, "ingest", examples.INGEST) == {"success": True, "received": 2}
