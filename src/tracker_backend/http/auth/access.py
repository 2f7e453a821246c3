"""Who calls, and whether they may: keys, browsers that are logged in, a local server's open mode; and the limits."""

from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Literal
from urllib.parse import parse_qsl
from uuid import UUID

from litestar.datastructures import Headers
from msgspec import Struct

from tracker_backend.accounts import keys, projects, tickets
from tracker_backend.accounts.logins import Person, Role
from tracker_backend.accounts.project_settings import ProjectSettings
from tracker_backend.errors import Forbidden, Unauthorized
from tracker_backend.http.auth.cookies import Cookies
from tracker_backend.http.auth.key_uses import KeyUses
from tracker_backend.http.auth.login_sessions import SAFE, Browsers
from tracker_backend.http.auth.origin import is_allowed
from tracker_backend.http.client_address import client_ip, counted, is_from_proxy, is_local, networks
from tracker_backend.http.cors import option
from tracker_backend.http.limits.redis_limits import SharedLimits
from tracker_backend.http.limits.token_bucket import Asked, Limits
from tracker_backend.http.request import Connection
from tracker_backend.http.ttl_cache import Remembered
from tracker_backend.settings import Settings
from tracker_backend.storage.pool import Pool

Scope = Literal["write", "read", "edit", "admin"]
"""To send data; to look at it; to change the project and delete sessions; to say who may do what and erase visitors."""
DIALECT = "dialect"
"""Option of a route that has a limit of its own: the dialect's name."""
_CACHED = 1024  # bytes of a query string; longer ones would fill the memory
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
    "edit": "change the project, see its keys or delete sessions",
    "admin": "do what owners do (people, keys, audit log, erasure, archiving or deleting the project)",
}


class Caller(Struct, frozen=True):
    """Who calls, in which project: by a key, as a person, or as the keyless local caller."""

    project_id: int
    actor: str
    """As the audit log names them: `key tb_r_AbCdE`, `user 7`, `local`."""
    settings: ProjectSettings
    person: Person | None = None
    key: bytes | None = None
    """The digest of the key that was given."""
    login: bytes | None = None
    """The digest of the login's token, of a person."""


class _Key(Struct, frozen=True):
    """What is known of a key, and who calls with it, while it is valid."""

    record: keys.KeyRecord
    caller: Caller


