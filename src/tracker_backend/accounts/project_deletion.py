"""Deletion of a project: nobody can write or read it any more. The task `projects` removes its rows later."""

from tracker_backend.accounts import audit
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load

_sql = load(__file__, "project_deletion")


async def delete_project(connection: Connection, actor: str, project_id: int, confirmed: str) -> None:
    """End all access to a project and write the audit log. The task `projects` removes its rows later.

    Call it in a transaction. Raises NotFound; Invalid if `confirmed` is not the name of the project, and for the last
    project.
    """
    projects = {row[0]: row[1] for row in await connection.fetch(_sql.lock_projects)}
    name = projects.get(project_id)
    if name is None:
        raise NotFound(f"project {project_id} does not exist any more.")
    if confirmed != name:
        raise Invalid(f"`confirm` is {confirmed!r}: to delete project {project_id}, give its name, {name!r}.")
    if len(projects) == 1:
        raise Invalid(f"project {project_id} is the only project: create another one first, or delete its sessions.")
    await connection.execute(_sql.mark_deleted, project_id)
    for statement in (
        _sql.delete_tickets,
        _sql.delete_links,
        _sql.delete_members,
        _sql.delete_grants,
        _sql.delete_keys,
    ):
        await connection.execute(statement, project_id)
    target = f"project {project_id}"
    await audit.write(connection, actor, "project deleted", project_id=project_id, target=target, name=name)
