"""What `spectra` refuses: with the right status, a text that helps in the dialect's shape, and nothing stored."""

import base64
import json
import zlib
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.dialects.recorded import BASE, META, visit
from tests.dialects.spectra.requests import PURCHASE, URL, batch, new_id, packed, post, read, start
from tests.http.api import local

pytestmark = pytest.mark.tiers("plain")

MIB = 1024 * 1024


def text(data: bytes) -> dict[str, Any]:
    return {"compressed": True, "data": base64.b64encode(data).decode()}


def bomb() -> dict[str, Any]:
    packer = zlib.compressobj()
    return text(b"".join(packer.compress(bytes(MIB)) for _ in range(100)) + packer.flush())


def check(answer: httpx.Response, status: int, *tells: str) -> None:
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    for it in tells:
        assert it in answer.json()["error"]


BATCHES: dict[str, tuple[dict[str, Any], int, tuple[str, ...]]] = {
    "no base64": ({"events": {"compressed": True, "data": "a*b"}}, 422, ("base64",)),
    "empty data": ({"events": {"compressed": True, "data": ""}}, 422, ("empty",)),
    "no deflate": ({"events": text(b"x\x9cjunk")}, 422, ("zlib",)),
    "cut off": ({"events": text(zlib.compress(b"[]" * 500)[:-6])}, 422, ("too early",)),
    "a bomb": ({"events": bomb()}, 413, ("15728640",)),
    "compressed, no JSON": ({"events": text(zlib.compress(b"{{{"))}, 422, ("array",)),
    "compressed, no array": ({"events": packed({"a": 1})}, 422, ("array",)),
    "compressed, no objects": ({"events": packed([META, 7])}, 422, ("$.events[1]",)),
    "not compressed, a text": ({"events": {"compressed": False, "data": "[]"}}, 422, ("compressed",)),
    "no data": ({"events": {"compressed": True}}, 422, ("data",)),
    "events no list": ({"events": 7}, 422, ("$.events",)),
    "no objects": ({"events": [META, "x"]}, 422, ("$.events[1]",)),
    "no time": ({"events": [{"type": 3}]}, 422, ("$.events[0]", "timestamp")),
    "custom no list": ({"customEvents": {}}, 422, ("$.customEvents",)),
    "custom no object": ({"customEvents": [PURCHASE, 7]}, 422, ("$.customEvents[1]",)),
    "custom without time": ({"customEvents": [{"type": "a"}]}, 422, ("$.customEvents[0]", "timestamp")),
    "custom of a strange time": (
        {"customEvents": [{"type": "a", "timestamp": "soon"}]},
        422,
        ("$.customEvents[0].timestamp", "soon"),
    ),
    "custom without type": ({"customEvents": [{"timestamp": BASE}]}, 422, ("$.customEvents[0]", "eventType")),
    "too many custom": ({"customEvents": [PURCHASE] * 10_001}, 422, ("10001", "10000")),
    "error no object": ({"errors": ["boom"]}, 422, ("$.errors[0]",)),
    "error without time": ({"errors": [{"message": "boom"}]}, 422, ("$.errors[0]", "timestamp")),
    "another session": ({"sessionId": "other", "events": visit()}, 422, ("other", "path")),
}


@pytest.mark.parametrize("name", BATCHES)
async def test_a_batch_that_is_refused(standing_client: httpx.AsyncClient, name: str) -> None:
    body, status, tells = BATCHES[name]
    session = new_id()
    check(await standing_client.post(f"{URL}/{session}/events", json=body), status, *tells)
    check(await standing_client.get(f"{URL}/{session}"), 404, session)


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"", 400), (b'{"metadata":' * 100_000, 400), (b"[]", 422), (b"7", 422)]
)
@pytest.mark.parametrize("path", ["x/events", "start"])
async def test_a_body_that_is_no_object(
    standing_client: httpx.AsyncClient, path: str, body: bytes, status: int
) -> None:
    answer = await standing_client.post(f"{URL}/{path}", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("more", "tells"),
    [
        ({"sessionId": None}, "sessionId"),
        ({"sessionId": ""}, "sessionId"),
        ({"sessionId": "x" * 201}, "200"),
        ({"metadata": {"a": "x" * 70_000}}, "65536"),
    ],
)
async def test_a_start_that_is_refused(standing_client: httpx.AsyncClient, more: Any, tells: str) -> None:
    session = new_id()
    answer = await standing_client.post(f"{URL}/start", json=start(session, **more))
    assert answer.status_code == 422
    assert answer.json() == {"success": False, "error": answer.json()["error"]}
    assert tells in answer.json()["error"]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_start_without_a_session(standing_client: httpx.AsyncClient) -> None:
    answer = await standing_client.post(f"{URL}/start", json={"appId": "shop"})
    assert (answer.status_code, answer.json()["success"]) == (422, False)


