"""Who calls, and whether they may: keys, browsers that are logged in, a local server's open mode; and the limits."""

import asyncio
import hmac
import logging
import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import asyncpg
from litestar.datastructures import Headers
from msgspec import Struct

from tracker_backend.errors import Forbidden, Unauthorized
from tracker_backend.http.client_ip import client_ip, is_forwarded, networks
from tracker_backend.http.cookie import Cookies
from tracker_backend.http.cors import option
from tracker_backend.http.limits import TokenBucket
from tracker_backend.http.origin import is_allowed, is_same_origin
from tracker_backend.http.remembered import Remembered
from tracker_backend.http.request import Connection
from tracker_backend.ingest.policy import ProjectSettings
from tracker_backend.queries import keys, logins
from tracker_backend.queries.logins import Person, Role
from tracker_backend.settings import Settings
from tracker_backend.storage.pool import Pool

Scope = Literal["write", "read", "edit", "admin"]
"""To send data; to look at it; to change the project and delete sessions; to say who may do what and erase visitors."""
DIALECT = "dialect"
"""Option of a route that has a limit of its own: the dialect's name."""
CSRF_HEADER = "x-csrf-token"
_USED_SECONDS = 30.0
_KEY_SCOPES: dict[keys.Kind, frozenset[Scope]] = {
    "write": frozenset({"write"}),
    "read": frozenset({"read"}),
    "admin": frozenset({"write", "read", "edit", "admin"}),
}
_ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    "viewer": frozenset({"read"}),
    "editor": frozenset({"read", "edit"}),
    "owner": frozenset({"read", "edit", "admin"}),
}
_KEY_FOR: dict[Scope, str] = {"write": "write", "read": "read", "edit": "admin", "admin": "admin"}
_TO: dict[Scope, str] = {
    "write": "send data",
    "read": "read",
    "edit": "change or delete",
    "admin": "manage people and keys, or erase visitors",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?")
_log = logging.getLogger(__name__)


class Caller(Struct, frozen=True):
    """Who calls, in which project: by a key, as a person, or as the keyless local caller."""

    project_id: int
    actor: str
    """As the audit log names them: `key tb_r_AbCdE`, `user 7`, `local`."""
    settings: ProjectSettings
    person: Person | None = None


class Access:
    """`check` finds the caller of a request or raises Unauthorized, Forbidden or LimitExceeded."""

    def __init__(self, settings: Settings, pool: Pool, default_project: int, secret: bytes) -> None:
        self._open = settings.is_open
        self._pool = pool
        self._default_project = default_project
        self._trusted = networks(settings.trusted_proxies)
        self._is_https = settings.public_url is not None and settings.public_url.startswith("https://")
        self._keyless = TokenBucket(settings.limit_keyless)
        self._lookups = TokenBucket(settings.limit_keyless)
        self._attempts = TokenBucket(settings.limit_login)
        self._by_key = TokenBucket(settings.limit_key)
        self._by_dialect = {"spectra": TokenBucket(settings.limit_spectra)}
        self._by_project = TokenBucket(settings.limit_project)
        self.cookies = Cookies(secret)
        self._keys = Remembered(partial(keys.find_key, pool))
        self._logins = Remembered(partial(logins.find_login, pool))
        self._projects = Remembered(partial(logins.project_settings, pool))
        self._used: set[bytes] = set()
        self._noting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to note when keys were last used."""
        self._noting = asyncio.create_task(self._note_uses(), name="keys-used")

    async def stop(self) -> None:
        """Notes the last uses."""
        if self._noting is not None:
            self._noting.cancel()
            with suppress(asyncio.CancelledError):
                await self._noting
            await self._note()

    async def check(
        self, connection: Connection, scope: Scope, *, limited: bool = True, body_key: str | None = None
    ) -> Caller:
        """The caller, if they may do what `scope` says. `body_key` is a key that stood in the body."""
        headers = connection.headers  # made anew at each access
        address = self.address(connection)
        key, is_public_place = _key_of(connection, headers)
        if key is None and body_key:
            key, is_public_place = body_key, True
        if key is not None:
            return await self._by_key_of(
                connection, scope, key, address, is_public_place=is_public_place, limited=limited
            )
        if connection.scope["type"] == "websocket" and not is_same_origin(headers):
            raise Forbidden("a page of another site may not open this WebSocket: its Origin is not this Host.")
        person = await self._person(connection, headers, address)
        if person is not None:
            return await self._by_person(connection, scope, person, address, limited=limited)
        return await self._keyless_caller(headers, scope, address, limited=limited)

    async def person(self, connection: Connection) -> Person:
        """The person whose browser calls; Unauthorized when nobody is logged in."""
        person = await self._person(connection, connection.headers, self.address(connection))
        if person is None:
            raise Unauthorized("log in first: POST /api/v1/login with `email` and `password`.")
        return person

    async def count_attempt(self, connection: Connection, account: str) -> None:
        """Counts an attempt to log in, of this address and on this account; LimitExceeded after too many."""
        self._attempts.take(("address", self.address(connection)))
        self._attempts.take(("account", account))

    def address(self, connection: Connection) -> str:
        """Where a call comes from, past trusted proxies."""
        return client_ip(connection, self._trusted)

    def is_secure(self, connection: Connection) -> bool:
        """Whether the caller's browser came by HTTPS."""
        if self._is_https or connection.scope["scheme"] in ("https", "wss"):
            return True
        return bool(self._trusted) and connection.headers.get("x-forwarded-proto") == "https"

    async def _by_key_of(
        self, connection: Connection, scope: Scope, key: str, address: str, *, is_public_place: bool, limited: bool
    ) -> Caller:
        digest = keys.digest(key)
        if not self._keys.knows(digest):
            self._lookups.take(address, 0)
        record = await self._keys.find(digest)
        if record is None or (is_public_place and not record.is_public):
            self._lookups.take(address)  # guessed keys cost the guesser, not the database
            raise Unauthorized(
                "this key is not known."
                if record is None
                else "only a project's public write key may stand in a URL or a body: use X-API-Key."
            )
        if record.revoked_at is not None:
            raise Unauthorized("this key was revoked: use another one.")
        if record.expires_at is not None and record.expires_at <= datetime.now(UTC):
            raise Unauthorized(f"this key expired at {record.expires_at.isoformat()}: use another one.")
        if scope not in _KEY_SCOPES[record.kind]:
            raise Forbidden(f"this is a {record.kind} key: to {_TO[scope]}, use a key of kind {_KEY_FOR[scope]}.")
        if scope == "write":
            _check_write(
                connection.headers, record.settings, is_public=record.is_public, is_archived=record.is_archived
            )
        self._used.add(digest)
        if limited:
            dialect = option(connection, DIALECT)
            if dialect in self._by_dialect:
                self._by_dialect[dialect].take((key, address))
            self._by_key.take((key, address))
            self._by_project.take(record.project_id)
        return Caller(record.project_id, f"key {record.prefix}", record.settings)

    async def _person(self, connection: Connection, headers: Headers, address: str) -> Person | None:
        """Who is logged in; Forbidden for a write that may be another site's."""
        token = self.cookies.token_in(headers.get("cookie"))
        if token is None:
            return None
        person = await self._logins.find(keys.digest(token))
        if person is None or person.expires_at <= datetime.now(UTC):
            return None
        is_write = connection.scope["type"] == "http" and connection.scope["method"] not in _SAFE
        if is_write:
            sent = headers.get(CSRF_HEADER, "").encode()
            if not is_same_origin(headers) or not hmac.compare_digest(sent, self.cookies.csrf_token(token).encode()):
                raise Forbidden(
                    "a browser that is logged in writes with the header X-CSRF-Token, from a page of this server:"
                    " GET /api/v1/me tells the token."
                )
        return person

    async def _by_person(
        self, connection: Connection, scope: Scope, person: Person, address: str, *, limited: bool
    ) -> Caller:
        asked = connection.query_params.get("project_id")
        if asked is None:
            project_id = next(iter(person.roles), None)
        else:
            project_id = int(asked) if asked.isdecimal() and len(asked) < 10 else None
        if project_id is None or project_id not in person.roles:
            told = "you are a member of no project" if asked is None else f"you are no member of a project {asked}"
            raise Forbidden(f"{told}: ask an owner for an invitation.")
        role = person.roles[project_id]
        if scope not in _ROLE_SCOPES[role]:
            raise Forbidden(
                "data is sent with a write key, not by a person who is logged in."
                if scope == "write"
                else f"you are {role} of project {project_id}: to {_TO[scope]}, ask an owner for another role."
            )
        if limited:
            self._by_key.take((person.user_id, address))
        settings, _ = await self._projects.find(project_id)
        return Caller(project_id, f"user {person.user_id}", settings, person)

    async def _keyless_caller(self, headers: Headers, scope: Scope, address: str, *, limited: bool) -> Caller:
        if not self._open:
            raise Unauthorized("a key is needed: send it as `X-API-Key` or `Authorization: Bearer`; or log in.")
        if scope not in ("write", "read"):
            raise Unauthorized(
                f"to {_TO[scope]} needs an admin key: make one with `tracker-backend key create --kind admin`."
            )
        if not _is_local(headers, address):
            raise Unauthorized(
                "without a key only direct local calls are answered (Host localhost, 127.0.0.1 or [::1], no proxy)."
            )
        settings, is_archived = await self._projects.find(self._default_project)
        if scope == "write":
            _check_write(headers, settings, is_public=True, is_archived=is_archived)
        if limited:
            self._keyless.take(address)
        return Caller(self._default_project, "local", settings)

    async def _note_uses(self) -> None:
        while True:
            await asyncio.sleep(_USED_SECONDS)
            await self._note()

    async def _note(self) -> None:
        used, self._used = self._used, set()
        if used:
            try:
                await keys.use_keys(self._pool, sorted(used))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.debug("the last use of %d keys was not noted: %s", len(used), error)


def _check_write(headers: Headers, settings: ProjectSettings, *, is_public: bool, is_archived: bool) -> None:
    """Forbidden where the project takes no data, or none from this page."""
    if is_archived:
        raise Forbidden("this project is archived and takes no data: restore it first.")
    if is_public and settings.allowed_origins:
        origin = headers.get("origin")
        if not is_allowed(origin, settings.allowed_origins):
            told = "a call without `Origin`" if origin is None else f"the origin {origin}"
            raise Forbidden(
                f"{told} may not send to this project, only {', '.join(settings.allowed_origins)}: add it to the"
                " project's `allowed_origins`, or send with a secret write key."
            )


def _key_of(connection: Connection, headers: Headers) -> tuple[str | None, bool]:
    """The key, and whether it stood in the URL, where only public keys may stand, like in a body."""
    if key := headers.get("x-api-key"):
        return key, False
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip(), False
    key = connection.query_params.get("key") if connection.scope["query_string"] else None
    return (str(key), True) if key else (None, False)


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
