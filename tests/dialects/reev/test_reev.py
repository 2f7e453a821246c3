"""`reev`: golden requests and answers, what is refused, and one session read through every dialect."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from litestar import Litestar

from tests.dialects.recorded import BASE, META, SNAPSHOT, Json, click, replay, visit
from tests.http.api import get, local, public_key, row_counts
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services
from tracker_backend.recordings.compaction import pack_before

MIB = 1024 * 1024
_SESSION = """
    insert into tracker.sessions (project_id, session_id, started_at, last_activity_at, first_at, last_at)
    values ($1, $2, $3, $3, $3, $3::timestamptz + $4 * interval '1 second')"""


def body(events: Any = None, **more: Any) -> Json:
    sent = visit() if events is None else events
    return {"sessionId": str(uuid4()), "projectId": "1", "events": sent, **more}


async def send(client: httpx.AsyncClient, sent: Json) -> str:
    answer = await client.post("/events", json=sent)
    assert answer.status_code == 204, answer.text
    assert answer.content == b""
    return sent["sessionId"]


async def events_of(client: httpx.AsyncClient, session: str) -> list[Json]:
    answer = await client.get(f"/api/sessions/{session}/events")
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"events"}
    return answer.json()["events"]


def check_error(answer: httpx.Response, status: int, *tells: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    for text in tells:
        assert text in answer.json()["error"]
    if answer.request.method == "POST":
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.fixture
async def browser(standing_app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor's browser, somewhere else."""
    async with local(standing_app, host="tracker.example", peer="192.0.2.7") as client:
        yield client


@pytest.fixture
async def public(standing_services: Services, project: int) -> str:
    """The public write key of the test's own project."""
    return await keys.public_key(standing_services.pool, project)


