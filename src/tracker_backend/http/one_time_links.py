"""One-time links: read what one is for, and use it."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import Response, post
from litestar.params import RawBody
from msgspec import Meta, Struct

from tracker_backend.accounts import audit, one_time_links, passwords, people
from tracker_backend.accounts.logins import Role
from tracker_backend.accounts.one_time_links import Link, Purpose
from tracker_backend.accounts.people import Account
from tracker_backend.errors import Forbidden, Invalid, NotFound
from tracker_backend.http import examples
from tracker_backend.http.json_body import NO_STORE, check_origin, read_json_body
from tracker_backend.http.login import (
    Email,
    LoggedIn,
    Password,
    check_password,
    csrf_token,
    log_in,
    login_refused,
    replace_password,
)
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of
from tracker_backend.storage.pool import Connection

Token = Annotated[str, Meta(max_length=100, description="What stands after the # of the link")]


class LinkLook(Struct, frozen=True):
    """A link, by its token."""

    token: Token


class LinkUse(Struct, frozen=True):
    """Who uses a link: by an e-mail with a password, or as who is logged in."""

    token: Token
    email: Email | None = None
    password: Password | None = None


class LinkPurpose(Struct, frozen=True):
    """What a link is for. It does not contain the e-mail: the person who uses it sends that."""

    purpose: Purpose
    project_name: str | None
    role: Role | None
    expires_at: datetime


_look = msgspec.json.Decoder(LinkLook)
_use = msgspec.json.Decoder(LinkUse)
_TOKEN = "Qq7P3n0vZc5yJt1mXw8eRk2aLb4dHs6uFg9iOoTjYxA"  # noqa: S105 — an example


@post(
    "/links/look",
    scope="none",
    status_code=200,
    operation_class=examples.operation(LinkLook, {"token": _TOKEN}),
    summary="Look at a link",
    tags=["people"],
)
async def look(request: AnyRequest, body: RawBody) -> Response[LinkPurpose]:
    """Look at what a link is for, without using it."""
    check_origin(request)
    link = await _find(request, read_json_body(request, body, _look).token)
    return Response(LinkPurpose(link.purpose, link.project_name, link.role, link.expires_at), headers=NO_STORE)


@post(
    "/links/use",
    scope="none",
    status_code=200,
    operation_class=examples.operation(
        LinkUse, {"token": _TOKEN, "email": "ann@shop.example", "password": "a few words together"}
    ),
    summary="Use a link",
    tags=["people"],
)
async def use(request: AnyRequest, body: RawBody) -> Response[LoggedIn]:
    """Use a link, which works once, and log the browser in.

    The first owner's makes the first account, an invitation a membership, with an account where there is none of this
    e-mail yet; an existing one needs its own password, or to be logged in. A password link sets the account's password
    and logs all other browsers out.
    """
    check_origin(request)
    sent = read_json_body(request, body, _use)
    link = await _find(request, sent.token)
    if sent.email is None or sent.password is None:
        return await _join_as_who_is_logged_in(request, link, sent.token)
    email = people.check_email(sent.email)
    _check_whose(link, email)
    # Before the account is read: the refusal must not reveal whether there is one.
    passwords.check_new_password(sent.password, email)
    pool = services_of(request).pool
    account = await people.find_account(pool, email)
    password_hash = None
    if link.purpose == "invitation" and account is not None:
        account = await check_password(request, email, sent.password)
        if account is None:
            raise login_refused()
    else:
        # Counted for the link, not for the account: strangers who guess must not keep its owner from a new password.
        await services_of(request).access.count_attempt(request, f"link {sent.token}")
        password_hash = await passwords.make_hash(sent.password)
    async with pool.acquire() as connection, connection.transaction():
        await _use_up(connection, sent.token, email)
        if link.purpose == "password":
            account = await _set_password(connection, account, password_hash)
        else:
            if account is None or link.purpose == "first owner":
                account = await _make_account(connection, link, email, password_hash)
            await _join(connection, link, account)
        return await log_in(request, connection, account)


async def _join_as_who_is_logged_in(request: AnyRequest, link: Link, token: str) -> Response[LoggedIn]:
    """An invitation, used by a browser that is logged in: it stays so."""
    services = services_of(request)
    if link.purpose != "invitation":
        raise Invalid("`email` and `password` are needed: this link is not an invitation.")
    person = await services.access.authorize_person(request)
    _check_whose(link, person.email)
    async with services.pool.acquire() as connection, connection.transaction():
        await _use_up(connection, token, person.email)
        account = await people.get_account(connection, person.user_id)
        if account is None:
            raise NotFound("your account is gone: ask an owner for an invitation.")
        await _join(connection, link, account)
    return Response(LoggedIn(account.user_id, account.email, csrf_token(request)), headers=NO_STORE)


async def _find(request: AnyRequest, token: str) -> Link:
    services = services_of(request)
    link = await one_time_links.find(services.pool, token)
    if link is None:
        await services.access.count_refusal(request)
        raise NotFound("this link is not known: check that all of it was copied, or ask for a new one.")
    if link.used_at is not None:
        raise NotFound("this link was used already: log in, or ask for a new one if it was not you.")
    if link.expires_at <= datetime.now(UTC):
        raise NotFound(f"this link worked until {link.expires_at.isoformat(timespec='minutes')}: ask for a new one.")
    return link


def _check_whose(link: Link, email: str) -> None:
    if link.email not in (None, email):
        raise Forbidden("this link is for somebody else's e-mail: use the one that it was sent to.")


async def _use_up(connection: Connection, token: str, email: str) -> None:
    if not await one_time_links.use(connection, token, email):
        raise NotFound("this link was used already: log in, or ask for a new one if it was not you.")


async def _make_account(connection: Connection, link: Link, email: str, password_hash: str | None) -> Account:
    if link.purpose == "first owner" and await people.has_accounts(connection):
        raise Forbidden("somebody has an account here already: ask an owner for an invitation.")
    user_id = None if password_hash is None else await people.create_account(connection, email, password_hash)
    if user_id is None or password_hash is None:
        raise Invalid("an account of this e-mail was made just now: use the link again, with its password.")
    await audit.write(connection, f"user {user_id}", "account made", project_id=link.project_id)
    return Account(user_id, email, password_hash)


async def _join(connection: Connection, link: Link, account: Account) -> None:
    actor = f"user {account.user_id}"
    if link.project_id is None or link.role is None:
        await people.make_owner_of_all_projects(connection, account.user_id)
        await people.audit_own_action(connection, account.user_id, "person joined")
        return
    await people.join(connection, link.project_id, account.user_id, link.role)
    await audit.write(
        connection,
        actor,
        "person joined",
        project_id=link.project_id,
        target=f"invitation {link.link_id}",
        role=link.role,
    )


async def _set_password(connection: Connection, account: Account | None, password_hash: str | None) -> Account:
    if account is None or password_hash is None:
        raise NotFound("the account of this link is gone: ask an owner for an invitation.")
    await replace_password(connection, account, password_hash)
    return msgspec.structs.replace(account, password_hash=password_hash)
