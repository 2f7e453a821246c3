"""The command `maintain`."""

import argparse
from typing import Any

from tracker_backend.maintenance.tasks import TASKS
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of `maintain`."""
    parser.add_argument("task", nargs="?", choices=[task.name for task in TASKS], help="the task; default: all tasks")


async def run(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Run the task, or all of them."""
    tasks = [task for task in TASKS if options.task in (None, task.name)]
    return [
        {"task": task.name, "done": await task.run_once(database.maintained), "purpose": task.purpose} for task in tasks
    ]