class TestWriting:
    async def test_the_golden_request_is_stored(
        self, browser: httpx.AsyncClient, own_client: httpx.AsyncClient, public: str
    ) -> None:
        session = await send(browser, body(projectId=public, pageUrl="https://shop.example/", release="1.2"))
        assert await replay(own_client, session) == visit()
        found = await get(own_client, f"/sessions/{session}")
        assert (found["page_url"], found["click_count"]) == ("https://shop.example/", 1)
        assert found["metadata"] == {"pageUrl": "https://shop.example/", "release": "1.2"}

    async def test_a_beacon_of_text_or_gzip_is_stored(
        self, browser: httpx.AsyncClient, own_client: httpx.AsyncClient, public: str
    ) -> None:
        for pack in (bytes, gzip.compress):
            sent = body(projectId=public)
            content = pack(json.dumps(sent).encode())
            answer = await browser.post("/events", content=content, headers={"content-type": "text/plain"})
            assert answer.status_code == 204
            assert await replay(own_client, sent["sessionId"]) == visit()

    async def test_more_than_fifty_events_are_fine(self, standing_client: httpx.AsyncClient) -> None:
        sent = [META, SNAPSHOT, *(click(10 * number) for number in range(1, 500))]
        assert await replay(standing_client, await send(standing_client, body(sent))) == sent

    async def test_a_batch_that_is_sent_again_is_stored_once(self, standing_client: httpx.AsyncClient) -> None:
        sent = body()
        for _ in range(3):
            await send(standing_client, sent)
        assert (await get(standing_client, f"/sessions/{sent['sessionId']}"))["recorded_event_count"] == 3

    async def test_a_local_caller_names_the_default_project(
        self, standing_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        for project in ("1", await public_key(standing_services)):
            await send(standing_client, body(projectId=project))

    async def test_a_key_in_a_header_may_name_its_own_project_only(
        self, browser: httpx.AsyncClient, standing_services: Services, project: int, public: str
    ) -> None:
        browser.headers["x-api-key"] = await keys.create_key(standing_services.pool, project, "write")
        for name in (str(project), public):
            await send(browser, body(projectId=name))
        for name in ("1", await public_key(standing_services), "unknown"):
            check_error(await browser.post("/events", json=body(projectId=name)), 404, name)

    async def test_an_unknown_project_is_not_found(
        self,
        browser: httpx.AsyncClient,
        standing_client: httpx.AsyncClient,
        standing_services: Services,
        project: int,
    ) -> None:
        secret = await keys.create_key(standing_services.pool, project, "read")
        before = await row_counts(standing_services.pool)
        for name in ("abc123", "tb_w_unknown", secret, str(project), "1"):
            check_error(await browser.post("/events", json=body(projectId=name)), 404, name)
        for name in ("abc123", secret, str(project), "01"):
            check_error(await standing_client.post("/events", json=body(projectId=name)), 404, name)
        assert await row_counts(standing_services.pool) == before

    async def test_an_unknown_key_in_a_header_is_401(self, standing_client: httpx.AsyncClient) -> None:
        check_error(await standing_client.post("/events", json=body(), headers={"x-api-key": "tb_w_no"}), 401)

    @pytest.mark.parametrize(
        ("change", "tells"),
        [
            ({"sessionId": "sess_1"}, "sessionId"),
            ({"sessionId": "x" * 36}, "UUID"),
            ({"sessionId": 1}, "sessionId"),
            ({"projectId": ""}, "projectId"),
            ({"events": []}, "events"),
            ({"events": {}}, "events"),
            ({"events": None}, "events"),
            ({"events": [META, 1]}, "$.events[1]"),
            ({"events": [{"type": 3}]}, "$.events[0]"),
            ({"events": [{"timestamp": "soon"}]}, "soon"),
        ],
    )
    async def test_what_does_not_fit_is_refused_and_changes_nothing(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int, change: Json, tells: str
    ) -> None:
        before = await row_counts(standing_services.pool)
        answer = await own_client.post("/events", json=body(projectId=str(project)) | change)
        check_error(answer, 422, tells)
        assert await row_counts(standing_services.pool) == before

    @pytest.mark.parametrize("name", ["sessionId", "projectId", "events"])
    async def test_a_missing_field_is_named(self, standing_client: httpx.AsyncClient, name: str) -> None:
        sent = body()
        del sent[name]
        check_error(await standing_client.post("/events", json=sent), 422, name)

    async def test_what_is_no_json_is_malformed(self, standing_client: httpx.AsyncClient) -> None:
        for content in (b"", b"{", b"events"):
            check_error(await standing_client.post("/events", content=content), 400, "JSON")

    async def test_large_batches(self, standing_client: httpx.AsyncClient) -> None:
        big = [{"type": 2, "data": {"node": "x" * (10 * MIB)}, "timestamp": BASE}]
        session = await send(standing_client, body(big))
        assert await events_of(standing_client, session) == [{**big[0], "timestamp": 0}]
        bigger = [{"type": 2, "data": {"node": "x" * 11_000_000}, "timestamp": BASE}]
        check_error(await standing_client.post("/events", json=body(bigger)), 413)
        bomb = gzip.compress(b'{"events":[' + b" " * (100 * MIB))
        check_error(await standing_client.post("/events", content=bomb), 413)

    async def test_a_preflight_is_answered(self, browser: httpx.AsyncClient) -> None:
        answer = await browser.options("/events", headers={"origin": "https://shop.example"})
        assert answer.status_code == 204
        assert "POST" in answer.headers["access-control-allow-methods"]


class TestReading:
    async def test_times_count_from_the_begin_of_the_session(self, standing_client: httpx.AsyncClient) -> None:
        odd = {**click(70), "timestamp": BASE + 70.25, "delay": 3, "extra": {"a": [1e3, 12345678901234567890]}}
        session = await send(standing_client, body([META, SNAPSHOT, odd]))
        await send(standing_client, body([click(50)]) | {"sessionId": session})
        assert await events_of(standing_client, session) == [
            {**META, "timestamp": 0},
            {**SNAPSHOT, "timestamp": 1},
            {**click(50), "timestamp": 50},
            {**odd, "timestamp": 70.25},
        ]

    async def test_a_session_that_began_before_its_recording_counts_from_there(
        self, standing_client: httpx.AsyncClient
    ) -> None:
        session = str(uuid4())
        event = {"timestamp": BASE - 4000, "event_type": "login", "page_url": "https://shop.example/"}
        native = {"session_id": session, "events": [event]}
        assert (await standing_client.post("/api/v1/track", json=native)).status_code == 201
        await send(standing_client, body() | {"sessionId": session})
        assert [it["timestamp"] for it in await events_of(standing_client, session)] == [4000, 4001, 4050]

    @pytest.mark.parametrize("days", [-4000, -1, 0.5, 4000])
    async def test_a_wrong_clock_changes_no_time(self, standing_client: httpx.AsyncClient, days: float) -> None:
        shift = round(days * 86_400_000)
        sent = [{**it, "timestamp": it["timestamp"] + shift} for it in visit()]
        session = await send(standing_client, body(sent))
        assert [it["timestamp"] for it in await events_of(standing_client, session)] == [0, 1, 50]
        later = [{**click(90), "timestamp": BASE + 90 + shift}]
        await send(standing_client, body(later) | {"sessionId": session})
        assert [it["timestamp"] for it in await events_of(standing_client, session)] == [0, 1, 50, 90]

    async def test_times_are_the_same_after_compaction(
        self, standing_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        session = await send(standing_client, body())
        await send(standing_client, body([click(20), click(4000)]) | {"sessionId": session})
        before = await events_of(standing_client, session)
        await pack_before(standing_services.database.maintained, datetime.now(UTC) + timedelta(days=2))
        assert await events_of(standing_client, session) == before

    async def test_a_session_without_a_recording_has_no_events(self, standing_client: httpx.AsyncClient) -> None:
        started = await standing_client.post("/api/v1/sessions", json={"page_url": "https://shop.example/"})
        assert await events_of(standing_client, started.json()["session_id"]) == []

    async def test_an_unknown_session_is_not_found(self, standing_client: httpx.AsyncClient) -> None:
        check_error(await standing_client.get(f"/api/sessions/{uuid4()}/events"), 404)

    async def test_it_is_sent_as_gzip_to_who_accepts_it(self, standing_client: httpx.AsyncClient) -> None:
        session = await send(standing_client, body())
        answer = await standing_client.get(f"/api/sessions/{session}/events", headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert len(answer.json()["events"]) == 3

    async def test_a_remote_caller_needs_a_key(self, browser: httpx.AsyncClient, public: str) -> None:
        for path in (f"/api/sessions/{uuid4()}/events", "/api/stats/today"):
            check_error(await browser.get(path), 401)
            check_error(await browser.get(path, headers={"x-api-key": public}), 403)


class TestToday:
    async def test_the_golden_answer(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        assert (await own_client.get("/api/stats/today")).json() == {"totalSessions": 0, "avgDuration": 0}
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for begin, seconds in ((midnight, 10), (midnight + timedelta(hours=23), 21.5), (midnight, 0)):
            await standing_services.pool.execute(_SESSION, project, uuid4(), begin, seconds)
        for begin in (midnight - timedelta(seconds=1), midnight + timedelta(days=1)):
            await standing_services.pool.execute(_SESSION, project, uuid4(), begin, 1000.0)
        answer = await own_client.get("/api/stats/today")
        assert answer.status_code == 200
        assert answer.json() == {"totalSessions": 3, "avgDuration": 10.5}

    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
    async def test_the_day_is_that_of_a_zone(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int, zone: str
    ) -> None:
        midnight = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        for begin in (midnight, midnight - timedelta(seconds=1)):
            await standing_services.pool.execute(_SESSION, project, uuid4(), begin, 10.0)
        answer = await own_client.get("/api/stats/today", params={"tz": zone})
        assert answer.json() == {"totalSessions": 1, "avgDuration": 10}
        await standing_services.pool.execute(
            "update tracker.projects set timezone = $2 where project_id = $1", project, zone
        )
        assert (await own_client.get("/api/stats/today")).json() == answer.json()

    @pytest.mark.parametrize("zone", ["Nowhere/Land", "x y", "+02:00", "a" * 500])
    async def test_an_unknown_zone_is_refused(self, own_client: httpx.AsyncClient, zone: str) -> None:
        check_error(await own_client.get("/api/stats/today", params={"tz": zone}), 422, "tz")


async def test_one_session_is_written_and_read_in_three_dialects(standing_client: httpx.AsyncClient) -> None:
    session = await send(standing_client, body([META, SNAPSHOT]))
    uxcam = {"session_id": session, "snapshots": json.dumps([click(50)])}
    assert (await standing_client.post("/api/snapshots/ingest", json=uxcam)).status_code == 200
    native = {"session_id": session, "events": [click(90)]}
    assert (await standing_client.post("/api/v1/track/recording", json=native)).status_code == 201
    everything = [META, SNAPSHOT, click(50), click(90)]
    assert await replay(standing_client, session) == everything
    assert await events_of(standing_client, session) == [
        {**it, "timestamp": it["timestamp"] - BASE} for it in everything
    ]
    found = (await standing_client.get(f"/api/sessions/1/{UUID(session)}")).json()
    assert [it["snapshot_data"] for it in found["snapshots"]] == [[META, SNAPSHOT], [click(50)], [click(90)]]
