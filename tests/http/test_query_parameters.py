"""Query parameters that a route does not have are refused, in every dialect: a misspelled filter answers nothing."""

import httpx
import pytest
from litestar import Litestar

from tests.http import matrix
from tests.http.api import API, Json, check_problem, new_session
from tests.http.browsers import Browser
from tracker_backend.http.services import Services

pytestmark = pytest.mark.tiers("plain")

ROUTES = sorted(
    route for route, need in matrix.NEEDS.items() if need != "none" and not route.startswith("WEBSOCKET")
)  # of the socket: tests/live/test_refusals.py
OF_PEOPLE = [route for route in ROUTES if matrix.NEEDS[route] in ("login", "owner")]
READABLE = [route for route in ROUTES if route.startswith("GET") and route not in OF_PEOPLE]


def text_of(answer: httpx.Response) -> str:
    """The text of an error, in whichever shape."""
    body: Json = answer.json()
    return body["detail"] if "detail" in body else body["error"]


async def ask(client: httpx.AsyncClient, route: str, project: int, **parameters: object) -> httpx.Response:
    """A call that is well-formed but for these parameters."""
    method, _, path = route.partition(" ")
    world = matrix.World(project, new_session(), {})
    query: Json = {**matrix.QUERIES.get(route, {}), **parameters}
    return await client.request(method, matrix.filled(path, world), json=matrix.body_of(route, world), params=query)


@pytest.mark.parametrize("route", sorted(set(ROUTES) - set(OF_PEOPLE)))
async def test_a_parameter_that_a_route_does_not_have_is_refused(
    own_client: httpx.AsyncClient, project: int, route: str
) -> None:
    for unknown in ("nonsense", "Limit", "page-url", "q[]"):
        answer = await ask(own_client, route, project, **{unknown: ""})
        assert answer.status_code == 422, answer.text
        assert f"`{unknown}`" in text_of(answer)
        assert "project_id" in text_of(answer), "it lists what there is"


@pytest.mark.parametrize("route", OF_PEOPLE)
async def test_a_call_of_a_person_is_held_to_it_too(ann: Browser, project: int, route: str) -> None:
    method, _, path = route.partition(" ")
    body = matrix.body_of(route, matrix.World(project, new_session(), {}))
    answer = await ann.call(method, path.removeprefix(API), body, params={"nonsense": 1})
    check_problem(answer, 422, "invalid", "`nonsense`")


async def test_calls_without_a_login_are_held_to_it_too(stranger: Browser) -> None:
    for path, body in (
        ("/login", {"email": "ann@shop.example", "password": "a few words together"}),
        ("/links/look", {"token": "x"}),
    ):
        answer = await stranger.call("POST", path, body, params={"nonsense": 1})
        check_problem(answer, 422, "invalid", "`nonsense`")


async def test_the_error_lists_what_the_handler_declares(own_client: httpx.AsyncClient) -> None:
    answer = await own_client.get(f"{API}/sessions", params={"device": "mobile", "from": "2026-11-21"})
    check_problem(answer, 422, "invalid", "`device`", "device_type", "from", "min_duration", "cursor")
    long = await own_client.get(f"{API}/sessions", params={"x" * 5_000: 1})
    assert len(text_of(long)) < 1_000


@pytest.mark.parametrize("route", READABLE)
async def test_each_documented_parameter_is_known(
    standing_app: Litestar, own_client: httpx.AsyncClient, project: int, route: str
) -> None:
    documented = standing_app.openapi_schema.to_schema()["paths"]
    method, _, path = route.partition(" ")
    parameters = documented[path][method.lower()].get("parameters", [])
    names = [it["name"] for it in parameters if it["in"] == "query"]
    answer = await ask(own_client, route, project, **dict.fromkeys(names, ""), project_id=project)
    if answer.status_code == 422:
        assert "no such query parameter" not in text_of(answer)


async def test_who_may_not_call_is_told_that_first(standing_services: Services, stranger: Browser) -> None:
    assert standing_services
    check_problem(await stranger.call("GET", "/sessions", params={"nonsense": 1}), 401, "unauthorized")


async def test_files_and_pages_take_whatever_gets_past_a_cache(standing_client: httpx.AsyncClient) -> None:
    for path in ("/tracker.js", "/login", "/docs", "/docs/errors", "/docs/openapi.json", "/health", "/metrics"):
        answer = await standing_client.get(path, params={"v": "2026-11-21", "nonsense": ""})
        assert answer.status_code == 200, path
    answer = await standing_client.options(f"{API}/track", params={"v": 1})
    assert answer.status_code == 204
