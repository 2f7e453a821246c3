"""The command `analyst`: PostgreSQL logins that read projects with SQL."""

import argparse
from typing import Any

from tracker_backend.accounts import analysts
from tracker_backend.commands.arguments import add_actions, add_project_option, command, project_of
from tracker_backend.errors import NotFound
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database


def add(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `analyst`."""
    actions = add_actions(parser)
    for name, purpose in (
        ("create", "create a login that reads a project; its DSN with the password is shown once"),
        ("grant", "let a login read another project"),
        ("revoke", "stop a login from reading a project, from its next statement on"),
        ("drop", "revoke all projects of a login, and drop it if `analyst create` created it"),
    ):
        example = f"tracker-backend analyst {name} grafana{'' if name == 'drop' else ' --project 2'}"
        action = command(actions, name, run, purpose, example)
        action.add_argument("name", help="name of the login")
        if name != "drop":
            add_project_option(action)
    command(actions, "list", run, "list which login reads which project", "tracker-backend analyst list")


async def run(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Run an action."""
    if options.action == "list":
        return await analysts.list_grants(database.pool)
    name: str = options.name
    if options.action == "drop":
        projects, dropped = await analysts.drop(database.pool, name)
        return {"role": name, "revoked": projects, "dropped": dropped}
    project_id = await project_of(options, database)
    if options.action == "create":
        password = await analysts.create(database.pool, name, project_id)
        return {"role": name, "project_id": project_id, "dsn": analysts.dsn_for(options.dsn, name, password)}
    change = analysts.grant if options.action == "grant" else analysts.revoke
    changed = await change(database.pool, name, project_id)
    if options.action == "revoke" and not changed:
        raise NotFound(f"{name} does not read project {project_id}: `tracker-backend analyst list` lists the grants.")
    return {"role": name, "project_id": project_id, "changed": changed}
