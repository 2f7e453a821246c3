"""Finds the caller of a request: by a key, by the login of a browser, or locally where the server runs in open mode."""

import asyncio
from functools import lru_cache, partial
from urllib.parse import parse_qsl
from uuid import UUID

from msgspec import Struct

from tracker_backend.accounts import keys, projects, tickets
from tracker_backend.accounts.logins import Person
from tracker_backend.errors import Forbidden, Unauthorized
from tracker_backend.http.auth.authorization import ACTIONS, Scope, authorize_key, authorize_person, check_write
from tracker_backend.http.auth.key_uses import KeyUses
from tracker_backend.http.auth.login_sessions import SAFE_METHODS, LoginSessions
from tracker_backend.http.caller import Caller
from tracker_backend.http.client_address import ClientAddresses, is_local
from tracker_backend.http.request import Connection
from tracker_backend.http.ttl_cache import TtlCache
from tracker_backend.settings import Settings
from tracker_backend.storage.pool import Pool

_LONGEST_CACHED = 1024  # bytes of a query string; longer ones would fill the memory
_MOST_LOOK_UPS = 4  # at once: who guesses keys must not take all connections to the database


class _CachedKey(Struct, frozen=True):
    """A key, and the caller that it stands for while it is valid."""

    record: keys.KeyRecord
    caller: Caller


