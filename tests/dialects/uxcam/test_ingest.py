"""`uxcam`'s writes: golden requests and answers, what is stored of them, and what is refused."""

import gzip
import json
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx
import pytest
from litestar import Litestar

from tests.dialects.recorded import BASE, META, SNAPSHOT, Json, click, replay, session_text, visit
from tests.http.api import get, local, row_counts
from tests.lzstring import lz
from tests.unit.browser_packers import LZ, Packers, needs_packers
from tracker_backend.accounts import keys
from tracker_backend.dialects.uxcam.device import device_fields
from tracker_backend.http.services import Services
from tracker_backend.ingest.agent import AGENT_LENGTH

SNAPSHOTS, EVENTS = "/api/snapshots/ingest", "/api/events/ingest"
MIB = 1024 * 1024


def snapshots(events: Any = None, **more: Any) -> Json:
    return {"session_id": session_text(), "snapshots": visit() if events is None else events, **more}


def events(*sent: Any, **more: Any) -> Json:
    one = {"type": "add_to_cart", "timestamp": BASE + 5, "data": {"product": 17}}
    return {"session_id": session_text(), "events": list(sent) or [one], **more}


def check_error(answer: httpx.Response, status: int, *tells: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"success", "error"}
    assert answer.json()["success"] is False
    for text in tells:
        assert text in answer.json()["error"]
    if answer.request.method == "POST":
        assert answer.headers["access-control-allow-origin"] == "*"


def bomb() -> str:
    """LZ-String of a JSON text of some 50 MB in a few kilobytes: each code brings a longer repeat."""
    # `["` as literals, then again and again the entry that is about to be made: it grows by one unit each time.
    return lz(["[", '"', *range(6, 10_000)])


