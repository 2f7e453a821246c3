"""CORS, on routes that trackers on other sites write to and on nothing else. It does not protect the server: a page of
another site can send a POST without it. It lets such a page's tracker read the answer.

An answer names the origin that asked, and allows credentials: beacons are always sent with them, and pages wrap
`fetch` to add them. No answer of these routes depends on a cookie: they are authorized by key, and a login never allows
a write (`authorization`) nor is looked at in a call from another site (`login_sessions`). Refusals can be read too: a
tracker takes an answer that it cannot read for an outage, and would send again for ever.
"""

from typing import cast

from litestar import Response, route
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope

from tracker_backend.http.request import AnyRequest

_EXPOSED = "X-Tracker-Dropped, Retry-After"
_ALWAYS_ALLOWED = "Content-Type, Content-Encoding, X-API-Key, Authorization, *"
"""With the star, because a page may wrap `fetch` and add headers of its own: its visitors would not be recorded. In
requests with credentials it is no wildcard, therefore a preflight is also answered with the names that it asks for.
"""
_PREFLIGHT_SECONDS = "86400"


async def add_cors_headers(message: Message, scope: Scope) -> None:
    """Adds the headers to answers and errors of routes that declare `cors`; for `before_send` of the app."""
    if message["type"] == "http.response.start" and is_for_trackers(scope):
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        added = [(name.lower().encode(), value.encode("latin-1")) for name, value in _headers_for(origin).items()]
        message["headers"] = [*message["headers"], *added]


def is_for_trackers(scope: Scope) -> bool:
    """Whether the route of a request is one that trackers on other sites call."""
    handler = cast("dict[str, object]", scope).get("route_handler")  # absent where no route fits
    return isinstance(handler, BaseRouteHandler) and bool(handler.opt.get("cors"))


def with_preflight(handlers: list[BaseRouteHandler]) -> list[BaseRouteHandler]:
    """The handlers, and before each path of those that declare `cors` one that answers its preflight requests.

    One a path: a handler's paths are a set, whose order would become that of the routes in `/docs`.
    """
    found: dict[str, BaseRouteHandler] = {}
    listed: list[BaseRouteHandler] = []
    for handler in handlers:
        for path in sorted(handler.paths) if handler.opt.get("cors") else []:
            if path not in found:
                found[path] = route(path, http_method="OPTIONS", status_code=204, include_in_schema=False)(_preflight)
                listed.append(found[path])
        listed.append(handler)
    return listed


async def _preflight(request: AnyRequest) -> Response[None]:
    asked = request.headers
    origin = asked.get("origin")
    wanted = asked.get("access-control-request-headers")
    headers = {
        **_headers_for(None if origin is None else origin.encode("latin-1")),
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": f"{wanted}, {_ALWAYS_ALLOWED}" if wanted else _ALWAYS_ALLOWED,
        "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Private-Network",
    }
    if asked.get("access-control-request-private-network") == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"  # a public site, a server in the visitor's network
    return Response(None, status_code=204, headers=headers)


def _headers_for(origin: bytes | None) -> dict[str, str]:
    """The headers of an answer to this origin; a caller without one is no page."""
    headers = {"Access-Control-Expose-Headers": _EXPOSED, "Vary": "Origin"}
    if origin is None:
        return {**headers, "Access-Control-Allow-Origin": "*"}
    named = {"Access-Control-Allow-Origin": origin.decode("latin-1"), "Access-Control-Allow-Credentials": "true"}
    return {**headers, **named}
