"""The command `import`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tracker_backend.commands.arguments import add_project_option, project_of
from tracker_backend.importing.run import import_files
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of `import`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files to store")
    add_project_option(parser)
    parser.add_argument(
        "--session",
        help="id of the session, at most 200 characters; default: the id in the file, else one made from its content",
    )
    parser.add_argument(
        "--shift",
        action="store_true",
        help="move all times by whole days, so that the newest event is in the last 24 hours",
    )
    parser.add_argument(
        "--erased",
        action="store_true",
        help="store sessions and visitors that were erased; browsers may then send data of them again, too",
    )


async def run(settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Store the files."""
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
