"""Who may do what: keys of every kind, the open mode of a local server, and who counts as local."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.http.api import API, PAGE, Json, batch, check_problem, event, local, new_session, now, row_counts, track
from tracker_backend.queries import keys
from tracker_backend.queries.keys import Kind
from tracker_backend.services import Services
from tracker_backend.settings import Settings

PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
KINDS: tuple[Kind, ...] = ("write", "read", "admin")


def calls(session_id: str) -> dict[str, tuple[str, str, Json | None, str]]:
    """Every call of the API: method, path, body, and the kind of key it needs."""
    shot: Json = {"session_id": session_id, "page_url": PAGE, "timestamp": now().isoformat(), "image_data": PIXEL}
    return {
        "start": ("POST", "/sessions", {"page_url": PAGE}, "write"),
        "track": ("POST", "/track", batch(session_id=session_id), "write"),
        "screenshot": ("POST", "/track/screenshot", shot, "write"),
        "list": ("GET", "/sessions", None, "read"),
        "detail": ("GET", f"/sessions/{session_id}", None, "read"),
        "events": ("GET", f"/sessions/{session_id}/events", None, "read"),
        "screenshots": ("GET", f"/sessions/{session_id}/screenshots", None, "read"),
        "image": ("GET", "/screenshots/1", None, "read"),
        "hourly": ("GET", "/analytics/hourly", None, "read"),
        "delete": ("DELETE", f"/sessions/{session_id}", None, "admin"),
    }


NAMES = list(calls(""))


async def call(client: httpx.AsyncClient, name: str, session_id: str, **arguments: Any) -> httpx.Response:
    """Makes a call of the list."""
    method, path, body, _ = calls(session_id)[name]
    return await client.request(method, f"{API}{path}", json=body, **arguments)


async def key_of(services: Services, kind: Kind, **arguments: Any) -> str:
    """A new key of the default project."""
    return await keys.create_key(services.pool, await keys.default_project(services.pool), kind, **arguments)


class TestWithKeysRequired:
    """On a server that needs keys."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=8, limit_keyless=0, limit_key=0, limit_project=0, auth="required")

    @pytest.mark.parametrize("kind", KINDS)
    async def test_each_kind_of_key_may_do_its_own(
        self, client: httpx.AsyncClient, services: Services, kind: Kind
    ) -> None:
        admin, key, session = await key_of(services, "admin"), await key_of(services, kind), new_session()
        for name in NAMES:
            assert (await call(client, "track", session, headers={"x-api-key": admin})).status_code == 201
            before = await row_counts(services.pool)
            answer = await call(client, name, session, headers={"x-api-key": key})
            needed = calls(session)[name][3]
            if kind in (needed, "admin"):
                assert answer.status_code in (200, 201, 204) or name == "image", answer.text
                assert name != "image" or answer.status_code == 404
            else:
                check_problem(answer, 403, "forbidden", f"this is a {kind} key", f"use a key of kind {needed}")
                assert await row_counts(services.pool) == before

    async def test_without_a_valid_key_nothing_is_done(self, client: httpx.AsyncClient, services: Services) -> None:
        session = new_session()
        assert (
            await call(client, "track", session, headers={"x-api-key": await key_of(services, "write")})
        ).status_code == 201
        expired = await key_of(services, "admin", expires_at=datetime.now(UTC) - timedelta(seconds=1))
        revoked = await key_of(services, "admin")
        project = await keys.default_project(services.pool)
        assert await keys.revoke_keys(services.pool, project, revoked[: keys.PREFIX_LENGTH]) == 1
        before = await row_counts(services.pool)
        refused: list[tuple[dict[str, str], str]] = [
            ({}, "X-API-Key"),
            ({"x-api-key": ""}, "X-API-Key"),
            ({"x-api-key": "tb_a_unknown"}, "not known"),
            ({"x-api-key": "x" * 10_000}, "not known"),
            ({"authorization": "Bearer tb_a_unknown"}, "not known"),
            ({"authorization": "Bearer "}, "X-API-Key"),
            ({"authorization": f"Basic {revoked}"}, "X-API-Key"),
            ({"x-api-key": expired}, "expired"),
            ({"x-api-key": revoked}, "revoked"),
        ]
        for name, (headers, text) in product(NAMES, refused):
            answer = await call(client, name, session, headers=headers)
            check_problem(answer, 401, "unauthorized", text)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert await row_counts(services.pool) == before

    async def test_a_public_key_may_stand_in_three_places(self, client: httpx.AsyncClient, services: Services) -> None:
        key = services.write_key
        for arguments in (
            {"headers": {"x-api-key": key}},
            {"headers": {"authorization": f"Bearer {key}"}},
            {"headers": {"authorization": f"bearer  {key} "}},
            {"params": {"key": key}},
        ):
            assert (await call(client, "track", new_session(), **arguments)).status_code == 201

    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_secret_key_in_the_url_is_refused(
        self, client: httpx.AsyncClient, services: Services, kind: Kind
    ) -> None:
        key = await key_of(services, kind)
        for name in ("track", "list", "delete"):
            answer = await call(client, name, new_session(), params={"key": key})
            check_problem(answer, 401, "unauthorized", "only a project's public write key", "X-API-Key")

    async def test_a_write_key_in_the_url_reads_nothing(self, client: httpx.AsyncClient, services: Services) -> None:
        answer = await call(client, "list", new_session(), params={"key": services.write_key})
        check_problem(answer, 403, "forbidden")

    async def test_a_key_is_valid_until_it_expires(self, client: httpx.AsyncClient, services: Services) -> None:
        key = await key_of(services, "write", expires_at=datetime.now(UTC) + timedelta(hours=1))
        assert (await call(client, "track", new_session(), headers={"x-api-key": key})).status_code == 201

    async def test_keys_stand_in_the_database_only_as_hashes(self, services: Services) -> None:
        secret = await key_of(services, "admin")
        dump = await services.pool.fetch("select api_keys::text as line from tracker.api_keys")
        assert dump
        assert not any(secret in row["line"] for row in dump)

    async def test_the_service_itself_needs_no_key(self, client: httpx.AsyncClient) -> None:
        for path in ("/health", "/metrics", "/docs", "/tracker.js", "/demo/"):
            assert (await client.get(path)).status_code == 200, path


