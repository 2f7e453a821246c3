"""CORS: on the routes that trackers write to, also on their errors, and on no other."""

import httpx
import pytest
from litestar import Litestar

from tests.http import matrix
from tests.http.api import API, batch, event, local, new_session, track
from tests.http.browsers import logged_in
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.http.route_options import list_routes
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")

WRITES = ("/sessions", "/track", "/track/screenshot")
ORIGIN = {"origin": "https://shop.example"}
ROUTES = list_routes(create_app(Settings(), "postgresql://unused"))


def _allows(answer: httpx.Response) -> bool:
    """Whether a page of the shop may read the answer, however it asks, and no cache gives it to another site."""
    vary = [name.strip().lower() for name in answer.headers["vary"].split(",")]
    return (
        answer.headers.get_list("access-control-allow-origin") == [ORIGIN["origin"]]
        and answer.headers["access-control-allow-credentials"] == "true"
        and "origin" in vary
    )


def _has_cors(answer: httpx.Response) -> bool:
    names = [name for name in answer.headers if name.startswith("access-control-")]
    assert not names or _allows(answer)
    return bool(names)


@pytest.mark.parametrize("path", WRITES)
async def test_a_preflight_is_answered(standing_client: httpx.AsyncClient, path: str) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-api-key"}
    answer = await standing_client.options(f"{API}{path}", headers=ORIGIN | asked)
    assert answer.status_code == 204
    assert _allows(answer)
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    # The star: a page that wraps `fetch` may add headers of its own.
    for name in ("content-type", "content-encoding", "x-api-key", "authorization", "*"):
        assert name in allowed
    assert int(answer.headers["access-control-max-age"]) > 0


async def test_a_preflight_allows_the_headers_that_it_asks_for(standing_client: httpx.AsyncClient) -> None:
    """In a request with credentials the star is no wildcard."""
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-shop-trace,content-type"}
    answer = await standing_client.options(f"{API}/track", headers=ORIGIN | asked)
    assert "x-shop-trace" in answer.headers["access-control-allow-headers"]


async def test_a_public_page_may_send_into_a_private_network(standing_client: httpx.AsyncClient) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-private-network": "true"}
    answer = await standing_client.options(f"{API}/track", headers=ORIGIN | asked)
    assert answer.headers["access-control-allow-private-network"] == "true"
    del asked["access-control-request-private-network"]
    answer = await standing_client.options(f"{API}/track", headers=ORIGIN | asked)
    assert "access-control-allow-private-network" not in answer.headers


@pytest.mark.parametrize(
    "route",
    sorted(f"{it.method} {it.path}" for it in ROUTES if it.scope != "none" and it.method != "WEBSOCKET"),
)
async def test_a_cookie_authorizes_no_call_of_another_site(
    standing_app: Litestar, standing_services: Services, project: int, route: str
) -> None:
    """Also not of a site of the same domain, to which browsers send the cookie. WebSockets: `live/test_refusals.py`."""
    method, _, path = route.partition(" ")
    world = matrix.World(project, new_session(), {})
    headers = {**await logged_in(standing_services, "owner", project), "origin": "http://shop.tracker.example"}
    async with local(standing_app, host="tracker.example", peer="203.0.113.9") as page:
        answer = await page.request(
            method,
            matrix.filled(path, world),
            json=matrix.body_of(route, world),
            headers=headers,
            params={**matrix.QUERIES.get(route, {}), "project_id": project},
        )
    is_refused = answer.status_code in (401, 403) or (route, answer.status_code) == ("POST /events", 404)
    assert is_refused, (answer.status_code, answer.text)
    assert {it.cors for it in ROUTES if f"{it.method} {it.path}" == route} == {
        "access-control-allow-origin" in answer.headers
    }


async def test_a_login_does_not_keep_a_beacon_of_another_site_out(
    standing_app: Litestar, standing_services: Services, project: int
) -> None:
    """A beacon is always sent with the browser's cookies; who writes is known by the key, or by being local."""
    headers = {**await logged_in(standing_services, "owner", project), "origin": "http://localhost:3000"}
    del headers["x-csrf-token"]
    async with local(standing_app) as page:
        for parameters in ({}, {"key": await keys.public_key(standing_services.pool, project)}):
            answer = await page.post(f"{API}/track", json=batch(), headers=headers, params=parameters)
            assert answer.status_code == 201, answer.text


async def test_a_preflight_needs_no_key_and_does_nothing(standing_client: httpx.AsyncClient) -> None:
    answer = await standing_client.options(f"{API}/track", headers={**ORIGIN, "host": "tracker.example"})
    assert answer.status_code == 204


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{", {}),
        (b"{}", {}),
        (b"x" * 15_800_000, {}),
        (b"", {"content-encoding": "lzma"}),
        (b"{}", {"x-api-key": "tb_w_unknown"}),
        (b"{}", {"host": "rebound.example"}),
    ],
    ids=["malformed", "invalid", "too large", "undecodable", "unknown key", "foreign host"],
)
async def test_a_write_that_is_refused_can_be_read_by_the_page(
    standing_client: httpx.AsyncClient, path: str, content: bytes, headers: dict[str, str]
) -> None:
    answer = await standing_client.post(f"{API}{path}", content=content, headers=ORIGIN | headers)
    assert answer.status_code >= 400
    assert _has_cors(answer)
    assert "retry-after" in answer.headers["access-control-expose-headers"].lower()


async def test_a_write_that_is_stored_can_be_read_by_the_page(standing_client: httpx.AsyncClient) -> None:
    for path, body in (("/track", batch()), ("/sessions", {"page_url": "https://a.example/"})):
        answer = await standing_client.post(f"{API}{path}", json=body, headers=ORIGIN)
        assert answer.status_code == 201
        assert _has_cors(answer)
        assert "x-tracker-dropped" in answer.headers["access-control-expose-headers"].lower()


async def test_what_is_read_cannot_be_read_by_another_site(standing_client: httpx.AsyncClient) -> None:
    session = await track(standing_client, event())
    for path in (
        f"{API}/sessions",
        f"{API}/sessions/{session}",
        f"{API}/sessions/{session}/events",
        f"{API}/sessions/{session}/screenshots",
        f"{API}/sessions/{new_session()}",
        f"{API}/screenshots/1",
        f"{API}/analytics/hourly",
        f"{API}/nothing",
        "/health",
        "/metrics",
        "/docs",
        "/demo/",
    ):
        answer = await standing_client.get(path, headers=ORIGIN)
        assert answer.status_code in (200, 404), path
        assert not _has_cors(answer), path
    for path in (f"/sessions/{session}", f"/sessions/{session}/events", "/analytics/hourly"):
        answer = await standing_client.options(f"{API}{path}", headers=ORIGIN)
        assert not _has_cors(answer), path
    refused = await standing_client.delete(f"{API}/sessions/{session}", headers=ORIGIN)
    assert refused.status_code == 401
    assert not _has_cors(refused)


async def test_the_script_may_be_loaded_by_every_site(standing_client: httpx.AsyncClient) -> None:
    answer = await standing_client.get("/tracker.js", headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
