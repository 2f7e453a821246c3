"""What a request says of its caller: its key, and the project that it asks for."""

from functools import lru_cache
from urllib.parse import parse_qsl

from litestar.datastructures import Headers

from tracker_backend.accounts import keys
from tracker_backend.errors import Forbidden
from tracker_backend.http.request import Connection

_LONGEST_CACHED = 1024  # bytes of a query string; longer ones would fill the memory


def key_digest(connection: Connection, headers: Headers) -> tuple[bytes | None, bool]:
    """The SHA-256 of the request's key, and whether the key stood in the URL, where only public keys may stand."""
    if key := headers.get("x-api-key"):
        return keys.digest(key), False
    if authorization := headers.get("authorization"):
        kind, _, token = authorization.partition(" ")
        if kind.lower() == "bearer" and token.strip():
            return keys.digest(token.strip()), False
    query = connection.scope["query_string"]
    digest = (_digest_in(query) if len(query) <= _LONGEST_CACHED else _digest_in.__wrapped__(query)) if query else None
    return digest, digest is not None


def requested_project(connection: Connection) -> int | None:
    """The query parameter `project_id`; Forbidden where it is no number. None without it."""
    if b"project_id" not in connection.scope["query_string"]:  # before the parameters are parsed
        return None
    text = connection.query_params.get("project_id")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise Forbidden(f"`project_id` is {text!r}, which is no project's: GET /api/v1/projects lists yours.")
    return int(text)


@lru_cache(maxsize=1024)
def _digest_in(query: bytes) -> bytes | None:
    """The SHA-256 of the key in a query string. Cached: all pages of a project send the same."""
    key = next((value for name, value in parse_qsl(query.decode("latin-1")) if name == "key"), None)
    return None if key is None else keys.digest(key)
