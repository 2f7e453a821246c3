"""The people of a project: who they are, what they may do, who is invited."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, RawBody
from msgspec import Meta, Struct

from tracker_backend.accounts import one_time_links, people
from tracker_backend.accounts.logins import Role
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.http import examples
from tracker_backend.http.json_body import NO_STORE, read_form
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of


class RoleChange(Struct, frozen=True):
    """What a member may do from now on."""

    role: Role


class InvitationRequest(Struct, frozen=True):
    """Who is invited."""

    role: Role
    email: Annotated[str, Meta(max_length=people.MAX_EMAIL_LENGTH)] | None = None
    """Nobody else can use the link. Without it whoever has the link can."""


class Invited(Struct, frozen=True):
    """An invitation with its link, which is told once."""

    invitation_id: int
    link: str
    email: str | None
    role: Role
    expires_at: datetime


_role = msgspec.json.Decoder(RoleChange)
_invitation = msgspec.json.Decoder(InvitationRequest)


@get("/members", summary="List a project's people", tags=["people"])
async def list_members(request: AnyRequest) -> list[people.Member]:
    """List the people of the project with their roles, in the order in which they came."""
    services = services_of(request)
    caller = await services.access.check(request, "read")
    return await people.list_members(services.pool, caller.project_id)


@patch(
    "/members/{user_id:int}",
    operation_class=examples.operation(RoleChange, {"role": "editor"}),
    summary="Give a person another role",
    tags=["people"],
)
async def change_role(request: AnyRequest, user_id: FromPath[int], body: RawBody) -> people.Member:
    """Give a person of the project another role. The last owner stays owner."""
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    role = read_form(request, body, _role).role
    async with services.pool.acquire() as connection, connection.transaction():
        return await people.set_role(connection, caller.actor, caller.project_id, _number(user_id), role)


@delete("/members/{user_id:int}", summary="Remove a person from a project", tags=["people"])
async def remove_member(request: AnyRequest, user_id: FromPath[int]) -> None:
    """Remove a person from the project, and their open invitations to it. Their account stays; the last owner too."""
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    async with services.pool.acquire() as connection, connection.transaction():
        await people.remove_member(connection, caller.actor, caller.project_id, _number(user_id))


@post(
    "/invitations",
    operation_class=examples.operation(InvitationRequest, {"email": "ann@shop.example", "role": "viewer"}),
    summary="Invite a person",
    tags=["people"],
)
async def invite(request: AnyRequest, body: RawBody) -> Response[Invited]:
    """Invite somebody to the project by a link that works once, within seven days. It is told once: send it on."""
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    sent = read_form(request, body, _invitation)
    email = None if sent.email is None else people.check_email(sent.email)
    for member in await people.list_members(services.pool, caller.project_id) if email else []:
        if member.email == email:
            raise Invalid(f"{email} is {member.role} of this project already: change the role instead.")
    created_by = caller.person.user_id if caller.person else None
    async with services.pool.acquire() as connection, connection.transaction():
        made = await one_time_links.create_invitation(
            connection, caller.actor, caller.project_id, sent.role, email, created_by, caller.key
        )
    link = one_time_links.address(_base(request), made.token)
    answer = Invited(made.link_id, link, email, sent.role, made.expires_at)
    return Response(answer, status_code=201, headers=NO_STORE)


@get("/invitations", summary="List open invitations", tags=["people"])
async def list_invitations(request: AnyRequest) -> list[one_time_links.Invitation]:
    """List the project's invitations that can still be used, the newest first; never their links."""
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    return await one_time_links.list_invitations(services.pool, caller.project_id)


@delete("/invitations/{invitation_id:int}", summary="Withdraw an invitation", tags=["people"])
async def withdraw_invitation(request: AnyRequest, invitation_id: FromPath[int]) -> None:
    """Withdraw an invitation that nobody has used: its link works no more."""
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    async with services.pool.acquire() as connection, connection.transaction():
        if not await one_time_links.withdraw_invitation(
            connection, caller.actor, caller.project_id, _number(invitation_id)
        ):
            raise NotFound(f"there is no open invitation {invitation_id} in this project.")


def _number(given: int) -> int:
    """A number as a row can have it."""
    return given if 0 < given < 2**31 else 0


def _base(request: AnyRequest) -> str:
    """What links begin with: the address that browsers know, or the one of this request."""
    services = services_of(request)
    if services.settings.public_url:
        return services.settings.public_url
    scheme = "https" if services.access.is_secure(request) else "http"
    return f"{scheme}://{request.headers.get('host', 'localhost')}"
