"""What a route declares in its decorator beside its path. Litestar keeps these keywords in `handler.opt`.

    @get("/sessions", scope="read", summary="List sessions", tags=["read"])

| option | value |
| --- | --- |
| `scope` | what its caller must be allowed to do (`DeclaredScope`); every route has one |
| `cors` | True: pages of other sites may call it and read its answers |
| `error_shape` | makes the body of an error from its text; without it an error is a problem (RFC 9457) |
| `extra_limit` | a `RouteLimit`, which counts beside the limits of the key and the project |
| `unlimited` | True: calls do not count for any rate limit |
| `takes_tickets` | True: its handler authenticates with `authorize_stream`, by a ticket or like other reads |
"""

from collections.abc import Callable
from typing import Any, Literal, cast, get_args

from litestar import Litestar
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler
from litestar.routes import ASGIRoute, HTTPRoute
from msgspec import Struct

from tracker_backend.http.auth.authorization import Scope
from tracker_backend.http.request import Connection

DeclaredScope = Literal[Scope, "login", "account", "none"]
"""A scope of keys and roles; or `login`: a person who is logged in; `account`: a person, also one without a project, or
a caller who may read; `none`: anybody.
"""
ErrorShape = Callable[[str], dict[str, object]]
_OPTIONS = frozenset({"scope", "cors", "error_shape", "extra_limit", "unlimited", "takes_tickets"})
_ENFORCED_BY: dict[str, frozenset[str]] = {
    "write": frozenset({"caller", "body"}),  # `read_ingest_request` authenticates, as a key may stand in the body
    "read": frozenset({"caller"}),
    "edit": frozenset({"caller"}),
    "admin": frozenset({"caller"}),
    "login": frozenset({"person"}),
    "account": frozenset({"account"}),
}
"""The parameters, by scope, of which a handler needs one: nothing else checks what it declares."""


class RouteLine(Struct, frozen=True):
    """A route as a table of them has it."""

    method: str
    """`GET`, …, or `WEBSOCKET`."""
    path: str
    """With its parameters as `{name}`."""
    scope: DeclaredScope
    cors: bool


def option(connection: Connection, name: str) -> Any:
    """An option of the connection's route; None without one, and where there is no such route."""
    handler = cast("dict[str, object]", connection.scope).get("route_handler")
    return handler.opt.get(name) if isinstance(handler, BaseRouteHandler) else None


def list_routes(app: Litestar) -> list[RouteLine]:
    """The app's routes by path and method, without those that answer preflight requests."""
    return sorted(
        (
            RouteLine(method, plain_path(path), handler.opt["scope"], bool(handler.opt.get("cors")))
            for method, path, handler in _handlers(app)
        ),
        key=lambda line: (line.path, line.method),
    )


def check_routes(app: Litestar) -> None:
    """Raises ImproperlyConfiguredException, at start-up, for a route that declares no scope or does not check it."""
    for method, path, handler in _handlers(app):
        route = f"{method} {path} ({handler.handler_name})"
        scope = handler.opt.get("scope")
        if scope not in get_args(DeclaredScope):
            raise ImproperlyConfiguredException(
                f"{route} declares the scope {scope!r}: give its decorator `scope=` and one of"
                f" {', '.join(get_args(DeclaredScope))}."
            )
        unknown = handler.opt.keys() - _OPTIONS
        if unknown:
            raise ImproperlyConfiguredException(f"{route} declares unknown options: {', '.join(sorted(unknown))}.")
        needed = _ENFORCED_BY.get(str(scope))
        if (
            needed
            and not handler.opt.get("takes_tickets")
            and needed.isdisjoint(handler.parsed_fn_signature.parameters)
        ):
            raise ImproperlyConfiguredException(
                f"{route} declares the scope {scope!r}, but nothing checks it: give its handler the parameter"
                f" {' or '.join(sorted(needed))}."
            )


def _handlers(app: Litestar) -> list[tuple[str, str, BaseRouteHandler]]:
    found: list[tuple[str, str, BaseRouteHandler]] = []
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            handlers = [(method, handler) for handler in route.route_handlers for method in handler.http_methods]
            found += [(method, route.path, handler) for method, handler in handlers if method != "OPTIONS"]
        elif not isinstance(route, ASGIRoute):
            found.append(("WEBSOCKET", route.path, route.route_handler))
    return found


def plain_path(path: str) -> str:
    """`/sessions/{session_id:str}` as `/sessions/{session_id}`."""
    parts = (f"{part.partition(':')[0]}}}" if part.startswith("{") else part for part in path.strip("/").split("/"))
    return "/" + "/".join(parts)