class TestOpenMode:
    """On a server on loopback, which answers direct local calls without a key."""

    @pytest.mark.parametrize("host", ["localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:80", "[::1]:8080"])
    @pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    async def test_local_calls_need_no_key(self, standing_app: Litestar, host: str, peer: str) -> None:
        async with local(standing_app, host=host, peer=peer) as client:
            session = await track(client)
            assert (await client.get(f"{API}/sessions/{session}")).status_code == 200

    @pytest.mark.parametrize("name", [name for name in NAMES if name != "delete"])
    @pytest.mark.parametrize(
        ("host", "peer", "headers"),
        [
            ("rebound.example", "127.0.0.1", {}),
            ("localhost.rebound.example", "127.0.0.1", {}),
            ("127.0.0.1.nip.io:8080", "127.0.0.1", {}),
            ("tracker.local", "127.0.0.1", {}),
            ("localhost", "192.168.1.7", {}),
            ("localhost", "8.8.8.8", {"x-forwarded-for": "127.0.0.1"}),
            ("localhost", "127.0.0.1", {"x-forwarded-for": "127.0.0.1"}),
            ("localhost", "127.0.0.1", {"forwarded": "for=8.8.8.8"}),
            ("localhost", "127.0.0.1", {"x-real-ip": "8.8.8.8"}),
            ("localhost", "127.0.0.1", {"x-forwarded-host": "a.example"}),
            ("localhost", "127.0.0.1", {"via": "1.1 proxy"}),
            ("localhost", "127.0.0.1", {"cf-connecting-ip": "8.8.8.8"}),
            ("localhost", "127.0.0.1", {"x-forwarded-proto": "https"}),
            ("localhost", "127.0.0.1", {"true-client-ip": "8.8.8.8"}),
            ("localhost", "127.0.0.1", {"x-client-ip": "8.8.8.8"}),
            ("localhost", "127.0.0.1", {"host": "[::1].rebound.example"}),
        ],
    )
    async def test_a_call_that_may_come_from_elsewhere_needs_one(
        self, standing_app: Litestar, standing_services: Services, name: str, host: str, peer: str, headers: Json
    ) -> None:
        before = await row_counts(standing_services.pool)
        async with local(standing_app, host=host, peer=peer) as client:
            check_problem(
                await call(client, name, new_session(), headers=headers), 401, "unauthorized", "direct local calls"
            )
        assert await row_counts(standing_services.pool) == before

    async def test_a_key_opens_the_way_from_elsewhere(
        self, standing_app: Litestar, standing_services: Services
    ) -> None:
        key = await key_of(standing_services, "write")
        async with local(standing_app, host="tracker.example", peer="203.0.113.9") as client:
            headers = {"x-api-key": key, "x-forwarded-for": "198.51.100.1"}
            assert (await call(client, "track", new_session(), headers=headers)).status_code == 201

    async def test_a_wrong_key_is_no_better_than_none_would_be(self, standing_client: httpx.AsyncClient) -> None:
        answer = await call(standing_client, "track", new_session(), headers={"x-api-key": "tb_w_wrong"})
        check_problem(answer, 401, "unauthorized", "not known")

    async def test_the_demo_records_with_a_key_that_may_only_write(self, client: httpx.AsyncClient) -> None:
        page = (await client.get("/demo/")).text
        key = page.partition('data-project="')[2].partition('"')[0]
        assert key.startswith("tb_w_")
        sent = await client.post(f"{API}/track", json=batch(event()), params={"key": key})
        assert sent.status_code == 201
        assert (await client.get(f"{API}/sessions", headers={"x-api-key": key})).status_code == 403


@pytest.mark.parametrize(
    ("auth", "host", "status"),
    [("auto", "0.0.0.0", 401), ("auto", "127.0.0.1", 200), ("open", "0.0.0.0", 200), ("required", "127.0.0.1", 401)],
)
def test_a_server_is_open_only_on_loopback_or_when_told(auth: Any, host: str, status: int) -> None:
    assert Settings(auth=auth, host=host).is_open == (status == 200)
