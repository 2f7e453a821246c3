"""The caller's projects, listed; and one project: made, changed, archived, deleted."""

from typing import Annotated, Any

import msgspec
from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter, RawBody
from msgspec import Struct

from tracker_backend.accounts import projects
from tracker_backend.accounts.logins import Person
from tracker_backend.accounts.project_deletion import delete_project
from tracker_backend.accounts.projects import Project, ProjectChange, ProjectLine, ProjectRequest
from tracker_backend.errors import Forbidden
from tracker_backend.http.caller import Account, Caller
from tracker_backend.http.examples import operation
from tracker_backend.http.json_body import read_json_body
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services

_TAG = "projects"
_CHANGE: dict[str, Any] = {
    "name": "shop",
    "settings": {
        "allowed_origins": ["https://shop.example", "https://*.shop.example"],
        "retention_days": 14,
        "masking": {"fields": ["iban"]},
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


@get("/projects", scope="account", summary="List the caller's projects", tags=[_TAG])
async def list_projects(services: NamedDependency[Services], account: NamedDependency[Account]) -> ProjectList:
    """List the caller's projects: a person's with their role in each, a key's own one."""
    return ProjectList(await projects_of(services, account))


async def projects_of(services: Services, account: Account) -> list[ProjectLine]:
    """The projects of a person, or the project of a key; none for a person who is a member of none."""
    if account.person is not None:
        return await projects.list_projects_of(services.pool, account.person.user_id)
    return await projects.list_projects(services.pool, account.project_id)


@post(
    "/projects",
    scope="login",
    operation_class=operation(ProjectRequest, {"name": "shop"}),
    summary="Make a project",
    tags=[_TAG],
)
async def create_project(
    request: AnyRequest, services: NamedDependency[Services], person: NamedDependency[Person], body: RawBody
) -> Project:
    """Make a project and own it. For a person who owns one already, or while no project has an owner.

    A key is of one project and makes none: operators make them with `tracker-backend project create`.
    """
    if "owner" not in person.roles.values() and await projects.has_owner(services.pool):
        raise Forbidden("only who owns a project makes another: ask an owner, or an operator of the server.")
    wanted = read_json_body(request, body, _project)
    async with services.pool.acquire() as connection, connection.transaction():
        project_id = await projects.create_project(connection, f"user {person.user_id}", wanted, person.user_id)
    return await projects.get_project(services.pool, project_id)


@get("/project", scope="read", summary="Look at the project", tags=[_TAG])
async def get_project(services: NamedDependency[Services], caller: NamedDependency[Caller]) -> Project:
    """Look at the project of a key, or of a person: its public write key and its settings."""
    return await projects.get_project(services.pool, caller.project_id)


@patch(
    "/project",
    scope="edit",
    operation_class=operation(ProjectChange, _CHANGE),
    summary="Change the project",
    tags=[_TAG],
)
async def change_project(
    request: AnyRequest, services: NamedDependency[Services], caller: NamedDependency[Caller], body: RawBody
) -> Project:
    """Change the fields that are sent. A member of `settings` that is null gets its default again.

    It takes effect in every process within a second. Only owners and admin keys may change `masking` so that more is
    stored: add to `allow`, set `inputs` to `secrets`, remove from `fields` and `parameters`.
    """
    change = read_json_body(request, body, _change)
    is_owner = caller.person is None or caller.person.roles.get(caller.project_id) == "owner"
    async with services.pool.acquire() as connection, connection.transaction():
        await projects.change_project(
            connection, caller.actor, caller.project_id, change, services.settings, is_owner=is_owner
        )
    return await projects.get_project(services.pool, caller.project_id)


@post("/project/archive", scope="admin", status_code=200, summary="Archive the project", tags=[_TAG])
async def archive_project(services: NamedDependency[Services], caller: NamedDependency[Caller]) -> Project:
    """Archive the project: it takes no data any more, and what it has can still be read. For owners and admin keys."""
    return await _set_archived(services, caller, archived=True)


@post("/project/restore", scope="admin", status_code=200, summary="Restore the project", tags=[_TAG])
async def restore_project(services: NamedDependency[Services], caller: NamedDependency[Caller]) -> Project:
    """Have an archived project take data again. For owners and admin keys."""
    return await _set_archived(services, caller, archived=False)


@delete("/project", scope="admin", status_code=202, summary="Delete the project", tags=[_TAG])
async def remove_project(
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    confirm: Annotated[str, QueryParameter(description="The project's name, so that no other is deleted")],
) -> Deleted:
    """Delete the project with everything in it: sessions, events, recordings, screenshots, numbers, keys, members.

    From the answer on nobody can use it; its rows are removed within minutes. What was done in it stays in the audit
    log. For owners and admin keys.
    """
    async with services.pool.acquire() as connection, connection.transaction():
        await delete_project(connection, caller.actor, caller.project_id, confirm)
    return Deleted(caller.project_id)


async def _set_archived(services: Services, caller: Caller, *, archived: bool) -> Project:
    async with services.pool.acquire() as connection, connection.transaction():
        await projects.archive_project(connection, caller.actor, caller.project_id, archived=archived)
    return await projects.get_project(services.pool, caller.project_id)
