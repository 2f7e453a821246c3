"""Every route by every kind of caller: who gets in, and how the others are refused.

Routes and scopes are those that the app declares.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from litestar import Litestar

from tests.conftest import Server, Servers
from tests.http import matrix
from tests.http.api import Json
from tests.http.conftest import Standing
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")

SETTINGS = Settings(
    pool_min=1,
    pool_max=8,
    auth="required",
    limit_keyless=0,
    limit_key=0,
    limit_spectra=0,
    limit_project=0,
    limit_login=0,
)


class Answer:
    """Status and text of an answer; of a stream without an end what it began with."""

    def __init__(self, status: int, text: bytes) -> None:
        self.status = status
        self.text = text


async def ask(app: Litestar, route: str, world: matrix.World, caller: matrix.Caller) -> Answer:
    """Calls a route as somebody from elsewhere, straight through ASGI: WebSockets and endless streams as well."""
    method, _, path = route.partition(" ")
    path = matrix.filled(path, world)
    body = matrix.body_of(route, world)
    headers = {
        "host": "tracker.example",
        "origin": "http://tracker.example",
        "content-type": "application/json",
        **caller.headers,
    }
    query: Json = {**matrix.QUERIES.get(route, {}), **caller.parameters_on(matrix.NEEDS[route])}
    scope: dict[str, Any] = {
        "type": "websocket" if method == "WEBSOCKET" else "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        **({} if method == "WEBSOCKET" else {"method": method}),
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(query).encode(),
        "headers": [(name.encode(), str(value).encode()) for name, value in headers.items()],
        "client": ("203.0.113.9", 50000),
        "server": ("tracker.example", 80),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        "state": {},
    }
    sent: asyncio.Queue[Any] = asyncio.Queue()
    received: asyncio.Queue[Any] = asyncio.Queue()
    is_socket = scope["type"] == "websocket"
    received.put_nowait(
        {"type": "websocket.connect"}
        if is_socket
        else {
            "type": "http.request",
            "body": msgspec.json.encode(body) if body is not None else b"",
            "more_body": False,
        }
    )
    handled: Any = app
    call = asyncio.create_task(handled(scope, received.get, sent.put))
    try:
        return await _answer(sent, call, is_endless=path.endswith("/live") and method in ("GET", "WEBSOCKET"))
    finally:
        received.put_nowait(
            {"type": "websocket.disconnect", "code": 1000} if is_socket else {"type": "http.disconnect"}
        )
        await call


async def _answer(sent: "asyncio.Queue[Any]", call: "asyncio.Task[Any]", *, is_endless: bool) -> Answer:
    status, text = 0, b""
    while True:
        following = asyncio.create_task(sent.get())
        await asyncio.wait({following, call}, return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            following.cancel()
            call.result()
            return Answer(status, text)
        message = following.result()
        match message["type"]:
            case "websocket.accept":
                return Answer(101, text)
            case "websocket.close":
                return Answer(message.get("code", 1000), text)
            case "http.response.start" | "websocket.http.response.start":
                status = message["status"]
                if is_endless and status == 200:
                    return Answer(status, text)
            case _:
                text += message.get("body", b"")
                if not message.get("more_body"):
                    return Answer(status, text)


@pytest.fixture(scope="module")
async def guarded(servers: Servers) -> AsyncIterator[Standing]:
    """One app a tier that asks everybody for a key, for all of this module."""
    assert servers, "they end after the apps"
    async with AsyncExitStack() as stack:
        yield Standing(stack, SETTINGS)


@pytest.fixture
async def app(guarded: Standing, tier: str, server: Server) -> Litestar:
    return await guarded.of(tier, server)


async def fill(app: Litestar, world: matrix.World) -> None:
    """A session of ours in every series, with the canary in it."""
    admin = world.callers["an admin key"]
    for route in ("POST /api/v1/sessions", "POST /api/v1/track", "POST /api/v1/track/recording"):
        answer = await ask(app, route, world, admin)
        assert answer.status == 201, answer.text
    answer = await ask(app, "POST /api/v1/track/screenshot", world, admin)
    assert answer.status == 201, answer.text
    world.found["screenshot_id"] = msgspec.json.decode(answer.text)["screenshot_id"]


def test_what_is_kept_by_hand_is_of_routes_that_exist() -> None:
    by_hand = {*matrix.STRICTER, *matrix.QUERIES, *(route for route, _ in matrix.OTHERWISE), *matrix.EXAMPLES}
    assert by_hand <= matrix.NEEDS.keys()


@pytest.mark.parametrize("route", sorted(matrix.NEEDS))
async def test_each_caller_gets_what_is_theirs(app: Litestar, route: str) -> None:
    services: Services = app.state["services"]
    world = await matrix.make_world(services)
    await fill(app, world)
    for name in world.callers:
        caller = world.callers[name]
        answer = await ask(app, route, world, caller)
        expected = caller.status(matrix.NEEDS[route])
        told = f"{caller.name} on {route}: {answer.status} {answer.text[:300]!r}"
        if expected is not None:
            assert answer.status in {expected, *matrix.OTHERWISE.get((route, expected), ())}, told
        else:
            assert answer.status not in (0, 401, 403, 405, 500, 503), told
        if not caller.is_ours:
            assert matrix.CANARY.encode() not in answer.text, told
        if expected is None and caller.is_ours and matrix.NEEDS[route] in ("edit", "admin") and "GET" not in route:
            world = await matrix.make_world(services)  # it may have changed or removed what the next one needs
            await fill(app, world)
