"""Access to the server: authentication, authorization and rate limits of each call, as its route declares them."""

from contextlib import suppress
from uuid import UUID

from tracker_backend.accounts.logins import Person
from tracker_backend.errors import Forbidden, Unauthorized
from tracker_backend.http.auth.authentication import Authentication
from tracker_backend.http.auth.authorization import Scope
from tracker_backend.http.auth.cookies import Cookies
from tracker_backend.http.auth.login_sessions import LoginSessions
from tracker_backend.http.caller import Account, Caller
from tracker_backend.http.client_address import ClientAddresses
from tracker_backend.http.limits.request_limits import RequestLimits
from tracker_backend.http.query_parameters import check_query_parameters
from tracker_backend.http.request import Connection
from tracker_backend.http.route_options import option
from tracker_backend.settings import Settings
from tracker_backend.storage.pool import Pool


class Access:
    """`authorize` finds the caller of a call, or raises Unauthorized, Forbidden or LimitExceeded.

    Refused calls are counted by address. An address that had too many gets LimitExceeded in place of further refusals,
    and its other callers notice nothing.
    """

    def __init__(self, settings: Settings, pool: Pool, secret: bytes) -> None:
        self.addresses = ClientAddresses(settings)
        self.cookies = Cookies(secret)
        self.limits = RequestLimits(settings, secret)
        self.login_sessions = LoginSessions(pool, self.cookies, settings.public_url)
        self.authentication = Authentication(settings, pool, self.login_sessions, self.addresses)

    def start(self) -> None:
        """Starts the background task that stores when keys were used."""
        self.authentication.key_uses.start()

    async def stop(self) -> None:
        """Ends it, and the connection to Redis."""
        await self.authentication.key_uses.stop()
        await self.limits.stop()

    async def authorize(
        self, connection: Connection, scope: Scope | None = None, *, body_key: str | None = None
    ) -> Caller:
        """The caller, if they may do what the route is declared for, or `scope`. `body_key` is a key from the request's
        body.
        """
        wanted = scope or option(connection, "scope")
        try:
            caller = await self.authentication.authenticate(connection, wanted, body_key=body_key)
        except (Unauthorized, Forbidden):
            await self.count_refusal(connection)
            raise
        await self._count(connection, caller)
        check_query_parameters(connection)
        return caller

    async def authorize_person(self, connection: Connection) -> Person:
        """The person whose browser calls; Unauthorized when nobody is logged in."""
        try:
            person = await self.authentication.authenticate_person(connection)
        except (Unauthorized, Forbidden):
            await self.count_refusal(connection)
            raise
        check_query_parameters(connection)
        return person

    async def authorize_account(self, connection: Connection) -> Account:
        """A person, also one who is a member of no project, or a caller who may read."""
        person = None
        try:
            caller = await self.authentication.authenticate(connection, "read")
        except (Unauthorized, Forbidden) as error:
            if isinstance(error, Forbidden):
                with suppress(Unauthorized):
                    person = await self.authentication.authenticate_person(connection)
            if person is None or person.roles:
                await self.count_refusal(connection)
                raise
            check_query_parameters(connection)
            return Account(person, 0)
        await self._count(connection, caller)
        check_query_parameters(connection)
        return Account(caller.person, caller.project_id)

    async def authorize_ticket(self, connection: Connection, text: str) -> tuple[Caller, UUID]:
        """Uses up a ticket. Returns who asked for it, if they may still read, and the session that it is for."""
        check_query_parameters(connection)  # before the ticket is used up
        try:
            caller, session_id = await self.authentication.authenticate_ticket(connection, text)
        except (Unauthorized, Forbidden):
            await self.count_refusal(connection)
            raise
        await self._count(connection, caller)
        return caller, session_id

    async def count_attempt(self, connection: Connection, target: str) -> None:
        """Counts an attempt to log in to an account, by its e-mail, or to use a link. LimitExceeded after too many."""
        device = self.cookies.device_in(connection.headers.get("cookie"), target)
        await self.limits.count_attempt(self.addresses.of(connection), target, device)

    async def count_refusal(self, connection: Connection) -> None:
        """Counts a call that is refused, of its address. LimitExceeded after too many."""
        await self.limits.count_refusal(self.addresses.of(connection))

    async def _count(self, connection: Connection, caller: Caller) -> None:
        if not option(connection, "unlimited"):
            extra = option(connection, "extra_limit")
            await self.limits.count_request(caller, self.addresses.of(connection), extra)
