"""What all commands share: how one is made, and the project that it is about."""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

from tracker_backend.accounts import keys, projects
from tracker_backend.errors import SettingsError
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database

Command = Callable[[Settings, argparse.Namespace, Database], Awaitable[Any]]


def command(commands: Any, name: str, run: Command | None, purpose: str, example: str) -> argparse.ArgumentParser:
    """A command and what it does; `run` is None for those that need no open database."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose.partition(":")[0],
        description=purpose[0].upper() + purpose[1:] + ".",
        epilog=f"Example: {example}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def add_actions(parser: argparse.ArgumentParser) -> Any:
    """What can be done with a noun: `project create`, `project list`."""
    return parser.add_subparsers(dest="action", required=True, metavar="ACTION")


def add_project_option(*parsers: argparse.ArgumentParser, required: bool = False) -> None:
    """`--project`, for commands about one."""
    for parser in parsers:
        parser.add_argument("--project", type=int, required=required, help="number of the project (the first one)")


async def project_of(options: argparse.Namespace, database: Database) -> int:
    """The number of `--project`, else of the first one; SettingsError where there is none."""
    project_id: int = options.project or await keys.default_project(database.pool)
    if not await projects.list_projects(database.pool, project_id):
        raise SettingsError(f"there is no project {project_id}: `tracker-backend project list` shows them.")
    return project_id
