"""The command `tracker-backend`. Every subcommand has `--json` for programs and a `--help` with an example."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from tracker_backend import __version__
from tracker_backend import settings as environment
from tracker_backend.errors import SettingsError, TrackerError
from tracker_backend.importing.run import import_files
from tracker_backend.maintenance.tasks import TASKS
from tracker_backend.queries import keys
from tracker_backend.serve import serve
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.embedded import EmbeddedError
from tracker_backend.storage.running import command_database

Command = Callable[[Settings, argparse.Namespace, Database], Awaitable[Any]]
_EPILOG = """\
Settings are environment variables, for example TRACKER_DATA_DIR, DATABASE_URL, PORT, TRACKER_AUTH;
docs/reference/settings.md lists them all. Without DATABASE_URL the server runs its own PostgreSQL."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command; an error is one line on stderr and exit status 1."""
    options = _parser().parse_args(arguments)
    try:
        os.environ.update(_given(options))  # not only here: the app and its workers read the same environment
        settings = environment.load()
        if options.command == "serve":
            serve(settings, as_json=options.json)
        else:
            _print(asyncio.run(_with_database(settings, options)), as_json=options.json)
    except (TrackerError, EmbeddedError) as error:
        sys.exit(f"tracker-backend: {error}")


def _given(options: argparse.Namespace) -> dict[str, str]:
    """What the command line says, as environment variables."""
    names = [name for name in ("host", "port", "workers") if getattr(options, name, None) is not None]
    return {environment.variable(name): str(getattr(options, name)) for name in names}


async def _with_database(settings: Settings, options: argparse.Namespace) -> Any:
    async with command_database(settings) as dsn:
        if options.command == "dsn":
            return dsn
        if options.command == "migrate":
            return await _migrate(settings, dsn)
        database = await Database.open(settings, dsn)
        try:
            return await options.run(settings, options, database)
        finally:
            await database.close()


def _print(result: Any, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(result).decode())
    elif isinstance(result, str):
        print(result)
    elif isinstance(result, list):
        for line in msgspec.convert(msgspec.to_builtins(result), list[dict[str, Any]]):
            print("  ".join(f"{name}={value}" for name, value in line.items() if value is not None))
    else:
        values = {name: value for name, value in msgspec.to_builtins(result).items() if value is not None}
        print("\n".join(f"{name}: {value}" for name, value in values.items()))


async def _migrate(settings: Settings, dsn: str) -> Any:
    installation, applied = await migrate(settings, dsn)
    return {"tier": installation.tier, "applied": len(applied), "status": "up to date"}


async def _maintain(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    tasks = [task for task in TASKS if options.task in (None, task.name)]
    return [
        {"task": task.name, "done": await task.run_once(database.maintained), "purpose": task.purpose} for task in tasks
    ]


async def _project(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    if options.action == "list":
        return await keys.list_projects(database.pool)
    project_id = await keys.create_project(database.pool, options.name)
    return {
        "project_id": project_id,
        "name": options.name,
        "write_key": await keys.public_key(database.pool, project_id),
    }


async def _project_of(options: argparse.Namespace, database: Database) -> int:
    project_id: int = options.project or await keys.default_project(database.pool)
    if project_id not in {project.project_id for project in await keys.list_projects(database.pool)}:
        raise SettingsError(f"there is no project {project_id}: `tracker-backend project list` shows them.")
    return project_id


async def _import(settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    return await import_files(
        settings,
        database,
        await _project_of(options, database),
        options.files,
        session=options.session,
        shift=options.shift,
        progress=not options.json and sys.stderr.isatty(),
    )


async def _key(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    project_id = await _project_of(options, database)
    if options.action == "list":
        return await keys.list_keys(database.pool, project_id)
    if options.action == "revoke":
        return {"revoked": await keys.revoke_keys(database.pool, project_id, options.prefix[: keys.PREFIX_LENGTH])}
    expires_at = None if options.days is None else datetime.now(UTC) + timedelta(days=options.days)
    key = await keys.create_key(database.pool, project_id, options.kind, options.name, expires_at)
    return {"key": key, "kind": options.kind, "project_id": project_id, "expires_at": expires_at}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tracker-backend",
        description="Records what visitors do on your sites and gives it back.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tracker-backend {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serving = _command(commands, "serve", None, "run the server", "tracker-backend serve --port 8080 --workers 2")
    serving.add_argument("--host", help="address to listen on (TRACKER_HOST, 127.0.0.1)")
    serving.add_argument("--port", type=int, help="port to listen on (PORT, 8080)")
    serving.add_argument("--workers", type=int, help="processes that share the database (TRACKER_WORKERS, 1)")

    _command(
        commands,
        "migrate",
        None,
        "bring the database up to date, with the settings' intervals",
        "tracker-backend migrate",
    )
    _command(commands, "dsn", None, "print the database's address, for psql", 'psql "$(tracker-backend dsn)"')

    names = ", ".join(f"{task.name} ({task.purpose})" for task in TASKS)
    maintain = _command(
        commands, "maintain", _maintain, f"run maintenance now: {names}", "tracker-backend maintain retention"
    )
    maintain.add_argument("task", nargs="?", choices=[task.name for task in TASKS], help="one task (all of them)")

    importing = _command(
        commands,
        "import",
        _import,
        "store recordings from files: rrweb events as JSON or NDJSON, and exports of sessions, also as gzip",
        "tracker-backend import recording.json session.ndjson.gz",
    )
    importing.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what to store")
    importing.add_argument("--project", type=int, help="number of the project (the first one)")
    importing.add_argument("--session", help="id of the session (the one in the file, else one made of its content)")
    importing.add_argument(
        "--shift", action="store_true", help="move all by whole days, so that the newest is of the last 24 hours"
    )

    project = _command(commands, "project", _project, "make and list projects", "tracker-backend project create shop")
    actions = project.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = _command(
        actions, "create", _project, "make a project with its write key", "tracker-backend project create shop"
    )
    create.add_argument("name", help="what people call it")
    _command(actions, "list", _project, "list projects", "tracker-backend project list --json")

    key = _command(commands, "key", _key, "make, list and revoke keys", "tracker-backend key create --kind read")
    actions = key.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = _command(
        actions, "create", _key, "make a key; it is shown once", "tracker-backend key create --kind admin --days 30"
    )
    create.add_argument(
        "--kind", choices=["write", "read", "admin"], required=True, help="to send, to look, or also to delete"
    )
    create.add_argument("--name", default="", help="what it is for")
    create.add_argument("--days", type=float, help="days until it expires (never)")
    _command(actions, "list", _key, "list keys by their first characters", "tracker-backend key list")
    revoke = _command(actions, "revoke", _key, "end a key, within a second", "tracker-backend key revoke tb_r_AbCdE")
    revoke.add_argument("prefix", help="its first 10 characters, as `key list` shows them")
    for action in actions.choices.values():
        action.add_argument("--project", type=int, help="number of the project (the first one)")
    return parser


def _command(commands: Any, name: str, run: Command | None, purpose: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose.partition(":")[0],
        description=purpose[0].upper() + purpose[1:] + ".",
        epilog=f"Example: {example}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


if __name__ == "__main__":
    main()