class Access:
    """`check` finds the caller of a request or raises Unauthorized, Forbidden or LimitExceeded."""

    def __init__(self, settings: Settings, pool: Pool, secret: bytes) -> None:
        self._settings = settings
        self._pool = pool
        self._trusted = networks(settings.trusted_proxies)
        self._shared = None if settings.redis_url is None else SharedLimits(settings.redis_url, secret)
        self._limits = Limits(self._shared)
        self.cookies = Cookies(secret)
        self.browsers = Browsers(pool, self.cookies, settings.public_url)
        self.key_uses = KeyUses(pool)
        self._keys = Remembered(self._look_up)
        self._default: Remembered[None, int] = Remembered(lambda _: keys.default_project(pool))
        self._projects = Remembered(partial(projects.get_settings, pool))

    def start(self) -> None:
        """Begins what goes on beside the calls."""
        self.key_uses.start()

    async def stop(self) -> None:
        """Ends that, and leaves Redis."""
        await self.key_uses.stop()
        if self._shared is not None:
            await self._shared.stop()

    async def check(
        self, connection: Connection, scope: Scope, *, limited: bool = True, body_key: str | None = None
    ) -> Caller:
        """The caller, if they may do what `scope` says. `body_key` is a key that stood in the body.

        A key goes before a cookie: whoever sends one has it, and a page of another site has none.
        """
        headers = connection.headers  # made anew at each access
        address = self.address(connection)
        digest, is_public_place = _key_of(connection, headers)
        if digest is None and body_key:
            digest, is_public_place = keys.digest(body_key), True
        if digest is not None:
            found = self._keys.recall(digest)
            if found is None or (is_public_place and not found.record.is_public):
                found = await self._find_key(digest, address, is_public_place=is_public_place)
            caller = _by_key(found, scope)
            if _asked_project(connection) not in (None, caller.project_id):
                raise Forbidden("this key is another project's: leave `project_id` out, or use a key of that project.")
            if scope == "admin":  # keys and invitations that it makes would outlast the second
                caller = _by_key(await self._keys.find_now(digest), scope)
            if scope == "write" and not _only_reads(connection):  # a page may ask how to record before it may send
                record = found.record
                _check_write(headers, record.settings, is_public=record.is_public, is_archived=record.is_archived)
            self.key_uses.add(digest)
        else:
            if connection.scope["type"] == "websocket" and not self.browsers.is_ours(headers):
                raise Forbidden("a page of another site may not open this WebSocket: its Origin is not this Host.")
            login = await self.browsers.find(connection, headers)
            if login is None:
                caller = await self._keyless(headers, scope, address)
            else:
                caller = await self._by_person(*login, scope, _asked_project(connection))
        if limited:
            await self._limits.take(*self._asked(connection, caller, address))
        return caller

    async def person(self, connection: Connection) -> Person:
        """The person whose browser calls; Unauthorized when nobody is logged in."""
        found = await self.browsers.find(connection, connection.headers)
        if found is None:
            raise Unauthorized("log in first: POST /api/v1/login with `email` and `password`; a key does not do here.")
        return found[0]

    async def check_ticket(self, connection: Connection, text: str) -> tuple[Caller, UUID]:
        """Uses up a ticket: whom it stands for, who must still be allowed to read, and its session."""
        address = self.address(connection)
        self.check_guesses(connection)
        ticket = await tickets.use_ticket(self._pool, keys.digest(text))
        if ticket is None:
            await self.count_guess(connection)
            raise Unauthorized(
                "this ticket is not known: it was used, or has expired. Each opens one stream, within"
                f" {tickets.LIFETIME_SECONDS} seconds; ask for another one."
            )
        if ticket.key is None and ticket.login is None:
            caller = await self._keyless(connection.headers, "read", address)
        else:
            caller = await self._still(ticket.project_id, ticket.key, ticket.login)
        await self._limits.take(*self._asked(connection, caller, address))
        return caller, ticket.session_id

    async def check_again(self, caller: Caller) -> None:
        """Raises Unauthorized or Forbidden when a caller who read may not any more."""
        if caller.key is not None or caller.login is not None:
            await self._still(caller.project_id, caller.key, caller.login)

    async def count_attempt(self, connection: Connection, target: str) -> None:
        """Counts an attempt to come in, of this address and on an account's e-mail, or on a link; LimitExceeded after
        too many. A browser that has logged in to the account before is counted apart: others who guess at it do not
        lock its owner out.
        """
        limit = self._settings.limit_login
        device = self.cookies.device_in(connection.headers.get("cookie"), target)
        address = ("address", counted(self.address(connection)), device is not None)
        await self._limits.take(Asked("attempt", address, limit), Asked("attempt", ("account", target, device), limit))

    def check_guesses(self, connection: Connection) -> None:
        """LimitExceeded for an address that has come with too many secrets that nobody has."""
        self._limits.look(self._guess(self.address(connection)))

    async def count_guess(self, connection: Connection) -> None:
        """Counts one: guesses cost the guesser, not the database."""
        await self._limits.take(self._guess(self.address(connection)))

    def address(self, connection: Connection) -> str:
        """Where a call comes from, past trusted proxies."""
        return client_ip(connection, self._trusted)

    def is_secure(self, connection: Connection) -> bool:
        """Whether the caller's browser came by HTTPS, as far as a trusted proxy or the public address tells."""
        if (self._settings.public_url or "").startswith("https://") or connection.scope["scheme"] in ("https", "wss"):
            return True
        is_told = connection.headers.get("x-forwarded-proto", "").strip().lower() == "https"
        return is_told and is_from_proxy(connection, self._trusted)

    def _asked(self, connection: Connection, caller: Caller, address: str) -> list[Asked]:
        """What this call is counted as."""
        settings, chosen, address = self._settings, caller.settings, counted(address)
        project = settings.limit_project if chosen.limit_project is None else chosen.limit_project
        asked = [Asked("project", caller.project_id, project)]
        if caller.key is None and caller.login is None:
            return [Asked("keyless", address, settings.limit_keyless), *asked]
        name = (caller.key or caller.actor, address)
        asked.insert(0, Asked("key", name, settings.limit_key if chosen.limit_key is None else chosen.limit_key))
        if option(connection, DIALECT) == "spectra":
            asked.insert(0, Asked("spectra", name, settings.limit_spectra))
        return asked

    def _guess(self, address: str) -> Asked:
        return Asked("lookup", counted(address), self._settings.limit_keyless)

    async def _look_up(self, digest: bytes) -> _Key | None:
        record = await keys.find_key(self._pool, digest)
        if record is None:
            return None
        return _Key(record, Caller(record.project_id, f"key {record.prefix}", record.settings, key=digest))

    async def _find_key(self, digest: bytes, address: str, *, is_public_place: bool) -> _Key:
        lookup = self._guess(address)
        if not self._keys.knows(digest):
            self._limits.look(lookup)
        found = await self._keys.find(digest)
        if found is None or (is_public_place and not found.record.is_public):
            await self._limits.take(lookup)  # guessed keys cost the guesser, not the database
            raise Unauthorized(
                "this key is not known."
                if found is None
                else "only a project's public write key may stand in a URL or a body: use X-API-Key."
            )
        return found

    async def _by_person(self, person: Person, login: bytes, scope: Scope, asked: int | None) -> Caller:
        if asked is not None and asked not in person.roles:  # they may have made it, or joined, within the second
            person = await self.browsers.find_login_now(login) or person
        project_id = _project_of(person, scope, asked)
        if scope == "admin":  # keys and invitations that they make would outlast the second
            now = await self.browsers.find_login_now(login)
            if now is None:
                raise Unauthorized("this login has ended: log in again.")
            person, project_id = now, _project_of(now, scope, project_id)
        settings, _ = await self._projects.find(project_id)
        return Caller(project_id, f"user {person.user_id}", settings, person, login=login)

    async def _keyless(self, headers: Headers, scope: Scope, address: str) -> Caller:
        if not self._settings.is_open:
            raise Unauthorized("a key is needed: send it as `X-API-Key` or `Authorization: Bearer`; or log in.")
        if scope not in ("write", "read"):
            raise Unauthorized(
                f"to {_TO[scope]} needs an admin key: make one with `tracker-backend key create --kind admin`."
            )
        if not is_local(headers, address):
            raise Unauthorized(
                "without a key only direct local calls are answered (Host localhost, 127.0.0.1 or [::1], no proxy)."
            )
        project_id = await self._default.find(None)
        settings, is_archived = await self._projects.find(project_id)
        if scope == "write":
            _check_write(headers, settings, is_public=True, is_archived=is_archived)
        return Caller(project_id, "local", settings)

    async def _still(self, project_id: int, key: bytes | None, login: bytes | None) -> Caller:
        """Who a key or a login stands for, if they may still read."""
        if key is not None:
            return _by_key(await self._keys.find(key), "read")
        person = None if login is None else await self.browsers.find_login(login)
        if login is None or person is None:
            raise Unauthorized("this login has ended: log in again.")
        return await self._by_person(person, login, "read", project_id)


