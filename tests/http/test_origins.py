"""Allowed origins: pages of other sites may not send with a project's public key, in whichever dialect."""

import httpx
import pytest
from litestar import Litestar

from tests.http import matrix
from tests.http.api import API, Json, batch, check_problem, local, new_session, row_counts
from tracker_backend.accounts import keys
from tracker_backend.http.auth.origin import is_allowed
from tracker_backend.http.services import Services

pytestmark = pytest.mark.tiers("plain")

ALLOWED = ["https://shop.example", "https://*.shop.example", "http://localhost:3000"]
GOOD = "https://www.shop.example"
EVIL = "https://evil.example"
WRITES = sorted(route for route, need in matrix.NEEDS.items() if need == "write" and route.startswith("POST"))
IN_BODY = {
    "POST /api/snapshots/ingest": "sdk_key",
    "POST /api/events/ingest": "sdk_key",
    "POST /events": "projectId",
}


@pytest.fixture
def world(project: int) -> matrix.World:
    return matrix.World(project, new_session(), {})


@pytest.fixture
async def public(standing_services: Services, own_client: httpx.AsyncClient, without_memory: None) -> str:
    """The public key of a project that takes data from pages of a shop only."""
    answer = await own_client.patch(f"{API}/project", json={"settings": {"allowed_origins": ALLOWED}})
    assert answer.status_code == 200, answer.text
    return answer.json()["public_key"]


async def send(
    app: Litestar, route: str, world: matrix.World, headers: dict[str, str], **parameters: str
) -> httpx.Response:
    """A write as a page somewhere makes it."""
    body: Json = matrix.body_of(route, world) or {}
    if "{session_id}" in route:
        body = {**body, "sessionId": world.session_id}
    if "in_body" in parameters:
        body = {**body, IN_BODY[route]: parameters.pop("in_body")}
    path = route.partition(" ")[2].replace("{session_id}", world.session_id)
    async with local(app, host="tracker.example", peer="203.0.113.9") as page:
        return await page.post(path, json=body, headers=headers, params=parameters)


def check_refused(answer: httpx.Response, *tells: str) -> None:
    """403, in the shape of the dialect, with a text that says why; the page may read it."""
    assert answer.status_code == 403, answer.text
    assert answer.headers["access-control-allow-origin"] == answer.request.headers.get("origin", "*")
    body: Json = answer.json()
    if "detail" in body:
        assert answer.headers["content-type"] == "application/problem+json"
    else:
        assert set(body) <= {"success", "error"}
        assert body.get("success", False) is False
    text = body.get("detail") or body["error"]
    for part in (*tells, *ALLOWED, "secret write key"):
        assert part in text, text


@pytest.mark.parametrize("route", WRITES)
async def test_a_page_of_another_site_sends_nothing_in_any_dialect(
    standing_app: Litestar, standing_services: Services, world: matrix.World, public: str, route: str
) -> None:
    before = await row_counts(standing_services.pool)
    for headers, *told in (
        ({"origin": EVIL}, EVIL, "allowed_origins"),
        ({}, "without `Origin`"),
        ({"origin": "null"}, "null", "allowed_origins"),
    ):
        check_refused(await send(standing_app, route, world, headers | {"x-api-key": public}), *told)
        check_refused(await send(standing_app, route, world, headers, key=public), *told)
        if route in IN_BODY:
            check_refused(await send(standing_app, route, world, headers, in_body=public), *told)
    assert await row_counts(standing_services.pool) == before


@pytest.mark.parametrize("route", WRITES)
async def test_a_page_of_the_site_sends_in_every_dialect(
    standing_app: Litestar, own_client: httpx.AsyncClient, world: matrix.World, public: str, route: str
) -> None:
    await own_client.post(
        f"{API}/sessions", json={"session_id": world.session_id, "page_url": GOOD}
    )  # for calls that need one
    headers = {"origin": GOOD}
    answers = [
        await send(standing_app, route, world, headers | {"x-api-key": public}),
        await send(standing_app, route, world, headers, key=public),
    ]
    if route in IN_BODY:
        answers.append(await send(standing_app, route, world, headers, in_body=public))
    for answer in answers:
        assert answer.status_code in (200, 201, 204), answer.text


async def test_a_secret_key_sends_from_anywhere(
    standing_app: Litestar, standing_services: Services, world: matrix.World, public: str
) -> None:
    """A server has no Origin, and a page has no secret."""
    assert public
    for kind in ("write", "admin"):
        key = await keys.create_key(standing_services.pool, world.project_id, kind)
        answer = await send(standing_app, "POST /api/v1/track", world, {"x-api-key": key})
        assert answer.status_code == 201, answer.text


async def test_a_project_that_names_none_takes_all(
    standing_app: Litestar, standing_services: Services, world: matrix.World
) -> None:
    key = await keys.public_key(standing_services.pool, world.project_id)
    for headers in ({"origin": EVIL}, {"origin": "null"}, {}):
        answer = await send(standing_app, "POST /api/v1/track", world, headers | {"x-api-key": key})
        assert answer.status_code == 201, answer.text


async def test_local_calls_without_a_key_are_held_to_it_too(
    client: httpx.AsyncClient, services: Services, without_memory: None
) -> None:
    admin = {"x-api-key": await keys.create_key(services.pool, 1, "admin")}
    change = {"settings": {"allowed_origins": ALLOWED}}
    assert (await client.patch(f"{API}/project", json=change, headers=admin)).status_code == 200
    answer = await client.post(f"{API}/track", json=batch(), headers={"origin": EVIL})
    check_problem(answer, 403, "forbidden", EVIL)
    assert (await client.post(f"{API}/track", json=batch(), headers={"origin": GOOD})).status_code == 201


@pytest.mark.parametrize(
    ("origin", "is_good"),
    [
        ("https://shop.example", True),
        ("https://SHOP.example", True),
        ("https://www.shop.example", True),
        ("https://a.b.shop.example", True),
        ("http://localhost:3000", True),
        ("http://shop.example", False),
        ("https://shop.example:8443", False),
        ("https://www.shop.example:8443", False),
        ("http://localhost", False),
        ("http://localhost:3001", False),
        ("https://evil-shop.example", False),
        ("https://evilshop.example", False),
        ("https://shop.example.evil.example", False),
        ("https://shop.example.", False),
        ("https://.shop.example", False),
        ("https://*.shop.example", False),
        ("https://evil.example/.shop.example", False),
        ("https://evil.example#.shop.example", False),
        ("https://evil.example\\.shop.example", False),
        ("https://evil.example@www.shop.example", False),
        ("https://evil.example https://www.shop.example", False),
        ("shop.example", False),
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_an_origin_is_allowed_or_not(origin: str | None, is_good: bool) -> None:
    assert is_allowed(origin, ALLOWED) is is_good


def test_a_wildcard_has_its_own_port_and_null_is_named() -> None:
    assert is_allowed("https://a.shop.example:8443", ["https://*.shop.example:8443"])
    assert not is_allowed("https://a.shop.example", ["https://*.shop.example:8443"])
    assert not is_allowed("https://shop.example:8443", ["https://*.shop.example:8443"])
    assert is_allowed("null", ["null"])
    assert not is_allowed("null", [])
