"""The people of a project: who they are, what they may do, who is invited."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from msgspec import Meta, Struct

from tracker_backend.accounts import one_time_links, people
from tracker_backend.accounts.logins import Role
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.http import examples
from tracker_backend.http.caller import Caller
from tracker_backend.http.json_body import NO_STORE, read_json_body
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services, services_of


class RoleChange(Struct, frozen=True):
    """What a member may do from now on."""

    role: Role


class InvitationRequest(Struct, frozen=True):
    """Who is invited."""

    role: Role
    email: Annotated[str, Meta(max_length=people.MAX_EMAIL_LENGTH)] | None = None
    """Only this person can use the link. Without it anybody who has the link can."""


class Invited(Struct, frozen=True):
    """An invitation with its link, which no later answer contains."""

    invitation_id: int
    link: str
    email: str | None
    role: Role
    expires_at: datetime


_role = msgspec.json.Decoder(RoleChange)
_invitation = msgspec.json.Decoder(InvitationRequest)


@get("/members", scope="read", summary="List a project's people", tags=["people"])
async def list_members(services: NamedDependency[Services], caller: NamedDependency[Caller]) -> list[people.Member]:
    """List the people of the project with their roles, in the order in which they came."""
    return await people.list_members(services.pool, caller.project_id)


@patch(
    "/members/{user_id:int}",
    scope="admin",
    operation_class=examples.operation(RoleChange, {"role": "editor"}),
    summary="Give a person another role",
    tags=["people"],
)
async def change_role(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    user_id: FromPath[int],
    body: RawBody,
) -> people.Member:
    """Give a person of the project another role. The last owner stays owner."""
    role = read_json_body(request, body, _role).role
    async with services.pool.acquire() as connection, connection.transaction():
        return await people.set_role(connection, caller.actor, caller.project_id, _number(user_id), role)


@delete("/members/{user_id:int}", scope="admin", summary="Remove a person from a project", tags=["people"])
async def remove_member(
    services: NamedDependency[Services], caller: NamedDependency[Caller], user_id: FromPath[int]
) -> None:
    """Remove a person from the project, and their open invitations to it. Their account stays; the last owner too."""
    async with services.pool.acquire() as connection, connection.transaction():
        await people.remove_member(connection, caller.actor, caller.project_id, _number(user_id))


@post(
    "/invitations",
    scope="admin",
    operation_class=examples.operation(InvitationRequest, {"email": "ann@shop.example", "role": "viewer"}),
    summary="Invite a person",
    tags=["people"],
)
async def invite(
    request: AnyRequest, services: NamedDependency[Services], caller: NamedDependency[Caller], body: RawBody
) -> Response[Invited]:
    """Invite somebody to the project by a link that works once, within seven days. Only this answer has the link."""
    sent = read_json_body(request, body, _invitation)
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


@get("/invitations", scope="admin", summary="List open invitations", tags=["people"])
async def list_invitations(
    services: NamedDependency[Services], caller: NamedDependency[Caller]
) -> list[one_time_links.Invitation]:
    """List the project's invitations that can still be used, the newest first; never their links."""
    return await one_time_links.list_invitations(services.pool, caller.project_id)


@delete("/invitations/{invitation_id:int}", scope="admin", summary="Withdraw an invitation", tags=["people"])
async def withdraw_invitation(
    services: NamedDependency[Services], caller: NamedDependency[Caller], invitation_id: FromPath[int]
) -> None:
    """Withdraw an invitation that nobody has used: its link works no more."""
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
    scheme = "https" if services.access.addresses.is_secure(request) else "http"
    return f"{scheme}://{request.headers.get('host', 'localhost')}"
