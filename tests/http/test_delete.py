"""`DELETE /api/v1/sessions/{id}`: every row of it, in every table, and nothing else."""

from datetime import timedelta

import httpx
import pytest

from tests.http.api import (
    API,
    PAGE,
    Json,
    check_problem,
    event,
    get,
    new_session,
    now,
    refresh,
    row_counts,
    rows_of,
    track,
)
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services

PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HOLDING = {"sessions", "events", "screenshots", "ingest_batches"}


@pytest.fixture
async def admin(services: Services) -> dict[str, str]:
    """The header with an admin key of the default project."""
    key = await keys.create_key(services.pool, await keys.default_project(services.pool), "admin")
    return {"x-api-key": key}


async def _fill(client: httpx.AsyncClient) -> str:
    """A session with rows in every table, spread over several days."""
    session = new_session()
    for days in (0, 1, 3, 6):
        stamp = (now() - timedelta(days=days)).isoformat()
        await track(client, event(timestamp=stamp), event(timestamp=stamp, event_type="error"), session_id=session)
        shot: Json = {"session_id": session, "page_url": PAGE, "timestamp": stamp, "image_data": PIXEL}
        assert (await client.post(f"{API}/track/screenshot", json=shot)).status_code == 201
    return session


async def test_every_row_of_a_session_is_gone_and_all_others_are_untouched(
    client: httpx.AsyncClient, services: Services, admin: dict[str, str]
) -> None:
    gone, kept = await _fill(client), await _fill(client)
    before = await rows_of(services.pool, kept)
    assert {name for name, rows in before.items() if rows} == HOLDING
    assert await rows_of(services.pool, gone) == before
    detail = await get(client, f"/sessions/{kept}")
    counts = await row_counts(services.pool)

    answer = await client.delete(f"{API}/sessions/{gone}", headers=admin)

    assert answer.status_code == 204
    assert answer.content == b""
    assert set((await rows_of(services.pool, gone)).values()) == {0}
    assert await rows_of(services.pool, kept) == before
    assert await get(client, f"/sessions/{kept}") == detail
    after = await row_counts(services.pool)
    kept_of_it = {"erasures": 1, "erased_sessions": 1, "tombstones": 1, "audit": counts["audit"] + 1}
    assert after == counts | kept_of_it | {name: counts[name] // 2 for name in (*HOLDING, "sessions counted")}
    listed = await get(client, "/sessions")
    assert (listed["total"], [line["session_id"] for line in listed["data"]]) == (1, [kept])
    for path in ("", "/events", "/screenshots"):
        check_problem(await client.get(f"{API}/sessions/{gone}{path}"), 404, "not-found", gone)


async def test_its_screenshots_are_not_served_any_more(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    session = await _fill(client)
    shots = (await get(client, f"/sessions/{session}/screenshots", data="false"))["data"]
    assert len(shots) == 4
    assert (await client.delete(f"{API}/sessions/{session}", headers=admin)).status_code == 204
    for shot in shots:
        assert (await client.get(shot["url"])).status_code == 404


async def test_hourly_numbers_are_right_after_the_next_refresh(
    client: httpx.AsyncClient, services: Services, admin: dict[str, str]
) -> None:
    gone, kept = await _fill(client), await _fill(client)
    assert await get(client, f"/sessions/{kept}") is not None

    async def hours() -> list[int]:
        await refresh(services)
        found = await get(client, "/analytics/hourly", group_by="bucket", is_bot="any")
        return [line["count"] for line in found["data"]]

    assert await hours() == [4, 4, 4, 4]
    assert (await client.delete(f"{API}/sessions/{gone}", headers=admin)).status_code == 204
    assert await hours() == [2, 2, 2, 2]


async def test_a_deleted_session_does_not_come_back(
    client: httpx.AsyncClient, services: Services, admin: dict[str, str]
) -> None:
    session = await _fill(client)
    assert (await client.delete(f"{API}/sessions/{session}", headers=admin)).status_code == 204
    answer = await client.post(f"{API}/track", json={"session_id": session, "events": [event()]})
    assert (answer.status_code, answer.headers["x-tracker-dropped"]) == (201, "erased")
    assert set((await rows_of(services.pool, session)).values()) == {0}
    await track(client)


async def test_a_session_is_deleted_once(client: httpx.AsyncClient, services: Services, admin: dict[str, str]) -> None:
    session = await _fill(client)
    assert (await client.delete(f"{API}/sessions/{session}", headers=admin)).status_code == 204
    counts = await row_counts(services.pool)
    for unknown in (session, new_session()):
        check_problem(await client.delete(f"{API}/sessions/{unknown}", headers=admin), 404, "not-found", unknown)
    assert await row_counts(services.pool) == counts


async def test_deleting_needs_an_admin_key_even_in_open_mode(client: httpx.AsyncClient, services: Services) -> None:
    session = await _fill(client)
    check_problem(await client.delete(f"{API}/sessions/{session}"), 401, "unauthorized", "admin key")
    project = await keys.default_project(services.pool)
    for kind in ("write", "read"):
        key = await keys.create_key(services.pool, project, kind)
        answer = await client.delete(f"{API}/sessions/{session}", headers={"x-api-key": key})
        check_problem(answer, 403, "forbidden", f"{kind} key", "admin")
    assert (await get(client, f"/sessions/{session}"))["event_count"] == 8


async def test_a_session_of_another_project_is_not_there(client: httpx.AsyncClient, services: Services) -> None:
    session = await _fill(client)
    other = await make_project(services.pool, "other")
    key = {"x-api-key": await keys.create_key(services.pool, other, "admin")}
    counts = await row_counts(services.pool)
    shots = (await get(client, f"/sessions/{session}/screenshots", data="false"))["data"]
    check_problem(await client.delete(f"{API}/sessions/{session}", headers=key), 404, "not-found", session)
    for path in ("", "/events", "/screenshots"):
        check_problem(await client.get(f"{API}/sessions/{session}{path}", headers=key), 404, "not-found", session)
    assert (await client.get(shots[0]["url"], headers=key)).status_code == 404
    assert (await client.get(shots[0]["url"])).status_code == 200
    assert (await client.get(f"{API}/sessions", headers=key)).json()["data"] == []
    assert (await client.get(f"{API}/analytics/hourly", headers=key)).json()["data"] == []
    assert await row_counts(services.pool) == counts

    # The same id in the other project is another session.
    await track(client, session_id=session)
    answer = await client.post(
        f"{API}/track", json={"session_id": session, "events": [event(event_type="theirs")]}, headers=key
    )
    assert answer.status_code == 201
    theirs = (await client.get(f"{API}/sessions/{session}/events", headers=key)).json()
    assert [line["event_type"] for line in theirs["data"]] == ["theirs"]
    assert (await client.delete(f"{API}/sessions/{session}", headers=key)).status_code == 204
    assert (await get(client, f"/sessions/{session}"))["event_count"] == 9
