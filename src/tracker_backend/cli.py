"""The command `tracker-backend`. Every subcommand has `--json` for programs, and an example in its `--help`.

The help texts are the tables of docs/reference/cli.md (`make reference` writes them).
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import msgspec

from tracker_backend import __version__
from tracker_backend import settings as environment
from tracker_backend.commands.arguments import command, later
from tracker_backend.errors import TrackerError
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.embedded import EmbeddedError
from tracker_backend.storage.lifecycle import command_database


class CommandLine(NamedTuple):
    """A command as `--help` lists it. Its module in `commands` is loaded when it is called."""

    name: str
    module: str | None
    purpose: str
    example: str


COMMANDS = (
    CommandLine("serve", "serving", "run the server", "tracker-backend serve --port 8080 --workers 2"),
    CommandLine(
        "migrate",
        None,
        "apply new migrations to the database, and the intervals of the settings",
        "tracker-backend migrate",
    ),
    CommandLine("dsn", None, "print the DSN of the database, with its password", 'psql "$(tracker-backend dsn)"'),
    CommandLine("maintain", "maintenance", "run maintenance tasks now", "tracker-backend maintain retention"),
    CommandLine(
        "import",
        "imports",
        "store recordings from files: rrweb events as JSON or NDJSON, and exports of sessions, gzipped or not",
        "tracker-backend import recording.json session.ndjson.gz",
    ),
    CommandLine("project", "projects", "create, configure and delete projects", "tracker-backend project create shop"),
    CommandLine("key", "keys", "create, list, rotate and revoke keys", "tracker-backend key create --kind read"),
    CommandLine(
        "analyst",
        "analysts",
        "let PostgreSQL logins read a project with SQL: Grafana, Metabase, pandas, psql",
        "tracker-backend analyst create grafana --project 2",
    ),
    CommandLine(
        "user",
        "users",
        "invite, list and remove people",
        "tracker-backend user invite ann@shop.example --role editor",
    ),
    CommandLine("visitor", "visitors", "export, erase and check visitors", "tracker-backend visitor erase customer-17"),
)
_EPILOG = """\
Settings are environment variables, for example TRACKER_DATA_DIR, DATABASE_URL, PORT, TRACKER_AUTH;
docs/reference/settings.md lists all of them. Without DATABASE_URL the server runs an embedded PostgreSQL."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. An error is one line on stderr and exit status 1."""
    given = sys.argv[1:] if arguments is None else arguments
    called = next((word for word in given if not word.startswith("-")), "")
    options = build_parser(called).parse_args(given)
    try:
        os.environ.update(_overrides(options))  # the app and its workers read the environment too
        settings = environment.load()
        if options.command == "serve":
            options.start(settings, as_json=options.json)
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


def build_parser(called: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands; with `called`, of that command's options only, which loads only its module."""
    parser = argparse.ArgumentParser(
        prog="tracker-backend",
        description="Record what visitors do on your sites, and read it back.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tracker-backend {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for each in COMMANDS:
        module = f"tracker_backend.commands.{each.module}"
        added = command(commands, each.name, later(module) if each.module else None, each.purpose, each.example)
        if each.module and called in (None, each.name):
            import_module(module).add(added)
    return parser


if __name__ == "__main__":
    main()
