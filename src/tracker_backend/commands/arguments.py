"""What all commands share: how a command is declared, and its option `--project`."""

import argparse
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from tracker_backend.accounts import keys, projects
from tracker_backend.errors import SettingsError
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database

Command = Callable[[Settings, argparse.Namespace, Database], Awaitable[Any]]


def command(commands: Any, name: str, run: Command | None, purpose: str, example: str) -> argparse.ArgumentParser:
    """Declare a command. `run` gets an open database; it is None for commands that open none."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose.partition(":")[0],
        description=purpose[0].upper() + purpose[1:] + ".",
        epilog=f"Example: {example}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def later(module: str) -> Command:
    """`run` of a module that is loaded when the command runs: to load all of them takes seconds."""

    async def run(settings: Settings, options: argparse.Namespace, database: Database) -> Any:
        return await import_module(module).run(settings, options, database)

    return run


def add_actions(parser: argparse.ArgumentParser) -> Any:
    """Let a command have actions: `project create`, `project list`."""
    return parser.add_subparsers(dest="action", required=True, metavar="ACTION")


def add_project_option(*parsers: argparse.ArgumentParser, required: bool = False) -> None:
    """Add the option `--project`."""
    text = "number of the project" + ("" if required else "; default: the first project")
    for parser in parsers:
        parser.add_argument("--project", type=int, required=required, help=text)


async def project_of(options: argparse.Namespace, database: Database) -> int:
    """Return the project id of `--project`, by default that of the first project.

    Raises SettingsError if that project does not exist.
    """
    project_id: int = options.project or await keys.default_project(database.pool)
    if not await projects.list_projects(database.pool, project_id):
        raise SettingsError(f"project {project_id} does not exist: `tracker-backend project list` lists all projects.")
    return project_id
