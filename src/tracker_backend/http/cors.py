"""CORS, on routes that trackers on other sites write to and on nothing else. It is no protection of the server: a
foreign page's POST runs all the same. It lets such a page's tracker read the answer.
"""

from typing import Any, cast

from litestar import Response, route
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from tracker_backend.http.request import AnyRequest, Connection

OPTION = "cors"
HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Tracker-Dropped, Retry-After",
}
_PREFLIGHT = {
    **HEADERS,
    "Access-Control-Allow-Methods": "POST",
    # Whatever a page adds that wraps `fetch`: without the star, not one of its visitors would be recorded.
    "Access-Control-Allow-Headers": "Content-Type, Content-Encoding, X-API-Key, Authorization, *",
    "Access-Control-Max-Age": "86400",
}


def option(request: Connection, name: str) -> Any:
    """An option of the request's route; None without one."""
    handler = cast("dict[str, object]", request.scope).get("route_handler")  # no route, no handler
    return handler.opt.get(name) if isinstance(handler, HTTPRouteHandler) else None


def headers_for(request: AnyRequest) -> dict[str, str]:
    """The headers for an answer to this request: none unless its route has them."""
    return HEADERS if option(request, OPTION) else {}


def with_preflight(handlers: list[BaseRouteHandler]) -> list[BaseRouteHandler]:
    """The handlers, after one that answers the preflight requests of those with CORS."""
    paths = sorted({path for handler in handlers if handler.opt.get(OPTION) for path in handler.paths})

    @route(paths, http_method="OPTIONS", status_code=204, include_in_schema=False)
    async def preflight() -> Response[None]:
        return Response(None, status_code=204, headers=_PREFLIGHT)

    return [preflight, *handlers]
