"""Projects: create, list, change and archive them."""

from datetime import datetime
from typing import Annotated, Any, Literal

import asyncpg
from msgspec import UNSET, Meta, Struct, UnsetType

from tracker_backend.accounts import audit, keys
from tracker_backend.accounts.logins import Role
from tracker_backend.accounts.project_settings import ProjectSettings, change_settings, read_settings, relaxed
from tracker_backend.accounts.time_zones import is_time_zone
from tracker_backend.errors import Forbidden, Invalid, NotFound
from tracker_backend.settings import Settings, variable
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]
Platform = Literal["web", "ios", "android", "react-native", "flutter", "other"]
_sql = load(__file__, "projects")


class ProjectLine(Struct, frozen=True, omit_defaults=True):
    """A project in a list."""

    project_id: int
    name: str
    platform: str
    timezone: str
    created_at: datetime
    archived_at: datetime | None = None
    """Since then the project accepts no data."""
    role: Role | None = None
    """The role of the person who asks."""


class Project(Struct, frozen=True):
    """A project with the public write key that its pages contain."""

    project_id: int
    name: str
    platform: str
    timezone: str
    created_at: datetime
    archived_at: datetime | None
    """Since then the project accepts no data."""
    public_key: str
    settings: ProjectSettings


class ProjectRequest(Struct, forbid_unknown_fields=True):
    """A project to create."""

    name: Name
    platform: Platform = "web"
    timezone: Annotated[str, Meta(max_length=100, description="IANA time zone in which days are counted")] = "UTC"


class ProjectChange(Struct, forbid_unknown_fields=True):
    """Changes of a project. Fields that are not given stay as they are."""

    name: Name | UnsetType = UNSET
    platform: Platform | UnsetType = UNSET
    timezone: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    settings: Annotated[dict[str, Any], Meta(description="Only the changes; null restores the default")] | UnsetType = (
        UNSET
    )


async def get_project(pool: Pool, project_id: int) -> Project:
    """Return a project; raises NotFound. Creates its public key if there is none."""
    row = await pool.fetchrow(_sql.get, project_id)
    if row is None:
        raise _not_found(project_id)
    key = await keys.public_key(pool, project_id)
    return Project(*row[:-1], public_key=key, settings=read_settings(bytes(row[-1])))


async def get_settings(pool: Pool, project_id: int) -> tuple[ProjectSettings, bool]:
    """Return the settings of a project and whether it is archived; the defaults and False if it was deleted."""
    row = await pool.fetchrow(_sql.get_settings, project_id)
    return (read_settings(bytes(row[0])), row[1]) if row else (ProjectSettings(), False)


async def list_projects(pool: Pool, project_id: int | None = None) -> list[ProjectLine]:
    """Return all projects, oldest first; with `project_id` only that one, if it exists."""
    return [ProjectLine(*row) for row in await pool.fetch(_sql.list_projects, project_id)]


async def list_projects_of(pool: Pool, user_id: int) -> list[ProjectLine]:
    """Return the projects of a person with their role in each, oldest first."""
    return [ProjectLine(*row) for row in await pool.fetch(_sql.list_projects_of, user_id)]


async def create_project(connection: Connection, actor: str, wanted: ProjectRequest, owner: int | None = None) -> int:
    """Create a project with its public key, and write the audit log. `owner` is the id of the user who will own it.

    Call it in a transaction. Raises Invalid for an unknown time zone and for the name of another project.
    """
    await _check_timezone(connection, wanted.timezone)
    await _check_name(connection, wanted.name)
    project_id: int = await connection.fetchval(_sql.insert, wanted.name, wanted.platform, wanted.timezone)
    if owner is not None:
        await connection.execute(_sql.insert_owner, project_id, owner)
    await keys.public_key(connection, project_id)
    await _write_audit(connection, actor, "project made", project_id, name=wanted.name, platform=wanted.platform)
    return project_id


async def has_owner(pool: Pool) -> bool:
    """Return whether any project has an owner."""
    return await pool.fetchval(_sql.has_owner)


