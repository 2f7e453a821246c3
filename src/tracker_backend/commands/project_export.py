"""The action `project export`."""

import argparse

from tracker_backend.accounts import audit
from tracker_backend.commands.arguments import project_of
from tracker_backend.commands.export_files import write_file
from tracker_backend.queries.export import export_project
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database


async def run(_settings: Settings, options: argparse.Namespace, database: Database) -> dict[str, object]:
    """Write all sessions of a project to a file."""
    project_id = await project_of(options, database)
    pool = database.maintained.pool
    await audit.write(pool, audit.COMMAND_LINE, "project exported", project_id=project_id)
    await write_file(options.file, export_project(pool, project_id))
    return {"file": str(options.file), "bytes": options.file.stat().st_size}