class TestSnapshots:
    async def test_the_golden_request_is_answered_and_stored(
        self, own_client: httpx.AsyncClient, standing_app: Litestar, standing_services: Services, project: int
    ) -> None:
        key = await keys.public_key(standing_services.pool, project)
        session = session_text()
        body = {
            "sdk_key": key,
            "session_id": session,
            "snapshots": json.dumps(visit()),
            "snapshot_count": 3,
            "is_initial_snapshot": True,
            "device_info": {
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
                "screen": {"width": 1920, "height": 1080},
                "viewport": "800x600",
                "language": "en-GB",
                "memory": 8,
            },
        }
        async with local(standing_app, host="tracker.example", peer="192.0.2.7") as browser:
            answer = await browser.post(SNAPSHOTS, json=body)
        assert answer.status_code == 200, answer.text
        stored = str(uuid5(UUID(int=project), session))
        assert answer.json() == {"success": True, "snapshot_count": 3, "session_id": stored}
        assert answer.headers["access-control-allow-origin"] == "*"
        found = await get(own_client, f"/sessions/{session}")
        assert found["session_id"] == stored
        assert found["client_session_id"] == session
        assert found["metadata"] == {"device_info": body["device_info"]}
        columns = {name: found[name] for name in ("browser", "os", "device_type", "language", "page_url")}
        assert columns == {
            "browser": "Firefox",
            "os": "Linux",
            "device_type": "desktop",
            "language": "en-GB",
            "page_url": "https://shop.example/cart",
        }
        sizes = [found[f"{what}_{side}"] for what in ("screen", "viewport") for side in ("width", "height")]
        assert sizes == [1920, 1080, 800, 600]
        assert (found["click_count"], found["recorded_event_count"]) == (1, 3)
        assert await replay(own_client, session) == visit()

    async def test_an_array_is_stored_like_a_text(self, standing_client: httpx.AsyncClient) -> None:
        body = snapshots()
        answer = await standing_client.post(SNAPSHOTS, json=body)
        assert answer.json()["snapshot_count"] == 3
        assert await replay(standing_client, body["session_id"]) == visit()

    async def test_the_body_may_be_a_beacon_and_gzip(self, standing_client: httpx.AsyncClient) -> None:
        body = snapshots()
        content = gzip.compress(json.dumps(body).encode())
        answer = await standing_client.post(SNAPSHOTS, content=content, headers={"content-type": "text/plain"})
        assert answer.status_code == 200
        assert await replay(standing_client, body["session_id"]) == visit()

    @pytest.mark.parametrize("count", [0, -1, 17, 10**30, "many", None, {"a": 1}])
    async def test_a_wrong_count_is_answered_with_the_decoded_one(
        self, standing_client: httpx.AsyncClient, count: Any
    ) -> None:
        answer = await standing_client.post(SNAPSHOTS, json=snapshots(snapshot_count=count))
        assert answer.status_code == 200
        assert answer.json()["snapshot_count"] == 3

    async def test_a_batch_that_is_sent_again_is_stored_once_in_whatever_form(
        self, standing_client: httpx.AsyncClient
    ) -> None:
        body = snapshots(batch_id=None)
        as_text = {**body, "snapshots": json.dumps(visit(), separators=(",", ":"))}
        for again in (body, body, as_text):
            answer = await standing_client.post(SNAPSHOTS, json=again)
            assert answer.json()["snapshot_count"] == 3
        assert (await get(standing_client, f"/sessions/{body['session_id']}"))["recorded_event_count"] == 3

    async def test_unknown_fields_are_kept_with_the_session(self, standing_client: httpx.AsyncClient) -> None:
        body = snapshots(app_version="1.2.3", device_info="a text")
        assert (await standing_client.post(SNAPSHOTS, json=body)).status_code == 200
        found = await get(standing_client, f"/sessions/{body['session_id']}")
        assert found["metadata"] == {"app_version": "1.2.3", "device_info": "a text"}

    async def test_a_session_named_by_a_uuid_keeps_it(self, standing_client: httpx.AsyncClient) -> None:
        session = str(uuid4())
        answer = await standing_client.post(SNAPSHOTS, json=snapshots() | {"session_id": session})
        assert answer.json()["session_id"] == session

    @pytest.mark.parametrize(
        ("change", "status", "tells"),
        [
            ({"snapshots": "no LZ-String"}, 422, "LZ-String"),
            ({"snapshots": ""}, 422, "LZ-String"),
            ({"snapshots": "NobwRALgngDgpmAXAFgDRgCYEMJaeACw"}, 422, "LZ-String"),
            ({"snapshots": "[1"}, 422, "JSON"),
            ({"snapshots": "{}"}, 422, "array"),
            ({"snapshots": {}}, 422, "array"),
            ({"snapshots": 7}, 422, "array"),
            ({"snapshots": None}, 422, "array"),
            ({"snapshots": []}, 422, "`snapshots` is empty"),
            ({"snapshots": [META, 1]}, 422, "$.snapshots[1]"),
            ({"snapshots": [META, {"type": 3}]}, 422, "$.snapshots[1]"),
            ({"snapshots": [{**META, "timestamp": "soon"}]}, 422, "soon"),
            ({"session_id": ""}, 422, "session_id"),
            ({"session_id": "x" * 201}, 422, "session_id"),
            ({"sdk_key": 5}, 401, "not known"),
            ({"sdk_key": "tb_w_unknown"}, 401, "not known"),
            ({"device_info": {"text": "x" * 70_000}}, 422, "device_info"),
        ],
    )
    async def test_what_does_not_fit_is_refused_and_changes_nothing(
        self,
        own_client: httpx.AsyncClient,
        standing_services: Services,
        change: Json,
        status: int,
        tells: str,
    ) -> None:
        if "sdk_key" in change:
            del own_client.headers["x-api-key"]
        before = await row_counts(standing_services.pool)
        answer = await own_client.post(SNAPSHOTS, json=snapshots() | change)
        check_error(answer, status, tells)
        assert await row_counts(standing_services.pool) == before

    @pytest.mark.parametrize("name", ["session_id", "snapshots"])
    async def test_a_missing_field_is_named(self, standing_client: httpx.AsyncClient, name: str) -> None:
        body = snapshots()
        del body[name]
        check_error(await standing_client.post(SNAPSHOTS, json=body), 422, name)

    async def test_large_snapshots(self, standing_client: httpx.AsyncClient) -> None:
        big = [{"type": 2, "data": {"node": "x" * (10 * MIB)}, "timestamp": BASE}]
        for sent in (big, json.dumps(big)):
            body = snapshots(sent)
            answer = await standing_client.post(SNAPSHOTS, json=body)
            assert answer.status_code == 200, answer.text
            assert await replay(standing_client, body["session_id"]) == big
        bigger = [{"type": 2, "data": {"node": "x" * 11_000_000}, "timestamp": BASE}]
        for sent in (bigger, json.dumps(bigger)):
            check_error(await standing_client.post(SNAPSHOTS, json=snapshots(sent)), 413)

    async def test_a_bomb_is_refused(self, standing_client: httpx.AsyncClient) -> None:
        check_error(await standing_client.post(SNAPSHOTS, json=snapshots(bomb())), 413, "decompresses")

    async def test_a_secret_key_in_the_body_is_refused(
        self, standing_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        for kind in ("read", "admin"):
            key = await keys.create_key(standing_services.pool, project, kind)
            check_error(await standing_client.post(SNAPSHOTS, json=snapshots(sdk_key=key)), 401, "write key")

    async def test_a_remote_caller_needs_a_key(self, standing_client: httpx.AsyncClient) -> None:
        remote = {"host": "tracker.example"}
        for path, body in ((SNAPSHOTS, snapshots()), (EVENTS, events())):
            check_error(await standing_client.post(path, json=body, headers=remote), 401)


class TestOfTheLibrary:
    pytestmark = needs_packers

    @pytest.mark.parametrize("encoding", LZ)
    @pytest.mark.parametrize("size", [1, 3_000], ids=["small", "in the process"])
    async def test_what_the_library_compressed_is_stored(
        self, standing_client: httpx.AsyncClient, packers: Packers, encoding: str, size: int
    ) -> None:
        texts: Json = {
            "type": 5,
            "timestamp": BASE + 9,
            "data": {"tag": "t", "payload": "héllo \U0001f600 \u3042" * 20},
        }
        sent = [META, SNAPSHOT, texts, *(click(100 + it * 7919 % 100_000) for it in range(size))]
        sent.sort(key=lambda it: it["timestamp"])
        body = json.loads(packers.pack(json.dumps(sent, ensure_ascii=False))[encoding])
        session = session_text()
        # ASCII escapes are what a browser sends of lone surrogates, and bytes of every other character.
        content = json.dumps({"session_id": session, "snapshots": body["snapshots"], "snapshot_count": 1})
        answer = await standing_client.post(SNAPSHOTS, content=content)
        assert answer.status_code == 200, answer.text
        assert answer.json()["snapshot_count"] == len(sent)
        assert await replay(standing_client, session) == sent


class TestEvents:
    async def test_the_golden_request_is_answered_and_stored(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        body = events(
            {"type": "add_to_cart", "timestamp": BASE + 5, "data": {"product": 17}, "screen": "cart"},
            {"type": "click", "timestamp": "2999-01-01T00:00:00Z", "data": ["any", "JSON"]},
            {"type": "pageview", "timestamp": (BASE + 7) / 1000, "page_url": "https://shop.example/pay?x=1"},
        )
        key = await keys.public_key(standing_services.pool, project)
        reading = own_client.headers.pop("x-api-key")
        answer = await own_client.post(EVENTS, json={**body, "sdk_key": key})
        own_client.headers["x-api-key"] = reading
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"success": True, "events_processed": 3}
        found = (await get(own_client, f"/sessions/{body['session_id']}/events"))["data"]
        assert {it["source"] for it in found} == {"uxcam"}
        by_type = {it["event_type"]: it for it in found}
        assert by_type["add_to_cart"]["event_data"] == {"product": 17, "screen": "cart"}
        assert by_type["click"]["event_data"]["$value"] == ["any", "JSON"]
        assert by_type["pageview"]["page_path"] == "/pay"
        session = await get(own_client, f"/sessions/{body['session_id']}")
        assert (session["event_count"], session["click_count"], session["page_count"]) == (3, 1, 1)

    async def test_events_without_a_page_are_on_that_of_the_session(self, standing_client: httpx.AsyncClient) -> None:
        body = events()
        session = body["session_id"]
        await standing_client.post(SNAPSHOTS, json=snapshots() | {"session_id": session})
        assert (await standing_client.post(EVENTS, json=body)).status_code == 200
        found = (await get(standing_client, f"/sessions/{session}/events", event_type="add_to_cart"))["data"]
        assert [it["page_path"] for it in found] == ["/cart"]

    async def test_a_batch_that_is_sent_again_is_stored_once(self, standing_client: httpx.AsyncClient) -> None:
        body = events()
        for _ in range(3):
            answer = await standing_client.post(EVENTS, json=body)
            assert answer.json() == {"success": True, "events_processed": 1}
        assert (await get(standing_client, f"/sessions/{body['session_id']}"))["event_count"] == 1

    @pytest.mark.parametrize(
        ("change", "status", "tells"),
        [
            ({"events": []}, 422, "events"),
            ({"events": {}}, 422, "events"),
            ({"events": [1]}, 422, "$.events[0]"),
            ({"events": [{"type": "a"}]}, 422, "timestamp"),
            ({"events": [{"timestamp": BASE}]}, 422, "$.events[0]"),
            ({"events": [{"timestamp": BASE, "type": ""}]}, 422, "$.events[0].type"),
            ({"events": [{"timestamp": "soon", "type": "a"}]}, 422, "$.events[0].timestamp"),
            ({"events": [{"timestamp": BASE, "type": "a"}] * 10_001}, 422, "10000"),
            ({"events": [{"timestamp": BASE, "type": "a", **{f"f{it}": 1 for it in range(200)}}]}, 422, "202 fields"),
            ({"session_id": ""}, 422, "session_id"),
            ({"sdk_key": "tb_w_unknown"}, 401, "not known"),
        ],
    )
    async def test_what_does_not_fit_is_refused_and_changes_nothing(
        self, standing_client: httpx.AsyncClient, change: Json, status: int, tells: str
    ) -> None:
        body = events()
        check_error(await standing_client.post(EVENTS, json=body | change), status, tells)
        assert (await standing_client.get(f"/api/v1/sessions/{body['session_id']}")).status_code == 404


@pytest.mark.parametrize("path", [SNAPSHOTS, EVENTS])
async def test_what_is_no_json_is_malformed(standing_client: httpx.AsyncClient, path: str) -> None:
    for content in (b"", b"{", b"\xff\xfe", b'{"session_id":"a","snapshots":"\x01"}', b"[" * 100_000):
        answer = await standing_client.post(path, content=content)
        assert answer.status_code in (400, 422)
        check_error(answer, answer.status_code)
    assert (await standing_client.post(path, content=b"{")).status_code == 400


async def test_bytes_that_are_no_utf_8_inside_a_text_are_refused(standing_client: httpx.AsyncClient) -> None:
    content = b'{"session_id":"a","snapshots":"\xf0\x9f\x98"}'
    check_error(await standing_client.post(SNAPSHOTS, content=content), 422)


@pytest.mark.parametrize("path", [SNAPSHOTS, EVENTS])
async def test_a_preflight_is_answered(standing_client: httpx.AsyncClient, path: str) -> None:
    answer = await standing_client.options(path, headers={"origin": "https://shop.example"})
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("info", "columns"),
    [
        (None, {}),
        ([1], {}),
        ({"screen_width": 10, "screen_height": 20.4}, {"screen_width": 10, "screen_height": 20}),
        ({"screenWidth": 10, "viewportHeight": -1}, {"screen_width": 10}),
        ({"screen_resolution": "1920x1080"}, {"screen_width": 1920, "screen_height": 1080}),
        ({"screen": {"width": True, "height": 1e300}}, {}),
        ({"browser": {"name": "Firefox"}, "os": "Linux", "device": "MOBILE"},
         {"browser": "Firefox", "os": "Linux", "device_type": "mobile"}),
        ({"device_type": "watch", "url": 7, "user_agent": "x" * 5000}, {"user_agent": "x" * AGENT_LENGTH}),
    ],
)  # fmt: skip
def test_what_a_device_tells_fills_columns(info: Any, columns: Json) -> None:
    fields = device_fields(info)
    told = {name: value for name in fields.__struct_fields__ if (value := getattr(fields, name)) is not None}
    assert told == columns
