"""The command `project`: create, change and archive projects. Each action is written to the audit log."""

import argparse
from pathlib import Path
from typing import Any, get_args

import msgspec

from tracker_backend.accounts import keys, projects
from tracker_backend.accounts.audit import COMMAND_LINE
from tracker_backend.accounts.project_settings import Masking, ProjectSettings
from tracker_backend.accounts.projects import ProjectChange, ProjectRequest
from tracker_backend.commands.arguments import add_actions, add_project_option, command, later, project_of
from tracker_backend.errors import Invalid
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.pool import Pool
from tracker_backend.validation_errors import explain


def add(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `project`."""
    actions = add_actions(parser)
    command(actions, "list", run, "list all projects", "tracker-backend project list --json")
    create = command(
        actions, "create", run, "create a project with its public write key", "tracker-backend project create shop"
    )
    create.add_argument("name", help="name of the project")
    show = command(
        actions,
        "show",
        run,
        "show a project with its public write key and its settings",
        "tracker-backend project show",
    )
    rename = command(
        actions,
        "rename",
        run,
        "change the name, the platform or the time zone of a project",
        "tracker-backend project rename --name shop",
    )
    rename.add_argument("--name", help="name of the project")
    for action, platform, zone, note in ((create, "web", "UTC", "; default: %(default)s"), (rename, None, None, "")):
        choices = get_args(projects.Platform)
        action.add_argument("--platform", default=platform, choices=choices, help=f"platform of the project{note}")
        text = f"IANA time zone in which days are counted, such as Europe/Berlin{note}"
        action.add_argument("--timezone", default=zone, help=text)
    change = command(
        actions,
        "set",
        run,
        "change settings of a project; an empty value restores the default",
        "tracker-backend project set --project 2 allowed_origins=https://*.shop.example retention_days=14",
    )
    change.add_argument(
        "values", nargs="+", metavar="NAME=VALUE", help="settings and their new values, such as retention_days=14"
    )
    export = command(
        actions,
        "export",
        later("tracker_backend.commands.project_export"),
        "write all sessions of a project to a file, which only you can read; `import` reads it",
        "tracker-backend project export shop.ndjson.gz",
    )
    export.add_argument("file", type=Path, metavar="FILE", help="file to write; gzipped if its name ends in .gz")
    archive = command(
        actions,
        "archive",
        run,
        "stop a project from accepting data; it can still be read",
        "tracker-backend project archive",
    )
    restore = command(
        actions,
        "restore",
        run,
        "let an archived project accept data again",
        "tracker-backend project restore --project 2",
    )
    delete = command(
        actions,
        "delete",
        later("tracker_backend.commands.project_removal"),
        "delete a project with all its data; returns when the data is deleted",
        "tracker-backend project delete --project 2 --confirm shop",
    )
    delete.add_argument("--confirm", required=True, metavar="NAME", help="the name of the project, as confirmation")
    add_project_option(show, rename, change, export, archive, restore)
    add_project_option(delete, required=True)


async def run(settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Run an action."""
    pool = database.pool
    if options.action == "list":
        return await projects.list_projects(pool)
    if options.action == "create":
        return await create(pool, options.name, options.platform, options.timezone)
    project_id = await project_of(options, database)
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
    """Create a project and return it with its public write key. Raises Invalid for an invalid value."""
    wanted = _convert({"name": name, "platform": platform, "timezone": timezone}, ProjectRequest)
    async with pool.acquire() as connection, connection.transaction():
        project_id = await projects.create_project(connection, COMMAND_LINE, wanted)
    return {"project_id": project_id, "name": name, "write_key": await keys.public_key(pool, project_id)}


async def change(pool: Pool, settings: Settings, project_id: int, values: dict[str, Any]) -> projects.Project:
    """Change the name, the platform, the time zone or the settings of a project."""
    wanted = _convert(values, ProjectChange)
    async with pool.acquire() as connection, connection.transaction():
        await projects.change_project(connection, COMMAND_LINE, project_id, wanted, settings, is_operator=True)
    return await projects.get_project(pool, project_id)


async def archive(pool: Pool, project_id: int, *, archived: bool) -> projects.Project:
    """Archive or restore a project."""
    async with pool.acquire() as connection, connection.transaction():
        await projects.archive_project(connection, COMMAND_LINE, project_id, archived=archived)
    return await projects.get_project(pool, project_id)


def read_values(texts: list[str]) -> dict[str, Any]:
    """Parse `name=value` texts to a change of settings: lists are comma-separated, an empty value is null."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Invalid(f"{text!r} is not of the form name=value: write for example retention_days=14.")
        first, _, second = name.partition(".")
        kind = Masking if first == "masking" and second else ProjectSettings
        known = {field.name: field.type for field in msgspec.structs.fields(kind)}
        if (second or first) not in known or (second and kind is ProjectSettings) or name == "masking":
            names = [field.name for field in msgspec.structs.fields(ProjectSettings) if field.name != "masking"]
            names += [f"masking.{field.name}" for field in msgspec.structs.fields(Masking)]
            raise Invalid(f"a project has no setting {name!r}: its settings are {', '.join(names)}.")
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
        raise Invalid(f"{name} is {text!r}: {explain(error, kind)}.") from error


def _convert(values: dict[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"{explain(error, kind)}.") from error
