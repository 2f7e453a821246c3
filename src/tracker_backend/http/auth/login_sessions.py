"""The person who is logged in in the browser that calls, unless a page of another site makes it call."""

import hmac
from datetime import UTC, datetime
from functools import partial

from litestar.datastructures import Headers

from tracker_backend.accounts import logins
from tracker_backend.accounts.keys import digest
from tracker_backend.accounts.logins import Person
from tracker_backend.errors import Forbidden
from tracker_backend.http.auth.cookies import Cookies
from tracker_backend.http.auth.origin import is_same_origin
from tracker_backend.http.request import Connection
from tracker_backend.http.ttl_cache import TtlCache
from tracker_backend.storage.pool import Pool

CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


class LoginSessions:
    """The logins of browsers, at most a second old."""

    def __init__(self, pool: Pool, cookies: Cookies, public_url: str | None) -> None:
        self._cookies = cookies
        self._public_url = public_url
        self._logins = TtlCache(partial(logins.find_login, pool))

    def is_same_origin(self, headers: Headers) -> bool:
        """Whether the call is from a page of this server, or from no page: `Origin` is absent or this server's."""
        return is_same_origin(headers, self._public_url)

    async def find(self, connection: Connection) -> tuple[Person, bytes] | None:
        """The person and the SHA-256 of their login token; None when nobody is logged in.

        Raises Forbidden for a call that a page of another site may have made.
        """
        headers = connection.headers
        token = self._cookies.token_in(headers.get("cookie"))
        if token is None:
            return None
        login = digest(token)
        person = await self.find_login(login)
        if person is None:
            return None
        lacks_origin = connection.scope["type"] == "websocket" and "origin" not in headers
        if lacks_origin or not self.is_same_origin(headers):
            raise Forbidden("a page of another site may not use this login: its Origin is not this Host.")
        if connection.scope["type"] == "http" and connection.scope["method"] not in SAFE_METHODS:
            sent = headers.get(CSRF_HEADER, "").encode()
            if not hmac.compare_digest(sent, self._cookies.csrf_token(token).encode()):
                raise Forbidden(
                    "a browser that is logged in writes with the header X-CSRF-Token, from a page of this server:"
                    " GET /api/v1/me returns the token."
                )
        return person, login

    async def find_login(self, login: bytes) -> Person | None:
        """The person of a login, by the SHA-256 of its token; None when it has ended."""
        person = await self._logins.get(login)
        return None if person is None or person.expires_at <= datetime.now(UTC) else person

    async def find_login_fresh(self, login: bytes) -> Person | None:
        """The same, looked up now: the person may have made or joined a project within the last second."""
        return await self._logins.get_fresh(login)
