"""The action `project delete`."""

import argparse

from msgspec import Struct

from tracker_backend.accounts.audit import COMMAND_LINE
from tracker_backend.accounts.project_deletion import delete_project
from tracker_backend.commands.arguments import project_of
from tracker_backend.maintenance.deleted_projects import delete_projects
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database


class DeletedProject(Struct, frozen=True):
    """A project that was deleted, with the number of its sessions."""

    project_id: int
    sessions: int


async def run(_settings: Settings, options: argparse.Namespace, database: Database) -> DeletedProject:
    """Delete a project. Its rows and archived files are removed before this returns."""
    project_id = await project_of(options, database)
    async with database.pool.acquire() as connection, connection.transaction():
        await delete_project(connection, COMMAND_LINE, project_id, options.confirm)
    return DeletedProject(project_id, await delete_projects(database.maintained))
