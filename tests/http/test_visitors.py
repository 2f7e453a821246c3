"""Export and erasure of a visitor by the API: receipts, the later proof, and what is dropped afterwards."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from tests.conformance.hourly import until
from tests.http.api import API, Json, batch, check_problem, event, get, local, new_session, rows_of, track
from tests.http.test_recordings import BASE, META, SNAPSHOT, click, send
from tests.http.test_screenshots import picture, shot, upload
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.http import visitors as http
from tracker_backend.http.services import Services
from tracker_backend.importing.run import import_files
from tracker_backend.privacy import erasures


async def start(client: httpx.AsyncClient, user: str, session: str | None = None) -> str:
    """A session with rows of all kinds."""
    made = session or new_session()
    begun: Json = {"session_id": made, "page_url": "https://shop.example/", "user_id": user}
    assert (await client.post(f"{API}/sessions", json=begun)).status_code == 201
    await track(client, event(event_data={"of": user}), event(event_type="error"), session_id=made)
    await send(client, made, [META, SNAPSHOT, click(BASE + 2)])
    await upload(client, shot(picture("PNG", colour="red"), "png", session_id=made))
    return made


async def erase(client: httpx.AsyncClient, status: int = 200, **wanted: str) -> Json:
    """The receipt of an erasure."""
    answer = await client.post(f"{API}/erasures", json=wanted)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_an_erased_visitor_is_gone_with_a_receipt_and_stays_away(
    own_client: httpx.AsyncClient, standing_services: Services
) -> None:
    user = f"ann@shop.example/{uuid4()}"
    gone, kept = [await start(own_client, user) for _ in range(3)], await start(own_client, "somebody else")
    before, detail = await rows_of(standing_services.pool, kept), await get(own_client, f"/sessions/{kept}")

    receipt = await erase(own_client, user_id=user)

    requested, finished = (datetime.fromisoformat(receipt[name]) for name in ("requested_at", "finished_at"))
    assert finished >= requested
    assert (receipt["subject"], receipt["actor"][:7]) == ("user", "key tb_")
    assert {name: receipt["removed"][name] for name in ("sessions", "recordings", "screenshots")} == {
        "sessions": 3,
        "recordings": 3,
        "screenshots": 3,
    }
    assert user not in json.dumps(receipt)
    for session in gone:
        assert set((await rows_of(standing_services.pool, session)).values()) == {0}
        check_problem(await own_client.get(f"{API}/sessions/{session}"), 404, "not-found", session)
    assert await rows_of(standing_services.pool, kept) == before
    assert await get(own_client, f"/sessions/{kept}") == detail
    assert (await get(own_client, "/sessions"))["total"] == 1

    # An offline queue comes back: with the session's id alone, and in a new session.
    again = await own_client.post(f"{API}/track", json=batch(session_id=gone[0]))
    begun: Json = {"page_url": "https://shop.example/", "user_id": user}
    anew = await own_client.post(f"{API}/sessions", json=begun)
    for answer in (again, anew):
        assert answer.is_success
        assert answer.headers["x-tracker-dropped"] == "erased"
    assert (await get(own_client, "/sessions"))["total"] == 1

    found = await own_client.get(f"{API}/erasures/{receipt['erasure_id']}")
    assert found.json() == receipt
    assert (await own_client.get(f"{API}/erasures")).json() == [receipt]
    path = f"{API}/erasures/{receipt['erasure_id']}/check"
    checked = (await own_client.post(path, json={"user_id": user})).json()
    assert checked["is_clean"]
    assert set(checked["left"]) >= {"sessions", "events", "recordings", "screenshots", "ingest_batches"}
    assert set(checked["left"].values()) == {0}
    check_problem(await own_client.post(path, json={"user_id": "ann"}), 422, "invalid", "not of this user")


async def test_a_session_is_erased_by_the_name_that_its_client_gave_it(
    own_client: httpx.AsyncClient, standing_services: Services
) -> None:
    name = f"visit {uuid4()}"
    assert (await own_client.post("/api/sessions/start", json={"sessionId": name})).is_success
    receipt = await erase(own_client, session_id=name)
    assert receipt["removed"]["sessions"] == 1
    answer = await own_client.post(f"{API}/erasures/{receipt['erasure_id']}/check", json={"session_id": name})
    assert answer.json()["is_clean"]
    assert (await get(own_client, "/sessions"))["total"] == 0
    assert (
        await standing_services.pool.fetchval("select subject_id from tracker.erasures where subject_id = $1", name)
        is None
    )


@pytest.mark.parametrize(
    ("sent", "tells"),
    [
        ({}, "one of them"),
        ({"user_id": "a", "session_id": "b"}, "one of them"),
        ({"user_id": ""}, "user_id"),
        ({"user": "a"}, "user"),
        ({"session_id": "x" * 201}, "201 characters"),
    ],
)
async def test_who_is_meant_must_be_told(own_client: httpx.AsyncClient, sent: Json, tells: str) -> None:
    check_problem(await own_client.post(f"{API}/erasures", json=sent), 422, "invalid", tells)
    assert (await own_client.get(f"{API}/erasures")).json() == []


async def test_only_admins_of_the_project_may_and_no_other_project_is_touched(
    own_client: httpx.AsyncClient, standing_services: Services, standing_app: Litestar, project: int
) -> None:
    user = f"{uuid4()}"
    session = await start(own_client, user)
    other = await make_project(standing_services.pool, "other")
    async with local(standing_app) as client:
        callers: list[tuple[keys.Kind, int, int]] = [
            ("write", project, 403),
            ("read", project, 403),
            ("admin", other, 200),
        ]
        for kind, owner, status in callers:
            client.headers["x-api-key"] = await keys.create_key(standing_services.pool, owner, kind)
            answer = await client.post(f"{API}/erasures", json={"user_id": user})
            assert answer.status_code == status, kind
            exported = await client.get(f"{API}/visitors/export", params={"user_id": user})
            assert exported.status_code == (404 if status == 200 else 403), kind
        mine = await erase(own_client, user_id="nobody")
        path = f"{API}/erasures/{mine['erasure_id']}"
        check_problem(await client.get(path), 404, "not-found", mine["erasure_id"])
        check_problem(await client.post(f"{path}/check", json={"user_id": "nobody"}), 404, "not-found")
    assert (await rows_of(standing_services.pool, session))["sessions"] == 1


async def test_a_long_erasure_is_answered_202_and_finished_by_the_task(
    own_client: httpx.AsyncClient,
    standing_services: Services,
    monkeypatch: pytest.MonkeyPatch,
    standing_app: Litestar,
) -> None:
    """One of its sessions is held by somebody else for longer than the request waits."""
    assert standing_app
    monkeypatch.setattr(http, "_WAIT_SECONDS", 0.3)
    user = f"{uuid4()}"
    sessions = [await start(own_client, user) for _ in range(3)]
    holder = await standing_services.pool.acquire()
    try:
        async with holder.transaction():
            await holder.execute("select from tracker.sessions where session_id = $1 for update", UUID(max(sessions)))
            receipt = await erase(own_client, 202, user_id=user)
    finally:
        await standing_services.pool.release(holder)
    assert receipt["finished_at"] is None
    assert receipt["removed"].get("sessions", 0) < 3
    await erasures.finish_erasures(standing_services.database.maintained)
    path = f"{API}/erasures/{receipt['erasure_id']}"
    finished = (await own_client.get(path)).json()
    assert finished["finished_at"] is not None
    assert finished["removed"]["sessions"] == 3
    assert (await own_client.post(f"{path}/check", json={"user_id": user})).json()["is_clean"]


async def test_receipts_come_in_pages_newest_first(own_client: httpx.AsyncClient) -> None:
    made = [(await erase(own_client, user_id=f"{number}"))["erasure_id"] for number in range(5)]
    first = (await own_client.get(f"{API}/erasures", params={"limit": 3})).json()
    rest = (await own_client.get(f"{API}/erasures", params={"before": first[-1]["erasure_id"]})).json()
    assert [line["erasure_id"] for line in first + rest] == made[::-1]


async def test_the_receipt_of_another_project_is_no_place_in_the_list(
    own_client: httpx.AsyncClient, standing_services: Services
) -> None:
    other = await make_project(standing_services.pool, "other")
    own = own_client.headers["x-api-key"]
    await erase(own_client, user_id="one")
    own_client.headers["x-api-key"] = await keys.create_key(standing_services.pool, other, "admin")
    theirs = (await erase(own_client, user_id="two"))["erasure_id"]
    own_client.headers["x-api-key"] = own
    # What lies behind it would tell when it was made.
    assert (await own_client.get(f"{API}/erasures", params={"before": theirs})).json() == []


async def test_an_export_of_a_visitor_holds_all_their_sessions_and_is_imported_again(
    own_client: httpx.AsyncClient, standing_services: Services, project: int, tmp_path: Path
) -> None:
    user = f"ann/{uuid4()}"
    sessions = {await start(own_client, user) for _ in range(3)}
    await start(own_client, "other")
    reads = {session: await read_all(own_client, session) for session in sessions}
    answer = await own_client.get(f"{API}/visitors/export", params={"user_id": user})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines: list[Json] = [json.loads(line) for line in answer.text.splitlines()]
    assert {line["session"]["session_id"] for line in lines if "session" in line} == sessions
    assert len([line for line in lines if "screenshot" in line]) == 3

    await erase(own_client, user_id=user)
    path = tmp_path / "visitor.ndjson"
    path.write_bytes(answer.content)
    imported = await import_files(standing_services.settings, standing_services.database, project, [path], erased=True)
    assert {str(line.session_id) for line in imported} == sessions
    assert {session: await read_all(own_client, session) for session in sessions} == reads
    missing = await own_client.get(f"{API}/visitors/export", params={"user_id": "nobody"})
    check_problem(missing, 404, "not-found", "user id")


async def read_all(client: httpx.AsyncClient, session: str) -> Any:
    """What the reads tell of a session, but for what is given anew."""
    found = await get(client, f"/sessions/{session}")
    shots = (await get(client, f"/sessions/{session}/screenshots"))["data"]
    lines = (await get(client, f"/sessions/{session}/events"))["data"]
    return (
        {name: value for name, value in found.items() if name not in ("is_active", "client_address")},
        await get(client, f"/sessions/{session}/recording"),
        [line["image_data"] for line in shots],
        [{name: value for name, value in line.items() if name != "event_id"} for line in lines],
    )


async def test_what_was_done_is_in_the_audit_without_the_visitors_id(
    own_client: httpx.AsyncClient, standing_services: Services, project: int
) -> None:
    user = f"{uuid4()}"
    session = await start(own_client, user)
    other = await start(own_client, "other")
    assert (await own_client.get(f"{API}/visitors/export", params={"user_id": user})).is_success
    receipt = await erase(own_client, user_id=user)
    assert (await own_client.delete(f"{API}/sessions/{other}")).status_code == 204
    rows = await standing_services.pool.fetch(
        "select action, target, details::text from tracker.audit where project_id = $1 order by audit_id", project
    )
    done = [(row[0], row[1]) for row in rows]
    assert done == [
        ("visitor exported", None),
        ("visitor erased", f"erasure {receipt['erasure_id']}"),
        ("session deleted", f"session {other}"),
    ]
    assert user not in str(rows)
    assert session not in str(rows)


async def test_an_erasure_waits_for_a_batch_that_is_under_way(
    own_client: httpx.AsyncClient, standing_services: Services
) -> None:
    user, session = f"{uuid4()}", new_session()
    await start(own_client, user, session)
    holder = await standing_services.pool.acquire()
    try:
        async with holder.transaction():
            await holder.execute("select from tracker.sessions where session_id = $1 for update", UUID(session))
            sending = asyncio.create_task(own_client.post(f"{API}/track", json=batch(session_id=session)))
            waits = "select count(*) from pg_locks where not granted"
            await until(lambda: standing_services.pool.fetchval(waits))
            erasing = asyncio.create_task(erase(own_client, user_id=user))
            locks = "select count(*) from pg_locks where relation = 'tracker.tombstones'::regclass and not granted"
            await until(lambda: standing_services.pool.fetchval(locks))
    finally:
        await standing_services.pool.release(holder)
    sent = await sending
    assert (sent.status_code, "x-tracker-dropped" in sent.headers) == (201, False)
    assert (await erasing)["finished_at"] is not None
    assert set((await rows_of(standing_services.pool, session)).values()) == {0}