def _by_key(found: _Key | None, scope: Scope) -> Caller:
    """The caller that a key stands for; Unauthorized when it is not valid any more, Forbidden when it is for others."""
    if found is None:
        raise Unauthorized("this key is not known any more.")
    record = found.record
    if record.revoked_at is not None:
        raise Unauthorized("this key was revoked: use another one.")
    if record.expires_at is not None and record.expires_at <= datetime.now(UTC):
        raise Unauthorized(f"this key expired at {record.expires_at.isoformat()}: use another one.")
    if scope not in _KEY_SCOPES[record.kind]:
        raise Forbidden(f"this is a {record.kind} key: to {_TO[scope]}, use a key of kind {_KEY_FOR[scope]}.")
    return found.caller


def _project_of(person: Person, scope: Scope, asked: int | None) -> int:
    """The project that a person's call is about, where they may do what `scope` says; Forbidden else."""
    project_id = next(iter(person.roles), None) if asked is None else asked
    if project_id is None or project_id not in person.roles:
        told = "you are a member of no project" if asked is None else "you are no member of this project"
        raise Forbidden(f"{told}: ask an owner for an invitation.")
    role = person.roles[project_id]
    if scope not in _ROLE_SCOPES[role]:
        raise Forbidden(
            "data is sent with a write key, not by a person who is logged in."
            if scope == "write"
            else f"you are {role} of project {project_id}: to {_TO[scope]}, ask an owner for another role."
        )
    return project_id


def _only_reads(connection: Connection) -> bool:
    return connection.scope["type"] == "http" and connection.scope["method"] in SAFE


def _asked_project(connection: Connection) -> int | None:
    """The project that is asked for; None for a key's own, and a person's first one."""
    if b"project_id" not in connection.scope["query_string"]:  # before the parameters are taken apart
        return None
    asked = connection.query_params.get("project_id")
    if asked is None:
        return None
    if not asked.isdecimal() or len(asked) > 9:
        raise Forbidden(f"`project_id` is {asked!r}, which is no project's: GET /api/v1/projects lists yours.")
    return int(asked)


def _check_write(headers: Headers, settings: ProjectSettings, *, is_public: bool, is_archived: bool) -> None:
    """Forbidden where the project takes no data, or none from this page."""
    if is_archived:
        raise Forbidden("this project is archived and takes no data: restore it first.")
    if is_public and settings.allowed_origins:
        origin = headers.get("origin")
        if not is_allowed(origin, settings.allowed_origins):
            told = "a call without `Origin`" if origin is None else f"the origin {origin}"
            first = "" if origin is None else "add it to the project's `allowed_origins`, or "
            raise Forbidden(
                f"{told} may not send to this project, only {', '.join(settings.allowed_origins)}: {first}send with a"
                " secret write key."
            )


def _key_of(connection: Connection, headers: Headers) -> tuple[bytes | None, bool]:
    """The digest of the key, and whether it stood in the URL, where only public keys may stand, like in a body."""
    if key := headers.get("x-api-key"):
        return keys.digest(key), False
    if told := headers.get("authorization"):
        kind, _, token = told.partition(" ")
        if kind.lower() == "bearer" and token.strip():
            return keys.digest(token.strip()), False
    query = connection.scope["query_string"]
    digest = (_key_in(query) if len(query) <= _CACHED else _key_in.__wrapped__(query)) if query else None
    return digest, digest is not None


@lru_cache(maxsize=1024)
def _key_in(query: bytes) -> bytes | None:
    """The digest of the key in a query string: a project's pages all send the same."""
    key = next((value for name, value in parse_qsl(query.decode("latin-1")) if name == "key"), None)
    return None if key is None else keys.digest(key)
