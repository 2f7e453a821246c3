"""Projects: the caller's; and the one that a call is about, made, changed, archived, deleted."""

from typing import Annotated, Any

import msgspec
from litestar import delete, get, patch, post
from litestar.params import QueryParameter, RawBody
from msgspec import Struct

from tracker_backend.accounts import projects
from tracker_backend.accounts.logins import Person
from tracker_backend.accounts.project_deletion import delete_project
from tracker_backend.accounts.projects import Project, ProjectChange, ProjectLine, ProjectRequest
from tracker_backend.errors import Forbidden, Unauthorized
from tracker_backend.http.examples import operation
from tracker_backend.http.json_body import read_form
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of

_TAG = "projects"
_CHANGE: dict[str, Any] = {
    "name": "shop",
    "settings": {
        "allowed_origins": ["https://shop.example", "https://*.shop.example"],
        "retention_days": 14,
        "masking": {"inputs": "all"},
    },
}


class ProjectList(Struct, frozen=True):
    """Projects, oldest first."""

    data: list[ProjectLine]


class Deleted(Struct, frozen=True):
    """Nobody may use the project any more."""

    project_id: int
    detail: str = "Nobody may use it any more; its rows are removed within minutes."


_project = msgspec.json.Decoder(ProjectRequest)
_change = msgspec.json.Decoder(ProjectChange)


@get("/projects", summary="List the caller's projects", tags=[_TAG])
async def list_projects(request: AnyRequest) -> ProjectList:
    """List the caller's projects: a person's with their role in each, a key's own one."""
    return ProjectList(await projects_of(request))


async def projects_of(request: AnyRequest) -> list[ProjectLine]:
    """The projects of who calls; none for a person who is a member of none."""
    services = services_of(request)
    try:
        caller = await services.access.check(request, "read")
    except Forbidden:
        person = await _nobody(request)
        if person is None:
            raise
    else:
        person = caller.person
        if person is None:
            return await projects.list_projects(services.pool, caller.project_id)
    return await projects.list_projects_of(services.pool, person.user_id)


@post("/projects", operation_class=operation(ProjectRequest, {"name": "shop"}), summary="Make a project", tags=[_TAG])
async def create_project(request: AnyRequest, body: RawBody) -> Project:
    """Make a project and own it. For a person who owns one already, or while no project has an owner.

    A key is of one project and makes none: operators make them with `tracker-backend project create`.
    """
    services = services_of(request)
    person = await services.access.person(request)
    if "owner" not in person.roles.values() and await projects.has_owner(services.pool):
        raise Forbidden("only who owns a project makes another: ask an owner, or an operator of the server.")
    wanted = read_form(request, body, _project)
    async with services.pool.acquire() as connection, connection.transaction():
        project_id = await projects.create_project(connection, f"user {person.user_id}", wanted, person.user_id)
    return await projects.get_project(services.pool, project_id)


@get("/project", summary="Look at the project", tags=[_TAG])
async def get_project(request: AnyRequest) -> Project:
    """Look at the project of a key, or of a person: its public write key and its settings."""
    services = services_of(request)
    caller = await services.access.check(request, "read")
    return await projects.get_project(services.pool, caller.project_id)


@patch("/project", operation_class=operation(ProjectChange, _CHANGE), summary="Change the project", tags=[_TAG])
async def change_project(request: AnyRequest, body: RawBody) -> Project:
    """Change what is told and leave the rest: a member of `settings` that is null is the default again.

    It holds in every process within a second.
    """
    services = services_of(request)
    caller = await services.access.check(request, "edit")
    change = read_form(request, body, _change)
    async with services.pool.acquire() as connection, connection.transaction():
        await projects.change_project(connection, caller.actor, caller.project_id, change, services.settings)
    return await projects.get_project(services.pool, caller.project_id)


@post("/project/archive", status_code=200, summary="Archive the project", tags=[_TAG])
async def archive_project(request: AnyRequest) -> Project:
    """Archive the project: it takes no data any more, and what it has can still be read. For owners and admin keys."""
    return await _set_archived(request, archived=True)


@post("/project/restore", status_code=200, summary="Restore the project", tags=[_TAG])
async def restore_project(request: AnyRequest) -> Project:
    """Have an archived project take data again. For owners and admin keys."""
    return await _set_archived(request, archived=False)


@delete("/project", status_code=202, summary="Delete the project", tags=[_TAG])
async def remove_project(
    request: AnyRequest,
    confirm: Annotated[str, QueryParameter(description="The project's name, so that no other is deleted")],
) -> Deleted:
    """Delete the project with everything in it: sessions, events, recordings, screenshots, numbers, keys, members.

    From the answer on nobody can use it; its rows are removed within minutes. What was done in it stays in the audit
    log. For owners and admin keys.
    """
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    async with services.pool.acquire() as connection, connection.transaction():
        await delete_project(connection, caller.actor, caller.project_id, confirm)
    return Deleted(caller.project_id)


async def _set_archived(request: AnyRequest, *, archived: bool) -> Project:
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    async with services.pool.acquire() as connection, connection.transaction():
        await projects.archive_project(connection, caller.actor, caller.project_id, archived=archived)
    return await projects.get_project(services.pool, caller.project_id)


async def _nobody(request: AnyRequest) -> Person | None:
    """The person who calls, if they are a member of no project."""
    try:
        person = await services_of(request).access.person(request)
    except Unauthorized:
        return None
    return None if person.roles else person
