"""Who calls, and whether they may: keys, the open mode of a local server, and the limits of both."""

import re
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Literal

from litestar.datastructures import Headers
from msgspec import Struct

from tracker_backend.errors import Forbidden, Unauthorized
from tracker_backend.http.client_ip import client_ip, is_forwarded, networks
from tracker_backend.http.cors import option
from tracker_backend.http.limits import TokenBucket
from tracker_backend.http.request import Connection
from tracker_backend.queries import keys
from tracker_backend.settings import Settings
from tracker_backend.storage.pool import Pool

Scope = Literal["write", "read", "admin"]
DIALECT = "dialect"
"""Option of a route that has a limit of its own: the dialect's name."""
_CACHE_SECONDS = 1.0
_CACHE_KEYS = 10_000
_ALLOWS: dict[str, frozenset[str]] = {
    "write": frozenset({"write"}),
    "read": frozenset({"read"}),
    "admin": frozenset({"write", "read", "admin"}),
}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?")
_TO = {"write": "send data", "read": "read", "admin": "delete"}


class Caller(Struct, frozen=True):
    """Who calls: a project, by a key or as the keyless local caller."""

    project_id: int
    kind: Scope | None


class Access:
    """`check` finds the caller of a request or raises Unauthorized, Forbidden or LimitExceeded."""

    def __init__(self, settings: Settings, pool: Pool, default_project: int) -> None:
        self._open = settings.is_open
        self._pool = pool
        self._default_project = default_project
        self._trusted = networks(settings.trusted_proxies)
        self._keyless = TokenBucket(settings.limit_keyless)
        self._lookups = TokenBucket(settings.limit_keyless)
        self._by_key = TokenBucket(settings.limit_key)
        self._by_dialect = {"spectra": TokenBucket(settings.limit_spectra)}
        self._by_project = TokenBucket(settings.limit_project)
        self._cache: OrderedDict[str, tuple[float, keys.KeyRecord | None]] = OrderedDict()

    async def check(
        self, connection: Connection, scope: Scope, *, limited: bool = True, body_key: str | None = None
    ) -> Caller:
        """The caller, if they may do what `scope` says. `body_key` is a key that stood in the body."""
        headers = connection.headers  # made anew at each access
        address = client_ip(connection, self._trusted)
        key, is_public_place = _key_of(connection, headers)
        if key is None and body_key:
            key, is_public_place = body_key, True
        if key is None:
            if connection.scope["type"] == "websocket" and not _is_same_origin(headers):
                raise Forbidden("a page of another site may not open this WebSocket: its Origin is not this Host.")
            return self._keyless_caller(headers, scope, address, limited=limited)
        record = await self._find(key, address)
        now = datetime.now(UTC)
        if record is None or (is_public_place and record.kind != "write"):
            self._lookups.take(address)  # guessed keys cost the guesser, not the database
            raise Unauthorized(
                "this key is not known."
                if record is None
                else "only a write key may stand in a URL or a body: use X-API-Key."
            )
        if record.revoked_at is not None:
            raise Unauthorized("this key was revoked: use another one.")
        if record.expires_at is not None and record.expires_at <= now:
            raise Unauthorized(f"this key expired at {record.expires_at.isoformat()}: use another one.")
        if scope not in _ALLOWS[record.kind]:
            raise Forbidden(f"this is a {record.kind} key: to {_TO[scope]}, use a key of kind {scope}.")
        if limited:
            dialect = option(connection, DIALECT)
            if dialect in self._by_dialect:
                self._by_dialect[dialect].take((key, address))
            self._by_key.take((key, address))
            self._by_project.take(record.project_id)
        return Caller(record.project_id, record.kind)

    def _keyless_caller(self, headers: Headers, scope: Scope, address: str, *, limited: bool) -> Caller:
        if not self._open:
            raise Unauthorized("a key is needed: send it as `X-API-Key` or `Authorization: Bearer`.")
        if scope == "admin":
            raise Unauthorized("deleting needs an admin key: make one with `tracker-backend key create --kind admin`.")
        if not _is_local(headers, address):
            raise Unauthorized(
                "without a key only direct local calls are answered (Host localhost, 127.0.0.1 or [::1], no proxy)."
            )
        if limited:
            self._keyless.take(address)
        return Caller(self._default_project, None)

    async def _find(self, key: str, address: str) -> keys.KeyRecord | None:
        """The record of a key, at most a second old, so that a revoked key ends everywhere within that time."""
        now = time.monotonic()
        cached = self._cache.get(key)
        if cached is not None and now - cached[0] < _CACHE_SECONDS:
            return cached[1]
        self._lookups.take(address, 0)
        record = await keys.find_key(self._pool, key)
        self._cache[key] = (now, record)
        self._cache.move_to_end(key)
        if len(self._cache) > _CACHE_KEYS:
            self._cache.popitem(last=False)
        return record


def _key_of(connection: Connection, headers: Headers) -> tuple[str | None, bool]:
    """The key, and whether it stood in the URL, where only write keys may stand, like in a body."""
    if key := headers.get("x-api-key"):
        return key, False
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip(), False
    key = connection.query_params.get("key") if connection.scope["query_string"] else None
    return (str(key), True) if key else (None, False)


def _is_same_origin(headers: Headers) -> bool:
    """Not a page of another site. Browsers let any page open a WebSocket and read it, and tell whose it is."""
    origins, hosts = headers.getall("origin", []), headers.getall("host", [])
    if not origins:
        return True
    return len(origins) == len(hosts) == 1 and origins[0].lower().partition("://")[2] == hosts[0].lower()


def _is_local(headers: Headers, address: str) -> bool:
    """A request from this machine to this machine, not through a proxy: a foreign Host is DNS rebinding or a public
    name, and a remote caller could write any Host.
    """
    hosts = headers.getall("host", [])
    return (
        address in _LOOPBACK
        and not is_forwarded(headers)
        and len(hosts) == 1
        and _LOCAL_HOST.fullmatch(hosts[0].lower()) is not None
    )