@pytest.mark.parametrize("call", ["heartbeat", "end"])
async def test_what_only_a_known_session_can_do(standing_client: httpx.AsyncClient, call: str) -> None:
    session = new_id()
    check(await standing_client.post(f"{URL}/{session}/{call}", json={}), 404, session)
    check(await standing_client.get(f"{URL}/{session}"), 404)


@pytest.mark.parametrize(
    ("call", "body", "tells"),
    [
        ("heartbeat", {"stats": {"a": "x" * 70_000}}, "stats"),
        ("end", {"sessionId": "other"}, "other"),
    ],
)
async def test_a_heartbeat_or_end_that_is_refused(
    standing_client: httpx.AsyncClient, call: str, body: Any, tells: str
) -> None:
    session = new_id()
    await post(standing_client, "start", start(session))
    before = await read(standing_client, f"/{session}")
    check(await standing_client.post(f"{URL}/{session}/{call}", json=body), 422, tells)
    assert await read(standing_client, f"/{session}") == before


@pytest.mark.parametrize("path", ["", "/replay"])
async def test_an_unknown_session(standing_client: httpx.AsyncClient, path: str) -> None:
    check(await standing_client.get(f"{URL}/{new_id()}{path}"), 404)


async def test_the_decoded_number_counts_where_the_client_counts_otherwise(
    standing_client: httpx.AsyncClient,
) -> None:
    session = new_id()
    counts = {"eventCount": 77, "customEventCount": "many", "errorCount": None}
    answer = await post(standing_client, f"{session}/events", batch(session, metadata=counts))
    assert answer["received"] == {"events": 3, "customEvents": 1, "errors": 1}


@pytest.mark.parametrize("is_packed", [False, True])
async def test_large_batches(standing_client: httpx.AsyncClient, is_packed: bool) -> None:
    def form(events: Any) -> Any:
        return packed(events) if is_packed else events

    session, refused = new_id(), new_id()
    big = {"type": 2, "data": {"node": "x" * (10 * MIB)}, "timestamp": BASE}
    await post(standing_client, f"{session}/events", {"events": form([big])})
    assert (await read(standing_client, f"/{session}/replay"))["events"] == [big]
    bigger = {"type": 2, "data": {"node": "x" * 11_000_000}, "timestamp": BASE}
    check(await standing_client.post(f"{URL}/{refused}/events", json={"events": form([bigger])}), 413)
    check(await standing_client.get(f"{URL}/{refused}"), 404)


async def test_texts_that_no_database_holds(standing_client: httpx.AsyncClient) -> None:
    session = new_id()
    events = json.dumps([{**META, "data": {"href": "https://shop.example/\0"}}]).replace("shop", r"\ud800")
    body = {"events": text(zlib.compress(events.encode())), "customEvents": [{**PURCHASE, "data": {"a\0": "\ud800"}}]}
    answer = await standing_client.post(f"{URL}/{session}/events", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    found = await read(standing_client, f"/{session}/replay")
    assert found["events"][0]["data"]["href"] == "https://\ufffd.example/\0"
    assert found["customEvents"][0]["data"] == {"a\ufffd": "\ufffd"}
    assert (await read(standing_client, f"/{session}"))["stats"]["totalEvents"] == 2


async def test_a_session_whose_name_no_database_holds(standing_client: httpx.AsyncClient) -> None:
    session = f"a\0{new_id()}"
    await post(standing_client, "start", start(session))
    path = session.replace("\0", "%00")
    await post(standing_client, f"{path}/events", {"events": visit()})
    assert (await read(standing_client, f"/{path}"))["sessionId"] == session.replace("\0", "\ufffd")


@pytest.mark.parametrize("path", ["start", "x/events", "x/heartbeat", "x/end"])
async def test_a_browser_on_another_site_may_write(standing_client: httpx.AsyncClient, path: str) -> None:
    answer = await standing_client.options(f"{URL}/{path}", headers={"origin": "https://shop.example"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]


async def test_callers_without_a_key_are_told_so(standing_app: Litestar) -> None:
    async with local(standing_app, peer="203.0.113.9") as stranger:
        for path in ("x/events", "x/heartbeat", "x/end"):
            check(await stranger.post(f"{URL}/{path}", json={}), 401, "key")
        for path in ("", "/x", "/x/replay"):
            check(await stranger.get(f"{URL}{path}"), 401, "key")
        answer = await stranger.post(f"{URL}/start", json=start(new_id()))
        assert (answer.status_code, answer.json()["success"]) == (401, False)
