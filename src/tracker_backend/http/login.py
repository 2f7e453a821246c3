"""Log in, log out, the logged-in person, and their password."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody
from msgspec import Meta, Struct

from tracker_backend.accounts import logins, one_time_links, passwords, people
from tracker_backend.accounts.keys import digest
from tracker_backend.accounts.logins import Person
from tracker_backend.accounts.people import Account
from tracker_backend.errors import Forbidden, Invalid, LoginRefused, Unauthorized
from tracker_backend.http import examples
from tracker_backend.http.auth.cookies import LIFE_DAYS
from tracker_backend.http.json_body import NO_STORE, check_origin, read_json_body
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services, services_of
from tracker_backend.storage.pool import Connection

Email = Annotated[str, Meta(max_length=people.MAX_EMAIL_LENGTH)]
Password = Annotated[str, Meta(max_length=4 * passwords.MAX_LENGTH, description="10 to 256 characters")]


class Credentials(Struct, frozen=True):
    """Who logs in."""

    email: Email
    password: Password


class PasswordChange(Struct, frozen=True):
    """A person's own password."""

    current: Password
    new: Password


class LoggedIn(Struct, frozen=True):
    """A browser that is logged in. Its writes send `csrf_token` as the header X-CSRF-Token."""

    user_id: int
    email: str
    csrf_token: str


class Me(Struct, frozen=True):
    """Who is logged in, and where they may do what."""

    user_id: int
    email: str
    csrf_token: str
    projects: list[people.Membership]


_credentials = msgspec.json.Decoder(Credentials)
_change = msgspec.json.Decoder(PasswordChange)
_EXAMPLE = {"email": "ann@shop.example", "password": "a few words together"}


@post(
    "/login",
    scope="none",
    status_code=200,
    operation_class=examples.operation(Credentials, _EXAMPLE),
    summary="Log in",
    tags=["people"],
)
async def login(request: AnyRequest, body: RawBody) -> Response[LoggedIn]:
    """Log a browser in for 14 days, by a cookie.

    The refusal does not say whether there is such an account.
    """
    check_origin(request)
    sent = read_json_body(request, body, _credentials)
    account = await check_password(request, people.normalize_email(sent.email), sent.password)
    if account is None:
        raise login_refused()
    if passwords.needs_rehash(account.password_hash):
        renewed = await passwords.make_hash(sent.password)
        if await people.set_password(services_of(request).pool, account, renewed):
            account = msgspec.structs.replace(account, password_hash=renewed)
    async with services_of(request).pool.acquire() as connection, connection.transaction():
        return await log_in(request, connection, account)


@post("/logout", scope="none", status_code=204, summary="Log out", tags=["people"])
async def logout(request: AnyRequest) -> Response[None]:
    """Log this browser out, everywhere within a second. A browser that is not logged in is answered the same."""
    services = services_of(request)
    access = services.access
    ended = access.cookies.end(secure=access.addresses.is_secure(request))
    try:
        await access.authentication.authenticate_person(request)  # which also refuses another site's page
    except Unauthorized:
        return Response(None, status_code=204, cookies=[ended])
    async with services.pool.acquire() as connection, connection.transaction():
        user_id = await logins.delete_login(connection, digest(_token(request)))
        if user_id is not None:
            await people.audit_own_action(connection, user_id, "logout")
    return Response(None, status_code=204, cookies=[ended])


@get("/me", scope="login", summary="Who is logged in", tags=["people"])
async def me(request: AnyRequest, services: NamedDependency[Services], person: NamedDependency[Person]) -> Response[Me]:
    """Who is logged in, their projects and roles, and the token that writes send as X-CSRF-Token."""
    projects = await people.list_projects(services.pool, person.user_id)
    return Response(Me(person.user_id, person.email, csrf_token(request), projects), headers=NO_STORE)


@post(
    "/me/password",
    scope="login",
    status_code=204,
    operation_class=examples.operation(PasswordChange, {"current": "a few words together", "new": "some other words"}),
    summary="Change one's password",
    tags=["people"],
)
async def change_password(
    request: AnyRequest, services: NamedDependency[Services], person: NamedDependency[Person], body: RawBody
) -> None:
    """Change one's own password. All other browsers are logged out."""
    sent = read_json_body(request, body, _change)
    passwords.check_new_password(sent.new, person.email)
    account = await check_password(request, person.email, sent.current)
    if account is None:
        raise Forbidden("`current` is not your password: type it again, or ask the operator for a new link.")
    renewed = await passwords.make_hash(sent.new)
    async with services.pool.acquire() as connection, connection.transaction():
        await replace_password(connection, account, renewed, except_token=digest(_token(request)))


async def check_password(request: AnyRequest, email: str, password: str) -> Account | None:
    """The account, if this is its password; counts the attempt and notes a login_refused.

    With and without an account of that e-mail it takes the same work. Raises LimitExceeded and Unavailable.
    """
    services = services_of(request)
    await services.access.count_attempt(request, email)
    account = await people.find_account(services.pool, email)
    if await passwords.verify(account.password_hash if account else None, password) and account:
        return account
    await people.audit_own_action(services.pool, account.user_id if account else None, "login refused")
    return None


def login_refused() -> LoginRefused:
    """The same error for a wrong password and for an unknown e-mail."""
    return LoginRefused(
        "there is no account of this e-mail with this password: type both again, or ask the operator for a link"
        " that sets a new password."
    )


async def replace_password(
    connection: Connection, account: Account, password_hash: str, except_token: bytes = b""
) -> None:
    """Sets another password, in a transaction. Ends all logins but one, and withdraws links that set a password."""
    if not await people.set_password(connection, account, password_hash):
        raise Invalid("the password was changed by somebody else just now: log in again.")
    await logins.end_logins(connection, account.user_id, except_token)
    await one_time_links.withdraw_password_links(connection, account.email)
    await people.audit_own_action(connection, account.user_id, "password changed")


async def log_in(request: AnyRequest, connection: Connection, account: Account) -> Response[LoggedIn]:
    """Logs the browser in as this account, in a transaction; LoginRefused if its password was changed meanwhile.

    A login that the browser had before ends.
    """
    access = services_of(request).access
    secure = access.addresses.is_secure(request)
    await logins.delete_login(connection, digest(_token(request)))
    token, cookie = access.cookies.make(secure=secure)
    expires_at = datetime.now(UTC) + timedelta(days=LIFE_DAYS)
    if not await logins.log_in(connection, digest(token), account.user_id, account.password_hash, expires_at):
        raise login_refused()
    await people.audit_own_action(connection, account.user_id, "login")
    device = access.cookies.make_device(account.email, request.headers.get("cookie"), secure=secure)
    answer = LoggedIn(account.user_id, account.email, access.cookies.csrf_token(token))
    return Response(answer, cookies=[cookie, device], headers=NO_STORE)


def csrf_token(request: AnyRequest) -> str:
    """The value of X-CSRF-Token in the browser's writes."""
    return services_of(request).access.cookies.csrf_token(_token(request))


def _token(request: AnyRequest) -> str:
    """The login token in the browser's cookie; empty without one."""
    return services_of(request).access.cookies.token_in(request.headers.get("cookie")) or ""
