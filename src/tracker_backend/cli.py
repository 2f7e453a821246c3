"""The command `tracker-backend`. Every subcommand has `--json` for programs, and an example in its `--help`.

The help texts are the tables of docs/reference/cli.md (`make reference` writes them).
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tracker_backend import __version__
from tracker_backend import settings as environment
from tracker_backend.commands import analysts, keys, projects, users, visitors
from tracker_backend.commands.arguments import add_project_option, command, project_of
from tracker_backend.errors import TrackerError
from tracker_backend.importing.run import import_files
from tracker_backend.maintenance.tasks import TASKS
from tracker_backend.serve import serve
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.embedded import EmbeddedError
from tracker_backend.storage.lifecycle import command_database

_EPILOG = """\
Settings are environment variables, for example TRACKER_DATA_DIR, DATABASE_URL, PORT, TRACKER_AUTH;
docs/reference/settings.md lists all of them. Without DATABASE_URL the server runs an embedded PostgreSQL."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. An error is one line on stderr and exit status 1."""
    options = build_parser().parse_args(arguments)
    try:
        os.environ.update(_overrides(options))  # the app and its workers read the environment too
        settings = environment.load()
        if options.command == "serve":
            serve(settings, as_json=options.json)
        else:
            _print(asyncio.run(_with_database(settings, options)), as_json=options.json)
    except (TrackerError, EmbeddedError) as error:
        sys.exit(f"tracker-backend: {error}")


def _overrides(options: argparse.Namespace) -> dict[str, str]:
    """Return the settings that were given as options, as environment variables."""
    names = [name for name in ("host", "port", "workers") if getattr(options, name, None) is not None]
    return {environment.variable(name): str(getattr(options, name)) for name in names}


async def _with_database(settings: Settings, options: argparse.Namespace) -> Any:
    async with command_database(settings) as dsn:
        if options.command == "dsn":
            return dsn
        if options.command == "migrate":
            return await _migrate(settings, dsn)
        options.dsn = dsn
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
        for line in msgspec.convert(_builtins(result), list[dict[str, Any]]):
            print("  ".join(f"{name}={_text(value)}" for name, value in line.items() if value is not None))
    else:
        values = {name: value for name, value in _builtins(result).items() if value is not None}
        print("\n".join(f"{name}: {_text(value)}" for name, value in values.items()))


def _builtins(result: Any) -> Any:
    """Return dictionaries and lists. By way of JSON, because a result may hold raw JSON from the database."""
    return msgspec.json.decode(msgspec.json.encode(result))


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else str(value)


async def _migrate(settings: Settings, dsn: str) -> Any:
    installation, applied = await migrate(settings, dsn)
    return {"tier": installation.tier, "applied": len(applied), "status": "up to date"}


async def _maintain(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    tasks = [task for task in TASKS if options.task in (None, task.name)]
    return [
        {"task": task.name, "done": await task.run_once(database.maintained), "purpose": task.purpose} for task in tasks
    ]


async def _import(settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    return await import_files(
        settings,
        database,
        await project_of(options, database),
        options.files,
        session=options.session,
        shift=options.shift,
        erased=options.erased,
        progress=not options.json and sys.stderr.isatty(),
    )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="tracker-backend",
        description="Record what visitors do on your sites, and read it back.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tracker-backend {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serving = command(commands, "serve", None, "run the server", "tracker-backend serve --port 8080 --workers 2")
    serving.add_argument("--host", help="address to listen on; default: the setting TRACKER_HOST")
    serving.add_argument("--port", type=int, help="port to listen on, 0 takes a free one; default: the setting PORT")
    serving.add_argument(
        "--workers", type=int, help="processes that share the database; default: the setting TRACKER_WORKERS"
    )

    command(
        commands,
        "migrate",
        None,
        "apply new migrations to the database, and the intervals of the settings",
        "tracker-backend migrate",
    )
    command(commands, "dsn", None, "print the DSN of the database, with its password", 'psql "$(tracker-backend dsn)"')

    maintain = command(
        commands, "maintain", _maintain, "run maintenance tasks now", "tracker-backend maintain retention"
    )
    maintain.add_argument("task", nargs="?", choices=[task.name for task in TASKS], help="the task; default: all tasks")

    importing = command(
        commands,
        "import",
        _import,
        "store recordings from files: rrweb events as JSON or NDJSON, and exports of sessions, gzipped or not",
        "tracker-backend import recording.json session.ndjson.gz",
    )
    importing.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files to store")
    add_project_option(importing)
    importing.add_argument(
        "--session",
        help="id of the session, at most 200 characters; default: the id in the file, else one made from its content",
    )
    importing.add_argument(
        "--shift",
        action="store_true",
        help="move all times by whole days, so that the newest event is in the last 24 hours",
    )
    importing.add_argument(
        "--erased",
        action="store_true",
        help="store sessions and visitors that were erased; browsers may then send data of them again, too",
    )

    for noun in (projects, keys, analysts, users, visitors):
        noun.add(commands)
    return parser


if __name__ == "__main__":
    main()
