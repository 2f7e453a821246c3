"""Who did what: each act leaves a line, for owners only, and what cannot be noted is not done."""

from typing import Any

import httpx
import pytest
from litestar import Litestar
from websockets.asyncio.client import connect

from tests.http.api import API, Json, check_problem, get, local, new_session, now, track
from tests.http.browsers import member
from tests.live.watching import reachable, socket_url
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.accounts.keys import Kind
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")


async def lines(client: httpx.AsyncClient) -> list[Json]:
    """The audit log, oldest first."""
    return (await get(client, "/audit"))["data"][::-1]


async def record(client: httpx.AsyncClient) -> str:
    """A session with a recording, which may be replayed."""
    session = new_session()
    moment = int(now().timestamp() * 1000)
    events = [{"type": 4, "data": {"href": "https://a.example", "width": 1, "height": 1}, "timestamp": moment}]
    answer = await client.post(f"{API}/track/recording", json={"session_id": session, "events": events})
    assert answer.status_code == 201, answer.text
    return session


READERS = {
    "recording": f"{API}/sessions/{{}}/recording",
    "spectra replay": "/api/sessions/{}/replay",
    "reev events": "/api/sessions/{}/events",
    "uxcam snapshots": "/api/sessions/{project}/{}",
}


@pytest.mark.parametrize("how", READERS)
async def test_who_reads_a_replay_leaves_a_line(own_client: httpx.AsyncClient, project: int, how: str) -> None:
    session = await record(own_client)
    path = READERS[how].format(session, project=project)
    assert (await own_client.get(path)).status_code == 200
    told = await lines(own_client)
    assert len(told) == 1
    assert told[0]["actor"] == f"key {own_client.headers['x-api-key'][:10]}"
    assert (told[0]["action"], told[0]["target"]) == ("replay read", f"session {session}")
    assert told[0]["details"] == {"how": how}
    assert (await own_client.get(READERS[how].format(new_session(), project=project))).status_code == 404
    assert await lines(own_client) == told


async def test_an_export_and_a_deletion_leave_a_line(own_client: httpx.AsyncClient) -> None:
    session = await track(own_client)
    assert (await own_client.get(f"{API}/sessions/{session}/export")).status_code == 200
    assert (await own_client.delete(f"{API}/sessions/{session}")).status_code == 204
    assert (await own_client.delete(f"{API}/sessions/{session}")).status_code == 404
    told = await lines(own_client)
    assert [line["action"] for line in told] == ["session exported", "session deleted"]
    assert all(session in line["target"] for line in told)


async def test_what_is_done_with_keys_and_the_project_leaves_lines_without_a_key(
    own_client: httpx.AsyncClient, standing_services: Services, project: int
) -> None:
    key = (await own_client.post(f"{API}/keys", json={"kind": "read"})).json()
    rotated = (await own_client.post(f"{API}/keys/rotate", json={"grace_hours": 1})).json()
    await own_client.delete(f"{API}/keys/{key['prefix']}")
    await own_client.patch(f"{API}/project", json={"name": "neu"})
    await own_client.post(f"{API}/project/archive")
    await own_client.post(f"{API}/project/restore")
    told = [(line["action"], line["target"]) for line in await lines(own_client)]
    assert told == [
        ("key made", f"key {key['prefix']}"),
        ("key rotated", f"key {rotated['public_key'][:10]}"),
        ("key revoked", f"key {key['prefix']}"),
        ("project changed", f"project {project}"),
        ("project archived", f"project {project}"),
        ("project restored", f"project {project}"),
    ]
    dump = await standing_services.pool.fetch("select a::text from tracker.audit a where project_id = $1", project)
    for secret in (key["key"], rotated["public_key"], own_client.headers["x-api-key"]):
        assert not any(secret[10:] in row[0] for row in dump)


async def test_a_person_is_named_by_number_and_e_mail(
    standing_app: Litestar, standing_services: Services, own_client: httpx.AsyncClient, project: int
) -> None:
    session = await record(own_client)
    async with await member(standing_app, standing_services, project, "viewer") as viewer:
        assert (await viewer.call("GET", f"/sessions/{session}/recording")).status_code == 200
        check_problem(await viewer.call("GET", "/audit"), 403, "forbidden", "you are viewer")
    last = (await lines(own_client))[-1]
    assert (last["actor"], last["action"]) == (f"user {viewer.user_id}", "replay read")
    assert (last["actor_email"], last["target_email"]) == (viewer.email, None)
    assert (await own_client.patch(f"{API}/members/{viewer.user_id}", json={"role": "editor"})).status_code == 200
    last = (await lines(own_client))[-1]
    assert (last["target"], last["target_email"], last["actor_email"]) == (f"user {viewer.user_id}", viewer.email, None)
    rows = await standing_services.pool.fetch("select a::text from tracker.audit a where project_id = $1", project)
    assert not any(viewer.email in row[0] for row in rows), "it goes with the account"


