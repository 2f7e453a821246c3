"""CORS, on routes that trackers on other sites write to and on nothing else. It does not protect the server: a page of
another site can send a POST without it. It lets such a page's tracker read the answer.
"""

from typing import cast

from litestar import Response, route
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope

_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Tracker-Dropped, Retry-After",
}
_PREFLIGHT_HEADERS = {
    **_HEADERS,
    "Access-Control-Allow-Methods": "POST",
    # The star, because a page may wrap `fetch` and add headers of its own: its visitors would not be recorded.
    "Access-Control-Allow-Headers": "Content-Type, Content-Encoding, X-API-Key, Authorization, *",
    "Access-Control-Max-Age": "86400",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


async def add_cors_headers(message: Message, scope: Scope) -> None:
    """Adds the headers to answers and errors of routes that declare `cors`; for `before_send` of the app."""
    if message["type"] == "http.response.start":
        handler = cast("dict[str, object]", scope).get("route_handler")  # absent where no route fits
        if isinstance(handler, BaseRouteHandler) and handler.opt.get("cors"):
            message["headers"] = [*message["headers"], *_RAW_HEADERS]


def with_preflight(handlers: list[BaseRouteHandler]) -> list[BaseRouteHandler]:
    """The handlers, after one that answers the preflight requests of those that declare `cors`."""
    paths = sorted({path for handler in handlers if handler.opt.get("cors") for path in handler.paths})

    @route(paths, http_method="OPTIONS", status_code=204, include_in_schema=False)
    async def preflight() -> Response[None]:
        return Response(None, status_code=204, headers=_PREFLIGHT_HEADERS)

    return [preflight, *handlers]
