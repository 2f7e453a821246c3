"""Projects, made, changed, archived and deleted by commands; each act stands in the project's audit log."""

import argparse
from typing import Any, get_args

import msgspec
from msgspec import Struct

from tracker_backend.accounts import keys, projects
from tracker_backend.accounts.audit import COMMAND_LINE
from tracker_backend.accounts.project_deletion import delete_project
from tracker_backend.accounts.project_settings import Masking, ProjectSettings
from tracker_backend.accounts.projects import ProjectChange, ProjectRequest
from tracker_backend.commands.arguments import add_actions, add_project_option, command, project_of
from tracker_backend.errors import Invalid
from tracker_backend.maintenance.deleted_projects import delete_projects
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.pool import Pool
from tracker_backend.validation_errors import told


class Deleted(Struct, frozen=True):
    """A project that is gone, and how many sessions went with it."""

    project_id: int
    sessions: int


def add(commands: Any) -> None:
    """Adds `project` to the command line."""
    project = command(
        commands, "project", run, "make, set up and delete projects", "tracker-backend project create shop"
    )
    actions = add_actions(project)
    command(actions, "list", run, "list projects", "tracker-backend project list --json")
    create = command(actions, "create", run, "make a project with its write key", "tracker-backend project create shop")
    create.add_argument("name", help="what people call it")
    show = command(actions, "show", run, "show a project with its settings", "tracker-backend project show")
    rename = command(
        actions,
        "rename",
        run,
        "change what a project is called, and what else is said of it",
        "tracker-backend project rename --name shop",
    )
    rename.add_argument("--name", help="what people call it")
    for action, platform, zone in ((create, "web", "UTC"), (rename, None, None)):
        action.add_argument("--platform", default=platform, choices=get_args(projects.Platform), help="what it runs on")
        action.add_argument("--timezone", default=zone, help="whose days are counted, such as Europe/Berlin")
    change = command(
        actions,
        "set",
        run,
        "change settings of a project, each as name=value; an empty value is the default again",
        "tracker-backend project set --project 2 allowed_origins=https://*.shop.example retention_days=14",
    )
    change.add_argument("values", nargs="+", metavar="NAME=VALUE", help="allowed_origins, retention_days, …")
    archive = command(
        actions, "archive", run, "have a project take no data any more", "tracker-backend project archive"
    )
    restore = command(
        actions,
        "restore",
        run,
        "have an archived project take data again",
        "tracker-backend project restore --project 2",
    )
    delete = command(
        actions,
        "delete",
        run,
        "delete a project with everything in it",
        "tracker-backend project delete --project 2 --confirm shop",
    )
    delete.add_argument("--confirm", required=True, metavar="NAME", help="the project's name")
    add_project_option(show, rename, change, archive, restore)
    add_project_option(delete, required=True)


async def run(settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Runs one of them."""
    pool = database.pool
    if options.action == "list":
        return await projects.list_projects(pool)
    if options.action == "create":
        return await create(pool, options.name, options.platform, options.timezone)
    project_id = await project_of(options, database)
    if options.action == "delete":
        return await delete(database, project_id, options.confirm)
    if options.action in ("archive", "restore"):
        return await archive(pool, project_id, archived=options.action == "archive")
    if options.action == "show":
        return await projects.get_project(pool, project_id)
    if options.action == "set":
        values: dict[str, Any] = {"settings": read_values(options.values)}
    else:
        given = {name: getattr(options, name) for name in ("name", "platform", "timezone")}
        values = {name: value for name, value in given.items() if value is not None}
    return await change(pool, settings, project_id, values)


async def create(pool: Pool, name: str, platform: str, timezone: str) -> dict[str, object]:
    """A project with its write key; Invalid for what cannot be."""
    wanted = _convert({"name": name, "platform": platform, "timezone": timezone}, ProjectRequest)
    async with pool.acquire() as connection, connection.transaction():
        project_id = await projects.create_project(connection, COMMAND_LINE, wanted)
    return {"project_id": project_id, "name": name, "write_key": await keys.public_key(pool, project_id)}


async def change(pool: Pool, settings: Settings, project_id: int, values: dict[str, Any]) -> projects.Project:
    """Changes a project's name, platform, time zone or settings."""
    wanted = _convert(values, ProjectChange)
    async with pool.acquire() as connection, connection.transaction():
        await projects.change_project(connection, COMMAND_LINE, project_id, wanted, settings, is_operator=True)
    return await projects.get_project(pool, project_id)


async def archive(pool: Pool, project_id: int, *, archived: bool) -> projects.Project:
    """Has a project take no data any more, or again."""
    async with pool.acquire() as connection, connection.transaction():
        await projects.archive_project(connection, COMMAND_LINE, project_id, archived=archived)
    return await projects.get_project(pool, project_id)


async def delete(database: Database, project_id: int, confirm: str) -> Deleted:
    """Deletes a project and removes its rows and archived files before it returns."""
    async with database.pool.acquire() as connection, connection.transaction():
        await delete_project(connection, COMMAND_LINE, project_id, confirm)
    return Deleted(project_id, await delete_projects(database.maintained))


def read_values(texts: list[str]) -> dict[str, Any]:
    """The change that `name=value` texts mean: a list is comma-separated, what is empty is the default again."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Invalid(f"{text!r} is no setting: write name=value, such as retention_days=14.")
        first, _, second = name.partition(".")
        kind = Masking if first == "masking" and second else ProjectSettings
        known = {field.name: field.type for field in msgspec.structs.fields(kind)}
        if (second or first) not in known or (second and kind is ProjectSettings) or name == "masking":
            names = [field.name for field in msgspec.structs.fields(ProjectSettings) if field.name != "masking"]
            names += [f"masking.{field.name}" for field in msgspec.structs.fields(Masking)]
            raise Invalid(f"a project has no setting {name!r}: it has {', '.join(names)}.")
        target = values.setdefault("masking", {}) if second else values
        target[second or first] = _value(name, value, known[second or first])
    return values


def _value(name: str, text: str, kind: Any) -> Any:
    if not text:
        return None
    is_list = isinstance(msgspec.inspect.type_info(kind), msgspec.inspect.VarTupleType)
    raw = [part.strip() for part in text.split(",") if part.strip()] if is_list else text
    try:
        return msgspec.to_builtins(msgspec.convert(raw, kind, strict=False))
    except msgspec.ValidationError as error:
        raise Invalid(f"{name} is {text!r}: {told(error, kind)}.") from error


def _convert(values: dict[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"{told(error, kind)}.") from error