async def test_the_log_is_read_in_pages_newest_first(own_client: httpx.AsyncClient) -> None:
    session = await record(own_client)
    for _ in range(5):
        await own_client.get(f"{API}/sessions/{session}/recording")
    first = await get(own_client, "/audit", limit=2)
    second = await get(own_client, "/audit", limit=2, before=first["next_before"])
    third = await get(own_client, "/audit", limit=2, before=second["next_before"])
    ids = [line["audit_id"] for page in (first, second, third) for line in page["data"]]
    assert len(ids) == 5
    assert ids == sorted(ids, reverse=True)
    assert third["next_before"] is None
    exact = await get(own_client, "/audit", limit=5)
    assert (len(exact["data"]), exact["next_before"]) == (5, None)
    for parameters in ({"limit": 0}, {"limit": 501}, {"before": 0}, {"before": "x"}):
        check_problem(await own_client.get(f"{API}/audit", params=parameters), 422, "invalid")


async def test_only_the_own_projects_log_is_read(
    standing_app: Litestar, standing_services: Services, own_client: httpx.AsyncClient
) -> None:
    session = await record(own_client)
    await own_client.get(f"{API}/sessions/{session}/recording")
    other = await make_project(standing_services.pool, "other")
    expected: dict[Kind, int] = {"admin": 200, "read": 403, "write": 403}
    for kind, status in expected.items():
        key = await keys.create_key(standing_services.pool, other, kind)
        answer = await own_client.get(f"{API}/audit", headers={"x-api-key": key})
        assert answer.status_code == status
        assert session not in answer.text
    async with local(standing_app) as nobody:
        check_problem(await nobody.get(f"{API}/audit"), 401, "unauthorized", "admin key")


@pytest.mark.parametrize("prefix", [API, "/api"])
async def test_who_watches_leaves_one_line(settings: Settings, dsn: str, prefix: str) -> None:
    app = create_app(settings, dsn)
    async with reachable(app) as url, httpx.AsyncClient(base_url=url, timeout=None) as client:
        session = await record(client)
        services: Services = app.state["services"]
        client.headers["x-api-key"] = await keys.create_key(services.pool, 1, "admin")
        key = {"x-api-key": client.headers["x-api-key"]}
        async with connect(socket_url(url, session, prefix), additional_headers=key) as connection:
            if prefix == "/api":
                await connection.send(f'{{"type": "subscribe", "sessionId": "{session}"}}')
            assert await connection.recv()
            assert [line["details"] for line in await lines(client)] == [{"how": "live"}]
        async with client.stream("GET", f"{prefix}/sessions/{session}/live") as answer:
            assert answer.status_code == 200
            told = await lines(client)
        assert [(line["actor"], line["target"]) for line in told] == [
            (f"key {key['x-api-key'][:10]}", f"session {session}")
        ] * 2


class TestWithoutALog:
    """What cannot be noted is not done."""

    @pytest.fixture
    async def owner(self, client: httpx.AsyncClient, services: Services) -> httpx.AsyncClient:
        """With an admin key, in a database whose audit log takes no line any more."""
        client.headers["x-api-key"] = await keys.create_key(services.pool, 1, "admin")
        return client

    async def _break(self, services: Services) -> None:
        await services.pool.execute("alter table tracker.audit add constraint is_full check (audit_id < 0) not valid")

    async def test_no_replay_is_shown(self, owner: httpx.AsyncClient, services: Services) -> None:
        session = await record(owner)
        await self._break(services)
        for path in READERS.values():
            answer = await owner.get(path.format(session, project=1))
            assert answer.status_code == 500
            assert "a.example" not in answer.text
        assert (await owner.get(f"{API}/sessions/{session}/export")).status_code == 500

    async def test_nothing_is_changed(self, owner: httpx.AsyncClient, services: Services, without_memory: None) -> None:
        session = await track(owner)
        await make_project(services.pool, "other")
        prefix = (await owner.post(f"{API}/keys", json={"kind": "read"})).json()["prefix"]
        tables = ("projects", "api_keys", "sessions", "events")
        before = [await services.pool.fetch(f"select t.*, t::text from tracker.{table} t") for table in tables]
        await self._break(services)
        calls: list[tuple[str, str, Any]] = [
            ("POST", "/keys", {"kind": "read"}),
            ("POST", "/keys/rotate", {}),
            ("DELETE", f"/keys/{prefix}", None),
            ("PATCH", "/project", {"name": "neu"}),
            ("POST", "/project/archive", None),
            ("DELETE", "/project?confirm=default", None),
            ("DELETE", f"/sessions/{session}", None),
        ]
        for method, path, body in calls:
            assert (await owner.request(method, f"{API}{path}", json=body)).status_code == 500, path
        assert [await services.pool.fetch(f"select t.*, t::text from tracker.{table} t") for table in tables] == before
