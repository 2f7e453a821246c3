"""Who is logged in in the browser that calls, if it is a page of ours that has it call."""

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
from tracker_backend.http.ttl_cache import Remembered
from tracker_backend.storage.pool import Pool

CSRF_HEADER = "x-csrf-token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


class Browsers:
    """`find` for a request, `find_login` for what is known of one already."""

    def __init__(self, pool: Pool, cookies: Cookies, public_url: str | None) -> None:
        self._cookies = cookies
        self._public_url = public_url
        self._logins = Remembered(partial(logins.find_login, pool))

    def is_ours(self, headers: Headers) -> bool:
        """Whether it is no other site's page that calls, as far as the browser tells."""
        return is_same_origin(headers, self._public_url)

    async def find(self, connection: Connection, headers: Headers) -> tuple[Person, bytes] | None:
        """Who is logged in, and by which login; Forbidden for what may be another site's doing."""
        token = self._cookies.token_in(headers.get("cookie"))
        if token is None:
            return None
        login = digest(token)
        person = await self.find_login(login)
        if person is None:
            return None
        is_nobodys = connection.scope["type"] == "websocket" and "origin" not in headers
        if is_nobodys or not self.is_ours(headers):
            raise Forbidden("a page of another site may not use this login: its Origin is not this Host.")
        if connection.scope["type"] == "http" and connection.scope["method"] not in SAFE:
            sent = headers.get(CSRF_HEADER, "").encode()
            if not hmac.compare_digest(sent, self._cookies.csrf_token(token).encode()):
                raise Forbidden(
                    "a browser that is logged in writes with the header X-CSRF-Token, from a page of this server:"
                    " GET /api/v1/me tells the token."
                )
        return person, login

    async def find_login(self, login: bytes) -> Person | None:
        """Who is logged in by the login of this digest; None when it has ended."""
        person = await self._logins.find(login)
        return None if person is None or person.expires_at <= datetime.now(UTC) else person

    async def find_login_now(self, login: bytes) -> Person | None:
        """The same, looked up now: they may have made a project, or joined one, within the second."""
        return await self._logins.find_now(login)
