"""What a route declares in its decorator beside its path. Litestar keeps these keywords in `handler.opt`.

    @get("/sessions", scope="read", summary="List sessions", tags=["read"])

| option | value |
| --- | --- |
| `scope` | what its caller must be allowed to do (`DeclaredScope`); every route has one, and it is checked first |
| `cors` | True: pages of other sites may call it and read its answers |
| `error_shape` | makes the body of an error from its text; without it an error is a problem (RFC 9457) |
| `extra_limit` | a `RouteLimit`, which counts beside the limits of the key and the project |
| `unlimited` | True: calls do not count for any rate limit |
| `key_in_body` | True: its handler authenticates with `read_ingest_request`, where no key stands before the body |
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
_OPTIONS = frozenset({"scope", "cors", "error_shape", "extra_limit", "unlimited", "key_in_body", "takes_tickets"})


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
    """Raises ImproperlyConfiguredException, at start-up, for a route that declares no scope, and for a WebSocket whose
    handler does not authenticate. `authorize_request` does it for all others.
    """
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
        if method == "WEBSOCKET" and not handler.opt.get("takes_tickets"):
            raise ImproperlyConfiguredException(
                f"{route} declares the scope {scope!r}, but nothing checks it: declare `takes_tickets` and call"
                " `authorize_stream`."
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
