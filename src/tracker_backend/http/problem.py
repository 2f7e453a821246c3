"""Every error as RFC 9457 `application/problem+json`: type, title, status, and a detail that helps."""

import logging
from html import escape
from typing import Any

import asyncpg
import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, NotFoundException, ValidationException

from tracker_backend.errors import (
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    TooLarge,
    TrackerError,
    Unauthorized,
    Unavailable,
)
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.route_options import ErrorShape, option
from tracker_backend.metrics import REFUSED

_BY_STATUS: dict[int, type[TrackerError]] = {
    kind.status: kind for kind in (Malformed, Unauthorized, Forbidden, NotFound, TooLarge, Invalid)
}
_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # how asyncpg meets a connection that the server has just ended
    asyncpg.OperatorInterventionError,  # starting, stopping
    asyncpg.InsufficientResourcesError,  # no connection left, disk full
)
_log = logging.getLogger(__name__)


def problem(request: AnyRequest, error: TrackerError) -> Response[Any]:
    """The answer for one of our errors."""
    REFUSED.labels(error.kind).inc()
    if isinstance(error, NotFound) and _is_page(request):
        return Response(_page(error), status_code=error.status, media_type="text/html")
    return _response(request, error.status, error.kind, error.title(), error.detail, error.headers)


def http_problem(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """The answer for an error of the framework: no such route, wrong method, a parameter that does not fit."""
    detail = error.detail
    if isinstance(error, ValidationException):
        extras = msgspec.convert(error.extra or [], list[dict[str, Any]])
        places = [f"`{extra.get('key', '')}`: {extra.get('message', '')}" for extra in extras]
        return problem(request, Invalid("; ".join(places) or detail))
    if isinstance(error, NotFoundException):
        return problem(request, NotFound(f"there is no {request.url.path}: /docs lists what there is."))
    kind = _BY_STATUS.get(error.status_code)
    REFUSED.labels(kind.kind if kind else str(error.status_code)).inc()
    if kind is None:
        title = error.detail
        return _response(request, error.status_code, "about:blank", title, detail, error.headers)
    return _response(request, error.status_code, kind.kind, kind.title(), detail, error.headers)


def unexpected(request: AnyRequest, error: Exception) -> Response[Any]:
    """A database that is away is 503, a value that no row can hold (U+0000) 422; anything else is a defect of ours:
    500, with the trace in the log only.
    """
    if isinstance(error, _AWAY):
        _log.warning("%s %s: the database did not answer: %r", request.method, request.url.path, error)
        return problem(request, Unavailable("the database did not answer in time: try again."))
    if isinstance(error, asyncpg.DataError):
        return problem(request, Invalid(f"the database cannot look for this: {error}."))
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(request, TrackerError("this is an error in the server: its log has the details."))


def _is_page(request: AnyRequest) -> bool:
    """Whether a person looks at the answer: a browser opens an address that is none of the API's."""
    accepts_pages = "text/html" in request.headers.get("accept", "")
    return accepts_pages and request.method == "GET" and option(request, "scope") in (None, "none")


def _page(error: TrackerError) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{error.status} - tracker-backend</title>'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}</style>"
        f'<h1>{escape(error.title())}</h1><p>{escape(error.detail)}</p><p><a href="/docs">The API</a></p></html>'
    )


def _response(
    request: AnyRequest, status: int, kind: str, title: str, detail: str, headers: dict[str, str] | None
) -> Response[dict[str, object]]:
    uri = kind if ":" in kind else f"/docs/errors#{kind}"
    shape: ErrorShape | None = option(request, "error_shape")
    if shape is not None:
        return Response(shape(detail), status_code=status, headers=headers)
    return Response(
        {"type": uri, "title": title, "status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


HANDLERS = {TrackerError: problem, HTTPException: http_problem, Exception: unexpected}
