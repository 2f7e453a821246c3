"""Who may do what: keys of every kind, the open mode of a local server, and who counts as local."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, cast, get_args

import httpx
import pytest
from litestar import Litestar
from litestar.connection import ASGIConnection

from tests.http.api import (
    API,
    PAGE,
    Json,
    batch,
    check_problem,
    event,
    local,
    new_session,
    now,
    public_key,
    row_counts,
    track,
)
from tests.http.browsers import logged_in
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.accounts.keys import Kind
from tracker_backend.accounts.logins import Role
from tracker_backend.dialects.uxcam import examples as uxcam
from tracker_backend.errors import Forbidden
from tracker_backend.http.auth.authorization import Scope
from tracker_backend.http.examples import RECORDING
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")

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


def asked(headers: dict[str, str], peer: str = "127.0.0.1") -> Any:
    """A request as a handler has it."""
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "scheme": "http",
        "query_string": b"",
        "client": (peer, 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    return cast("Any", ASGIConnection(scope))


async def send_in_body(client: httpx.AsyncClient, place: str, key: str, **arguments: Any) -> httpx.Response:
    """Sends something with a key in its body, as a dialect has it."""
    path, body = {
        "uxcam snapshots": ("/api/snapshots/ingest", {**uxcam.SNAPSHOTS, "sdk_key": key}),
        "uxcam events": ("/api/events/ingest", {**uxcam.EVENTS, "sdk_key": key}),
        "reev": ("/events", {"sessionId": new_session(), "projectId": key, "events": RECORDING["events"]}),
    }[place]
    return await client.post(path, json=body, **arguments)


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
        assert await keys.revoke_key(services.pool, "user 1", project, revoked[: keys.PREFIX_LENGTH])
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
        key = await public_key(services)
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

    @pytest.mark.parametrize("place", ["uxcam snapshots", "uxcam events", "reev"])
    async def test_only_a_public_key_may_stand_in_a_body(
        self, client: httpx.AsyncClient, services: Services, place: str
    ) -> None:
        other = await make_project(services.pool, "other")
        public, expired, revoked = [
            await keys.create_key(services.pool, other, "write", public=is_public, expires_at=until)
            for is_public, until in ((True, None), (True, now() - timedelta(seconds=1)), (False, None))
        ]
        before = await row_counts(services.pool)
        for key in (*[await key_of(services, kind) for kind in KINDS], expired, "tb_w_unknown", revoked):
            answer = await send_in_body(client, place, key)
            assert answer.status_code == (404 if place == "reev" else 401), answer.text
            assert any(text in answer.text for text in ("only a project's public", "expired", "not known"))
        assert (await row_counts(services.pool)) == {**before, "api_keys": before["api_keys"] + len(KINDS)}
        answer = await send_in_body(client, place, public)
        assert answer.status_code in (200, 204), answer.text
        assert await services.pool.fetchval("select array_agg(project_id) from tracker.sessions") == [other]

    async def test_a_key_in_a_header_goes_before_one_in_the_url_and_in_the_body(
        self, client: httpx.AsyncClient, services: Services
    ) -> None:
        other = await make_project(services.pool, "other")
        public = await keys.create_key(services.pool, other, "write", public=True)
        headers = {"x-api-key": await key_of(services, "write")}
        answer = await send_in_body(client, "uxcam events", public, headers=headers, params={"key": public})
        assert answer.status_code == 200
        assert (await send_in_body(client, "uxcam events", "tb_r_x", params={"key": public})).status_code == 200
        found = await services.pool.fetchval("select array_agg(project_id order by project_id) from tracker.sessions")
        assert found == [1, other]

    async def test_roles_and_keys_do_what_is_theirs(self, client: httpx.AsyncClient, services: Services) -> None:
        """`edit` by the deletion of a session, `admin` and all else by the check itself."""
        scopes: dict[str, set[Scope]] = {
            "viewer": {"read"},
            "editor": {"read", "edit"},
            "owner": {"read", "edit", "admin"},
            "write": {"write"},
            "read": {"read"},
            "admin": {"write", "read", "edit", "admin"},
        }
        for name, allowed in scopes.items():
            is_key = name in KINDS
            headers = (
                {"x-api-key": await key_of(services, name)} if is_key else await logged_in(services, cast("Role", name))
            )
            for scope in get_args(Scope):
                request = asked(headers)
                if scope in allowed:
                    caller = await services.access.authentication.authenticate(request, scope)
                    assert caller.project_id == 1
                    assert (caller.key is None, caller.person is None) == (not is_key, is_key)
                else:
                    with pytest.raises(Forbidden) as refused:
                        await services.access.authentication.authenticate(request, scope)
                    needed = "write key" if scope == "write" and not is_key else "kind" if is_key else "role"
                    assert needed in refused.value.detail
            session = new_session()
            await call(client, "track", session, headers={"x-api-key": await key_of(services, "admin")})
            answer = await call(client, "delete", session, headers=headers)
            assert answer.status_code == (204 if "edit" in allowed else 403), name

    async def test_a_key_goes_before_a_cookie_and_a_broken_cookie_is_none(
        self, client: httpx.AsyncClient, services: Services
    ) -> None:
        cookie = {"cookie": (await logged_in(services, "owner"))["cookie"]}
        key = {"x-api-key": await key_of(services, "write")}
        assert (await call(client, "track", new_session(), headers=cookie | key)).status_code == 201, "no CSRF token"
        assert (await call(client, "list", new_session(), headers=cookie | key)).status_code == 403
        assert (await call(client, "list", new_session(), headers=cookie)).status_code == 200
        refused = await call(client, "delete", new_session(), headers=cookie)
        check_problem(refused, 403, "forbidden", "X-CSRF-Token")
        for value in ("", "x", f"{cookie['cookie']}x", "tracker_login=a.b; tracker_login=c.d", '"\\777'):
            answer = await call(client, "list", new_session(), headers={"cookie": value})
            check_problem(answer, 401, "unauthorized", "X-API-Key")

    async def test_a_login_serves_no_page_of_another_site(self, client: httpx.AsyncClient, services: Services) -> None:
        headers = await logged_in(services, "owner")
        for origin, status in (
            ("http://localhost", 200),
            ("https://localhost.evil.example", 403),
            ("null", 403),
            ("http://localhost:81", 403),
        ):
            assert (await call(client, "list", "", headers=headers | {"origin": origin})).status_code == status, origin
            deleted = await call(client, "delete", new_session(), headers=headers | {"origin": origin})
            assert deleted.status_code == (404 if status == 200 else 403)

    async def test_a_write_key_in_the_url_reads_nothing(self, client: httpx.AsyncClient, services: Services) -> None:
        answer = await call(client, "list", new_session(), params={"key": await public_key(services)})
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
        for path in ("/health", "/metrics", "/docs", "/tracker.js"):
            assert (await client.get(path)).status_code == 200, path

    async def test_there_is_no_demo_that_records_strangers(self, client: httpx.AsyncClient) -> None:
        for path in ("/demo/", "/demo/shop.js", "/demo/form.html"):
            check_problem(await client.get(path), 404, "not-found", "TRACKER_DEMO")
        assert (await client.get("/")).headers["location"] == "/docs"


PROXY_HEADERS = (
    *("x-client-ip", "x-forwarded", "fly-client-ip", "x-azure-clientip", "proxy-client-ip", "cdn-loop", "cf-ray"),
    *("wl-proxy-client-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-amzn-trace-id", "x-proxyuser-ip"),
)


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
            *(("localhost", "127.0.0.1", {name: "8.8.8.8"}) for name in PROXY_HEADERS),
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

    async def test_a_call_of_http_1_0_needs_one_as_a_proxy_without_settings_sends_it(self, app: Litestar) -> None:
        async def as_http_1_0(scope: Any, receive: Any, send: Any) -> None:
            older: Any = {**scope, "http_version": "1.0"}
            await app(older, receive, send)

        transport = httpx.ASGITransport(app=as_http_1_0, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            for name in ("track", "list"):
                check_problem(await call(client, name, new_session()), 401, "unauthorized", "HTTP/1.1")

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


class TestBehindAProxy:
    """Whether a browser came by HTTPS is the word of a trusted proxy, and of nobody else."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4, trusted_proxies=("10.0.0.0/8",), auth="required")

    async def test_only_a_trusted_proxy_says_that_a_call_came_by_https(self, services: Services) -> None:
        for peer, told, expected in (
            ("10.1.1.1", {"x-forwarded-proto": "https"}, True),
            ("::ffff:10.1.1.1", {"x-forwarded-proto": "https"}, True),
            ("10.1.1.1", {"x-forwarded-proto": "http"}, False),
            ("203.0.113.9", {"x-forwarded-proto": "https"}, False),
            ("10.1.1.1", {"forwarded": "for=192.0.2.7;proto=https"}, True),
            ("10.1.1.1", {"forwarded": "for=192.0.2.7;proto=https, for=192.0.2.8"}, False),
            ("10.1.1.1", {"forwarded": "proto=https", "x-forwarded-proto": "http"}, False),
            ("203.0.113.9", {"forwarded": "for=192.0.2.7;proto=https"}, False),
        ):
            request = asked(told, peer)
            assert services.access.addresses.is_secure(request) == expected


@pytest.mark.parametrize(
    ("auth", "host", "status"),
    [("auto", "0.0.0.0", 401), ("auto", "127.0.0.1", 200), ("open", "0.0.0.0", 200), ("required", "127.0.0.1", 401)],
)
def test_a_server_is_open_only_on_loopback_or_when_told(auth: Any, host: str, status: int) -> None:
    assert Settings(auth=auth, host=host).is_open == (status == 200)


async def test_a_key_does_not_act_on_another_project_than_the_one_that_is_asked_for(
    standing_client: httpx.AsyncClient, standing_services: Services, project: int
) -> None:
    pool = standing_services.pool
    own = {"x-api-key": await keys.create_key(pool, project, "admin")}
    for asked, status in ((project, 200), (1, 403), (project + 10_000, 403), ("x", 403)):
        answer = await standing_client.get(f"{API}/sessions", params={"project_id": asked}, headers=own)
        assert answer.status_code == status, (asked, answer.text)