class Authentication:
    """Finds callers and checks what they may do. Raises Unauthorized or Forbidden."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        login_sessions: LoginSessions,
        addresses: ClientAddresses,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._login_sessions = login_sessions
        self._addresses = addresses
        self._look_ups = asyncio.Semaphore(_MOST_LOOK_UPS)
        self.key_uses = KeyUses(pool)
        self._keys = TtlCache(self._load_key)
        self._default_project: TtlCache[None, int] = TtlCache(lambda _: keys.default_project(pool))
        self._projects = TtlCache(partial(projects.get_settings, pool))

    async def authenticate(self, connection: Connection, scope: Scope, *, body_key: str | None = None) -> Caller:
        """The caller, if the scope is allowed. `body_key` is a key from the request's body, for dialects.

        A key goes before a cookie: a page of another site can send the browser's cookie, but knows no key.
        """
        digest, is_public_place = _key_digest(connection)
        if digest is None and body_key:
            digest, is_public_place = keys.digest(body_key), True
        if digest is not None:
            return await self._by_key(connection, digest, scope, is_public_place=is_public_place)
        if connection.scope["type"] == "websocket" and not self._login_sessions.is_same_origin(connection.headers):
            raise Forbidden("a page of another site may not open this WebSocket: its Origin is not this Host.")
        # A login never allows a write, so the cookie in a beacon of another site decides nothing: not even a refusal.
        is_foreign_write = scope == "write" and not self._login_sessions.is_same_origin(connection.headers)
        login = None if is_foreign_write else await self._login_sessions.find(connection)
        if login is None:
            return await self._without_key(connection, scope)
        return await self._by_login(*login, scope, _requested_project(connection))

    async def authenticate_person(self, connection: Connection) -> Person:
        """The person whose browser calls, of whatever role; Unauthorized when nobody is logged in."""
        found = await self._login_sessions.find(connection)
        if found is None:
            raise Unauthorized("log in first: POST /api/v1/login with `email` and `password`; a key does not do here.")
        return found[0]

    async def authenticate_ticket(self, connection: Connection, text: str) -> tuple[Caller, UUID]:
        """Uses up a ticket. Returns who asked for it, if they may still read, and the session that it is for."""
        async with self._look_ups:
            ticket = await tickets.use_ticket(self._pool, keys.digest(text))
        if ticket is None:
            raise Unauthorized(
                "this ticket is not known: it was used, or has expired. Each opens one stream, within"
                f" {tickets.LIFETIME_SECONDS} seconds; ask for another one."
            )
        if ticket.key is None and ticket.login is None:
            return await self._without_key(connection, "read"), ticket.session_id
        return await self._reader(ticket.project_id, ticket.key, ticket.login), ticket.session_id

    async def recheck_reader(self, caller: Caller) -> None:
        """Raises Unauthorized or Forbidden when a caller who was allowed to read no longer is."""
        if not caller.is_keyless:
            await self._reader(caller.project_id, caller.key, caller.login)

    async def _by_key(self, connection: Connection, digest: bytes, scope: Scope, *, is_public_place: bool) -> Caller:
        key = self._keys.peek(digest)
        if key is None or (is_public_place and not key.record.is_public):
            key = await self._find_key(digest, is_public_place=is_public_place)
        caller = _caller_of(key, scope)
        if _requested_project(connection) not in (None, caller.project_id):
            raise Forbidden("this key is another project's: leave `project_id` out, or use a key of that project.")
        if scope == "admin":  # a revoked key must not make keys and invitations that outlast it
            caller = _caller_of(await self._keys.get_fresh(digest), scope)
        if scope == "write" and not _is_safe(connection):  # any page may read how to record
            record = key.record
            check_write(connection.headers, record.settings, is_public=record.is_public, is_archived=record.is_archived)
        self.key_uses.add(digest)
        return caller

    async def _find_key(self, digest: bytes, *, is_public_place: bool) -> _CachedKey:
        key = await self._keys.get(digest)
        if key is None or (is_public_place and not key.record.is_public):
            raise Unauthorized(
                "this key is not known."
                if key is None
                else "only a project's public write key may stand in a URL or a body: use X-API-Key."
            )
        return key

    async def _load_key(self, digest: bytes) -> _CachedKey | None:
        async with self._look_ups:
            record = await keys.find_key(self._pool, digest)
        if record is None:
            return None
        return _CachedKey(record, Caller(record.project_id, f"key {record.prefix}", record.settings, key=digest))

    async def _by_login(self, person: Person, login: bytes, scope: Scope, project_id: int | None) -> Caller:
        if project_id is not None and project_id not in person.roles:  # they may have joined it within the second
            person = await self._login_sessions.find_login_fresh(login) or person
        chosen = authorize_person(person, scope, project_id)
        if scope == "admin":  # a login that has ended must not make keys and invitations that outlast it
            fresh = await self._login_sessions.find_login_fresh(login)
            if fresh is None:
                raise Unauthorized("this login has ended: log in again.")
            person, chosen = fresh, authorize_person(fresh, scope, chosen)
        settings, _ = await self._projects.get(chosen)
        return Caller(chosen, f"user {person.user_id}", settings, person, login=login)

    async def _without_key(self, connection: Connection, scope: Scope) -> Caller:
        """The local caller of a server in open mode (ADR 5)."""
        if not self._settings.is_open:
            raise Unauthorized("a key is needed: send it as `X-API-Key` or `Authorization: Bearer`; or log in.")
        if scope not in ("write", "read"):
            raise Unauthorized(
                f"to {ACTIONS[scope]} needs an admin key: make one with `tracker-backend key create --kind admin`."
            )
        if not is_local(connection, self._addresses.of(connection)):
            raise Unauthorized(
                "without a key only direct local calls are answered (HTTP/1.1, Host localhost, 127.0.0.1 or [::1], no"
                " proxy)."
            )
        project_id = await self._default_project.get(None)
        settings, is_archived = await self._projects.get(project_id)
        if scope == "write":
            check_write(connection.headers, settings, is_public=True, is_archived=is_archived)
        return Caller(project_id, "local", settings)

    async def _reader(self, project_id: int, key: bytes | None, login: bytes | None) -> Caller:
        """The caller that a key or a login stands for, if it may still read."""
        if key is not None:
            return _caller_of(await self._keys.get(key), "read")
        person = None if login is None else await self._login_sessions.find_login(login)
        if login is None or person is None:
            raise Unauthorized("this login has ended: log in again.")
        return await self._by_login(person, login, "read", project_id)


def _caller_of(key: _CachedKey | None, scope: Scope) -> Caller:
    if key is None:
        raise Unauthorized("this key is not known any more.")
    authorize_key(key.record, scope)
    return key.caller


def _is_safe(connection: Connection) -> bool:
    return connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS


def _key_digest(connection: Connection) -> tuple[bytes | None, bool]:
    """The SHA-256 of the request's key, and whether the key stood in the URL, where only public keys may stand."""
    headers = connection.headers
    if key := headers.get("x-api-key"):
        return keys.digest(key), False
    if authorization := headers.get("authorization"):
        kind, _, token = authorization.partition(" ")
        if kind.lower() == "bearer" and token.strip():
            return keys.digest(token.strip()), False
    query = connection.scope["query_string"]
    digest = (_digest_in(query) if len(query) <= _LONGEST_CACHED else _digest_in.__wrapped__(query)) if query else None
    return digest, digest is not None


def has_key(connection: Connection) -> bool:
    """Whether a key, of whatever kind, stands in the headers or in the URL."""
    return _key_digest(connection)[0] is not None


def _requested_project(connection: Connection) -> int | None:
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
