"""A route that does not say who may call it, or does not check it, keeps the server from starting."""

import pytest
from litestar import Litestar, get, post, websocket
from litestar.di import NamedDependency
from litestar.exceptions import ImproperlyConfiguredException
from litestar.params import FromPath, RawBody

from tracker_backend.http.caller import Caller
from tracker_backend.http.dependencies import DEPENDENCIES
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.route_options import RouteLine, check_routes, list_routes
from tracker_backend.http.streams import AnySocket


@get("/declares-none")
async def declares_none(request: AnyRequest) -> None: ...


@get("/misspells", scope="raed")
async def misspells(request: AnyRequest) -> None: ...


@get("/unknown-option", scope="none", cross_origin=True)
async def has_unknown_option(request: AnyRequest) -> None: ...


@websocket("/checks-nothing", scope="read")
async def checks_nothing(socket: AnySocket) -> None: ...


@get("/open", scope="none")
async def is_open() -> None: ...


@get("/things/{thing_id:int}", scope="admin")
async def reads(caller: NamedDependency[Caller], thing_id: FromPath[int]) -> None: ...


@post("/things", scope="write", cors=True)
async def writes(request: AnyRequest, body: RawBody) -> None: ...


def app_of(*handlers: object) -> Litestar:
    return Litestar(list(handlers), dependencies=DEPENDENCIES, openapi_config=None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (declares_none, "declares the scope None"),
        (misspells, "declares the scope 'raed'"),
        (has_unknown_option, "unknown options: cross_origin"),
        (checks_nothing, "declare `takes_tickets`"),
    ],
)
def test_a_route_is_refused_at_start_up(handler: object, message: str) -> None:
    with pytest.raises(ImproperlyConfiguredException, match=message):
        check_routes(app_of(is_open, handler))


def test_routes_that_declare_and_check_their_scope_are_listed() -> None:
    app = app_of(is_open, reads, writes)
    check_routes(app)
    assert list_routes(app) == [
        RouteLine("GET", "/open", "none", False),
        RouteLine("POST", "/things", "write", True),
        RouteLine("GET", "/things/{thing_id}", "admin", False),
    ]
