"""`uxcam`'s reads: a session with the batches that came in, before and after they were merged; projects."""

import gzip
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dialects.recorded import BASE, META, SNAPSHOT, Json, click, replay, session_text, visit
from tests.http.api import event, now, public_key, track
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services
from tracker_backend.recordings import source_batches
from tracker_backend.recordings.compaction import pack_before
from tracker_backend.zstd import compress

_ids = itertools.count(1)
_ROW = """
    insert into tracker.recordings (
        recording_id, project_id, session_id, timestamp, last_at, arrival, event_count, inflated_size,
        has_full_snapshot, client_first, client_last, batches, data
    ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"""


async def ingest(client: httpx.AsyncClient, session: str, events: list[Json], **more: Any) -> None:
    body = {"session_id": session, "snapshots": events, **more}
    answer = await client.post("/api/snapshots/ingest", json=body)
    assert answer.status_code == 200, answer.text


async def read(client: httpx.AsyncClient, session: str, project: str = "1") -> Json:
    answer = await client.get(f"/api/sessions/{project}/{session}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read_batches(client: httpx.AsyncClient, session: str) -> list[list[Json]]:
    return [it["snapshot_data"] for it in (await read(client, session))["snapshots"]]


async def pack(services: Services) -> None:
    """Merges what was recorded, as if all had been silent for long."""
    await pack_before(services.database.maintained, datetime.now(UTC) + timedelta(days=2))


async def rows_of(services: Services, session: UUID) -> list[Any]:
    return await services.pool.fetch(
        "select recording_id, batches from tracker.recordings where session_id = $1 order by client_first", session
    )


class Packed:
    """Puts merged rows into a session that is there."""

    def __init__(self, services: Services, project: int, session: UUID) -> None:
        self._pool = services.pool
        self._key = (project, session)

    async def replace(self, *rows: tuple[list[Json], list[Json], list[list[int]] | None]) -> None:
        """Each row's batches, events and runs."""
        await self._pool.execute("delete from tracker.recordings where session_id = $1", self._key[1])
        for batches, events, its_runs in rows:
            times = [it["timestamp"] * 1000 for it in events]
            texts = [json.dumps(it).encode() for it in events]
            identifier = next(_ids)
            index = batches if its_runs is None else {"batches": batches, "runs": its_runs}
            size = len(b",".join(texts))
            await self._pool.execute(
                _ROW,
                *(identifier, *self._key, times[0], times[-1], batches[0]["id"], len(events), size, False),
                *(times[0], times[-1], json.dumps(index).encode(), compress(b",".join(texts), 3)),
            )


class TestSession:
    async def test_the_golden_answer(self, own_client: httpx.AsyncClient, project: int) -> None:
        session = session_text()
        info = {"screen": {"width": 1920, "height": 1080}, "pixel_ratio": 1.5}
        started = now()
        await ingest(own_client, session, [META, SNAPSHOT], is_initial_snapshot=True, device_info=info)
        await ingest(own_client, session, [click(50), click(90)], is_initial_snapshot=False)
        await ingest(own_client, session, [click(120)])
        found = await read(own_client, session, str(project))
        assert found["session"] == {
            "id": str(uuid5(UUID(int=project), session)),
            "session_id": session,
            "start_time": datetime.fromtimestamp(BASE / 1000, UTC).isoformat().replace("+00:00", "Z"),
            "device_info": info,
        }
        assert [it.keys() for it in found["snapshots"]] == [
            {"id", "snapshot_data", "created_at", "is_initial_snapshot"}
        ] * 3
        batches = [it["snapshot_data"] for it in found["snapshots"]]
        assert batches == [[META, SNAPSHOT], [click(50), click(90)], [click(120)]]
        assert [it["is_initial_snapshot"] for it in found["snapshots"]] == [True, False, False]
        assert len({it["id"] for it in found["snapshots"]}) == 3
        for snapshot in found["snapshots"]:
            assert started <= datetime.fromisoformat(snapshot["created_at"]) <= now()

    async def test_it_is_found_by_each_name(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        session = session_text()
        await ingest(own_client, session, visit())
        public = await keys.public_key(standing_services.pool, project)
        answers = [
            await read(own_client, name, of)
            for name in (session, str(uuid5(UUID(int=project), session)))
            for of in (str(project), public)
        ]
        assert answers == answers[:1] * 4

    async def test_a_foreign_project_and_an_unknown_session_are_not_found(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        session = session_text()
        await ingest(own_client, session, visit())
        other = await make_project(standing_services.pool, "other")
        foreign = await keys.public_key(standing_services.pool, other)
        reading = await keys.create_key(standing_services.pool, project, "read")
        for of, name in ((str(other), session), (foreign, session), (reading, session), ("x", session)):
            answer = await own_client.get(f"/api/sessions/{of}/{name}")
            assert answer.status_code == 404
            assert answer.json() == {"success": False, "error": f"there is no project {of} for this caller."}
        answer = await own_client.get(f"/api/sessions/{project}/sess_unknown")
        assert answer.status_code == 404
        assert answer.json().keys() == {"success", "error"}

    async def test_a_write_key_does_not_read(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        own_client.headers["x-api-key"] = await keys.public_key(standing_services.pool, project)
        for path in (f"/api/sessions/{project}/x", "/api/projects"):
            answer = await own_client.get(path)
            assert answer.status_code == 403
            assert answer.json()["success"] is False

    async def test_batches_come_in_order_of_time_ties_in_order_of_arrival(
        self, standing_client: httpx.AsyncClient
    ) -> None:
        session = session_text()
        late, first, tie, again = [click(500)], [META, click(600)], [click(500), click(510)], [click(500), click(501)]
        for batch in (late, first, tie, again):
            await ingest(standing_client, session, batch)
        assert await read_batches(standing_client, session) == [first, late, tie, again]

    async def test_a_session_of_another_dialect_tells_what_is_known(self, standing_client: httpx.AsyncClient) -> None:
        session = str(uuid4())
        body = {"session_id": session, "events": visit()}
        assert (await standing_client.post("/api/v1/track/recording", json=body)).status_code == 201
        found = await read(standing_client, session)
        assert found["session"]["session_id"] == session
        assert found["session"]["device_info"]["user_agent"].startswith("python-httpx")
        assert [it["snapshot_data"] for it in found["snapshots"]] == [visit()]

    async def test_a_session_without_a_recording_has_no_snapshots(self, standing_client: httpx.AsyncClient) -> None:
        session = await track(standing_client, event())
        assert (await read(standing_client, session))["snapshots"] == []

    async def test_it_is_sent_as_gzip_to_who_accepts_it(self, standing_client: httpx.AsyncClient) -> None:
        session = session_text()
        await ingest(standing_client, session, visit())
        url = f"/api/sessions/1/{session}"
        async with standing_client.stream("GET", url, headers={"accept-encoding": "zstd, gzip"}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            packed = b"".join([part async for part in answer.aiter_raw()])
        assert json.loads(gzip.decompress(packed)) == await read(standing_client, session)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=5), min_size=1, max_size=8),
    st.sets(st.integers(0, 7)),
)
async def test_batches_are_the_same_whenever_they_are_merged(
    standing_client: httpx.AsyncClient,
    standing_services: Services,
    batches: list[list[int]],
    merges: set[int],
) -> None:
    session = session_text()
    sent: list[list[Json]] = []
    for number, times in enumerate(batches):
        events = [{**click(time), "batch": number, "position": it} for it, time in enumerate(times)]
        sent.append(sorted(events, key=lambda it: it["timestamp"]))
        await ingest(standing_client, session, events)
        if number in merges:
            await pack(standing_services)
    assert await read_batches(standing_client, session) == sorted(sent, key=lambda it: it[0]["timestamp"])


class TestMerged:
    async def test_batches_are_the_same_after_compaction(
        self, standing_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        session = session_text()
        await ingest(standing_client, session, [META, SNAPSHOT, click(100)], is_initial_snapshot=True)
        await ingest(standing_client, session, [click(50), click(150)])
        await ingest(standing_client, session, [click(2000)])
        before, whole = await read(standing_client, session), await replay(standing_client, session)
        await pack(standing_services)
        rows = await rows_of(standing_services, UUID(before["session"]["id"]))
        assert [b"runs" in bytes(row["batches"]) for row in rows] == [True]
        assert await read(standing_client, session) == before
        assert await replay(standing_client, session) == whole
        await ingest(standing_client, session, [click(60), click(1000)])
        after = await read(standing_client, session)
        assert [it["snapshot_data"] for it in after["snapshots"]] == [
            [META, SNAPSHOT, click(100)],
            [click(50), click(150)],
            [click(60), click(1000)],
            [click(2000)],
        ]

    async def test_a_batch_is_gathered_from_several_rows(
        self, standing_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        session = uuid4()
        events = [{**click(time), "number": time} for time in range(12)]
        await ingest(standing_client, str(session), events)
        one = {"id": 101, "at": BASE, "events": 6, "initial": True}
        two = {"id": 102, "at": BASE + 1, "events": 5}
        three = {"id": 103, "at": BASE + 2, "events": 1, "initial": False}
        await Packed(standing_services, 1, session).replace(
            ([one, two], events[:4], [[0, 1], [1, 2], [0, 1]]),
            ([two, one], events[4:8], [[1, 2], [0, 2]]),
            ([three], events[8:9], None),
            ([one, two], events[9:], [[0, 2], [1, 1]]),
        )
        found = (await read(standing_client, str(session)))["snapshots"]
        assert [[it["number"] for it in snapshot["snapshot_data"]] for snapshot in found] == [
            [0, 3, 4, 5, 9, 10],
            [1, 2, 6, 7, 11],
            [8],
        ]
        assert [it["id"] for it in found] == [101, 102, 103]
        assert [it["is_initial_snapshot"] for it in found] == [True, False, False]
        assert [datetime.fromisoformat(it["created_at"]).timestamp() * 1000 for it in found] == pytest.approx(
            [BASE, BASE + 1, BASE + 2]
        )

    async def test_rows_that_retention_took_leave_the_rest_of_a_batch(
        self, standing_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        session = uuid4()
        await ingest(standing_client, str(session), [click(0), click(9)])
        one = {"id": 101, "at": BASE, "events": 5}
        await Packed(standing_services, 1, session).replace(([one], [click(0), click(1)], [[0, 2]]))
        assert await read_batches(standing_client, str(session)) == [[click(0), click(1)]]

    async def test_rows_that_are_merged_meanwhile_are_read_on_in_the_new_ones(
        self, standing_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        session = session_text()
        for number in range(4):
            await ingest(standing_client, session, [click(number * 1000)])
        key = uuid5(UUID(int=1), session)
        found = source_batches.snapshots(standing_services.pool, 1, key)
        got = [await anext(found)]
        await pack(standing_services)
        got += [snapshot async for snapshot in found]
        assert [json.loads(it.events[0]) for it in got] == [click(number * 1000) for number in range(4)]


class TestProjects:
    async def test_the_golden_answer(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        for kind in ("read", "admin"):
            own_client.headers["x-api-key"] = await keys.create_key(standing_services.pool, project, kind)
            answer = await own_client.get("/api/projects")
            assert answer.status_code == 200
            public = await keys.public_key(standing_services.pool, project)
            line = {"id": str(project), "name": "test", "sdk_key": public, "platform": "web"}
            assert answer.json() == {"projects": [line]}

    async def test_a_local_caller_sees_the_default_project(
        self, standing_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        (line,) = (await standing_client.get("/api/projects")).json()["projects"]
        assert line["sdk_key"] == await public_key(standing_services)

    async def test_a_remote_caller_needs_a_key(self, standing_client: httpx.AsyncClient) -> None:
        for path in ("/api/projects", "/api/sessions/1/x"):
            answer = await standing_client.get(path, headers={"host": "tracker.example"})
            assert answer.status_code == 401
            assert answer.json()["success"] is False
