"""Headers of every answer; HEAD wherever there is GET."""

import httpx
import pytest

from tests.http import matrix
from tests.http.api import API, event, new_session, track
from tests.http.browsers import Browser
from tracker_backend.http.examples import SCREENSHOT

pytestmark = pytest.mark.tiers("plain")

PAGES = ("/docs", "/docs/errors", "/login", "/join", "/demo/")
READS = sorted(route for route in matrix.NEEDS if route.startswith("GET "))


async def filled_world(client: httpx.AsyncClient, project: int) -> matrix.World:
    """A session with an event and a screenshot."""
    world = matrix.World(project, new_session(), {})
    await track(client, event(user_id=matrix.CANARY), session_id=world.session_id)
    shot = {**SCREENSHOT, "session_id": world.session_id}
    world.found["screenshot_id"] = (await client.post(f"{API}/track/screenshot", json=shot)).json()["screenshot_id"]
    await client.post(f"{API}/sessions", json={"session_id": world.session_id, "user_id": matrix.CANARY})
    return world


@pytest.mark.parametrize("route", sorted(route for route in matrix.NEEDS if not route.startswith("WEBSOCKET")))
async def test_what_is_about_visitors_is_kept_by_no_cache(
    own_client: httpx.AsyncClient, project: int, route: str
) -> None:
    world = await filled_world(own_client, project)
    method, _, path = route.partition(" ")
    if path.endswith("/live"):
        method = "HEAD"  # the answer has no end
    body = matrix.body_of(route, world)
    query = matrix.QUERIES.get(route, {})
    answer = await own_client.request(method, matrix.filled(path, world), json=body, params=query)
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    if matrix.NEEDS[route] == "write" and method == "POST":
        # With `no-store` Chromium counts a tracker's request as under way until its page has read the answer.
        assert "cache-control" not in answer.headers
        return
    (kept,) = answer.headers.get_list("cache-control")
    if matrix.NEEDS[route] != "none" and route != f"GET {API}/config" and "{screenshot_id}" not in path:
        assert kept == "no-store"
    elif "{screenshot_id}" in path:
        assert kept.startswith("private,")
        assert answer.status_code == 200


async def test_errors_are_kept_by_no_cache(standing_client: httpx.AsyncClient) -> None:
    for path in (f"{API}/nothing", f"{API}/sessions/{new_session()}", f"{API}/sessions?limit=x", "/tracker/x"):
        answer = await standing_client.get(path)
        assert answer.status_code in (404, 422)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
async def test_no_other_site_shows_a_page_in_a_frame(standing_client: httpx.AsyncClient, path: str) -> None:
    answer = await standing_client.get(path)
    assert answer.status_code == 200
    assert answer.headers["x-frame-options"] == "DENY"
    (policy,) = answer.headers.get_list("content-security-policy")
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("route", READS)
async def test_head_is_answered_as_get_without_a_body(own_client: httpx.AsyncClient, project: int, route: str) -> None:
    world = await filled_world(own_client, project)
    path = matrix.filled(route.partition(" ")[2], world)
    query = matrix.QUERIES.get(route, {})
    head = await own_client.head(path, params=query)
    assert head.content == b""
    assert head.status_code != 405
    if not path.endswith("/live"):
        get = await own_client.get(path, params=query)
        assert head.status_code == get.status_code
        assert head.headers.get("content-type") == get.headers.get("content-type")
        if route not in ("GET /health", "GET /metrics", f"GET {API}/audit"):  # they tell of the call before
            assert head.headers.get("content-length") == get.headers.get("content-length")


async def test_head_of_a_file_tells_its_length(standing_client: httpx.AsyncClient) -> None:
    head = await standing_client.head("/tracker.js")
    get = await standing_client.get("/tracker.js")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"] != "0"
    assert head.headers["etag"] == get.headers["etag"]


async def test_head_is_no_way_around_a_login(stranger: Browser) -> None:
    assert (await stranger.call("HEAD", "/sessions")).status_code == 401