async def change_project(
    connection: Connection,
    actor: str,
    project_id: int,
    change: ProjectChange,
    settings: Settings,
    *,
    is_operator: bool = False,
    is_owner: bool = True,
) -> list[str]:
    """Change a project, write the audit log, and return the names of what changed: `name`, `settings.sampling_rate`.

    Call it in a transaction. Raises NotFound; Invalid for invalid values; Forbidden for masking rules by which more is
    stored, unless the caller `is_owner`. Only the operator may exceed the server's rate limits.
    """
    row = await _lock(connection, project_id)
    given = {name: getattr(change, name) for name in ("name", "platform", "timezone")}
    values = {name: row[name] if value is UNSET else value for name, value in given.items()}
    if values["timezone"] != row["timezone"]:
        await _check_timezone(connection, values["timezone"])
    if values["name"] != row["name"]:
        await _check_name(connection, values["name"], project_id)
    changes: dict[str, Any] = {name: _change(row[name], value) for name, value in values.items() if value != row[name]}
    stored = bytes(row["settings"])
    if change.settings is not UNSET:
        patched = change_settings(stored, change.settings, settings.late_days, settings.retention_days)
        before, after = read_settings(stored), read_settings(patched)
        different = [
            name for name in ProjectSettings.__struct_fields__ if getattr(before, name) != getattr(after, name)
        ]
        if not is_operator:
            _check_limits(after, different, settings)
        if not is_owner and (names := relaxed(before.masking, after.masking)):
            raise Forbidden(
                f"an editor may not have more stored, and `settings.masking.{names[0]}` would: ask an owner for it."
            )
        changes |= {f"settings.{it}": _change(getattr(before, it), getattr(after, it)) for it in different}
        stored = patched
    if changes:
        await connection.execute(_sql.change, project_id, *values.values(), stored)
        await _write_audit(connection, actor, "project changed", project_id, changes=changes)
    return list(changes)


def _change(before: object, after: object) -> dict[str, object]:
    return {"from": before, "to": after}


def _check_limits(wanted: ProjectSettings, changed: list[str], settings: Settings) -> None:
    """Raise Invalid for limits above those of the server, which protect all projects."""
    for name in ("limit_key", "limit_project"):
        value, most = getattr(wanted, name), getattr(settings, name)
        if name in changed and value is not None and most and not 0 < value <= most:
            raise Invalid(
                f"`settings.{name}` is {value}, but this server allows {most} requests per minute"
                f" ({variable(name)}): give 1 to {most}, or ask the operator, who may set more with"
                " `tracker-backend project set`."
            )


async def archive_project(connection: Connection, actor: str, project_id: int, *, archived: bool) -> None:
    """Archive or restore a project and write the audit log. Call it in a transaction. Raises NotFound."""
    row = await _lock(connection, project_id)
    if (row["archived_at"] is not None) != archived:
        await connection.execute(_sql.set_archived, project_id, archived)
        await _write_audit(connection, actor, "project archived" if archived else "project restored", project_id)


async def identifies_project(pool: Pool, project_id: int, text: str) -> bool:
    """Return whether a text identifies this project: by its id or by one of its write keys."""
    if text == str(project_id):
        return True
    record = await keys.find_key(pool, keys.digest(text))
    return record is not None and record.kind == "write" and record.project_id == project_id


async def _lock(connection: Connection, project_id: int) -> asyncpg.Record:
    row = await connection.fetchrow(_sql.lock, project_id)
    if row is None:
        raise _not_found(project_id)
    return row


async def _check_timezone(connection: Connection, name: str) -> None:
    if not await is_time_zone(connection, name):
        raise Invalid(f"`timezone` is {name!r}: give an IANA time zone, such as Europe/Berlin or UTC.")


async def _check_name(connection: Connection, name: str, own: int | None = None) -> None:
    """Raise Invalid for the name of another project: people, and `confirm` of a deletion, tell projects by their names.

    The lock is that of all names, until the transaction ends: no other process can take the name meanwhile.
    """
    await connection.execute(_sql.lock_names)
    if await connection.fetchval(_sql.is_taken, name, own):
        raise Invalid(f"`name` is {name!r}, which another project of this server has: give another name.")


async def _write_audit(
    connection: Connection, actor: str, action: audit.Action, project_id: int, **details: object
) -> None:
    await audit.write(connection, actor, action, project_id=project_id, target=f"project {project_id}", **details)


def _not_found(project_id: int) -> NotFound:
    return NotFound(f"project {project_id} does not exist any more.")
