"""Ids in addresses: any text, percent-encoded.

Servers give the path decoded, in which an id `a/b` that was sent as `a%2Fb` is two segments. So routes are found by the
path as it was sent: a segment with an escape is an id and no word of a route, and is decoded after its route is found.
"""

from typing import Any, cast
from urllib.parse import quote, unquote

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

_IS_ESCAPED = "tracker_escaped_path"
_SESSIONS = "/api/sessions/"
_ONLY_POST = frozenset({"heartbeat", "end"})


def keep_escapes(app: ASGIApp) -> ASGIApp:
    """The app, with segments that are ids still escaped in the path by which it finds routes."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            sent = cast("dict[str, Any]", scope)  # hosts may leave the raw path out; a WebSocket has no method
            path = routing_path(scope["path"], sent.get("raw_path") or b"", sent.get("method", "GET"))
            if path is not None:
                scope["path"] = path
                scope["state"][_IS_ESCAPED] = True
        await app(scope, receive, send)

    return handle


class DecodedParameters(ASGIMiddleware):
    """Decodes the parameters of a path that was kept escaped."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Passes the call on with its parameters decoded."""
        if _IS_ESCAPED in scope["state"]:
            found = cast("dict[str, Any]", scope["path_params"]).items()
            # Not changed in place: the router gives them again.
            scope["path_params"] = {name: unquote(it) if isinstance(it, str) else it for name, it in found}
        await next_app(scope, receive, send)


def routing_path(path: str, raw: bytes, method: str) -> str | None:
    """The path with ids escaped; None where nothing is to be escaped."""
    sent = raw.decode("latin-1")
    if "%" not in sent:
        sent = path
    elif unquote(sent) != path:
        return None  # a host that serves this app below a path has cut it off
    segments = sent.split("/")
    ids = {place for place, segment in enumerate(segments) if "%" in segment} | _ids_like_words(path, method)
    if not ids:
        return None
    return "/".join(_escaped(unquote(it)) if place in ids else it for place, it in enumerate(segments))


def _ids_like_words(path: str, method: str) -> set[int]:
    """The places in a dialect's path of ids that are also a word of a route, where only an id can be meant."""
    if not path.startswith(_SESSIONS):
        return set()
    words = path.split("/")
    is_start = len(words) == 4 and method in ("POST", "OPTIONS")
    if words[3] == "start" and not is_start:
        return {3}
    return {4} if method == "GET" and len(words) == 5 and words[4] in _ONLY_POST else set()


def _escaped(segment: str) -> str:
    """A segment that equals no word of a route."""
    first, rest = segment[:1], segment[1:]
    return "".join(f"%{byte:02X}" for byte in first.encode()) + quote(rest, safe="")
