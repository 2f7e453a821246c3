"""Deletes a project with everything in it.

At once nobody may write to it or read it. Its rows then go day by day, in transactions that are never long, by a
maintenance task. The project's own row stays, without a name, until no batch can be under way any more: by it rows that
were written meanwhile are found.
"""

from datetime import datetime, timedelta

from tracker_backend.errors import Invalid, NotFound
from tracker_backend.queries import audit
from tracker_backend.storage import rollups
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store

_DAY = timedelta(days=1)
_sql = load(__file__, "project")


async def delete_project(connection: Connection, actor: str, project_id: int, confirmed: str) -> None:
    """Ends all access to a project, with a line of the audit, and leaves its rows to `remove_deleted`. Call it in a
    transaction.

    NotFound; Invalid where `confirmed` is not the project's name, and for the last project.
    """
    projects = {row[0]: row[1] for row in await connection.fetch(_sql.lock_projects)}
    name = projects.get(project_id)
    if name is None:
        raise NotFound(f"there is no project {project_id} any more.")
    if confirmed != name:
        raise Invalid(f"`confirm` is {confirmed!r}: to delete project {project_id}, give its name, {name!r}.")
    if len(projects) == 1:
        raise Invalid(f"project {project_id} is the only one: make another first, or delete its sessions.")
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


async def remove_deleted(store: Store) -> int:
    """Removes the rows of deleted projects; returns how many sessions that were."""
    removed = 0
    for row in await store.pool.fetch(_sql.list_deleted):
        removed += await _remove_rows(store, row["project_id"])
    await store.pool.execute(_sql.drop_projects, timedelta(days=store.settings.batch_days))
    return removed


async def _remove_rows(store: Store, project_id: int) -> int:
    await _remove_days(store, project_id)
    async with store.pool.acquire() as connection, connection.transaction():
        sessions = [row[0] for row in await connection.fetch(_sql.lock_sessions, project_id)]
        span = await _days(connection, project_id)
        if span is not None:  # again: a batch may have come while days were emptied
            await _remove_span(connection, project_id, *span)
        await connection.execute(_sql.delete_sessions, project_id, sessions)
        await connection.execute(_sql.delete_batches, project_id)
    async with store.pool.acquire() as connection, connection.transaction():
        for rollup in ("events_hourly", "sessions_hourly"):
            await rollups.lock(connection, rollup)
        await store.forget_hours(connection, project_id)
        await connection.execute(_sql.delete_sessions_hourly, project_id)
    await store.pool.execute(_sql.delete_totals, project_id)
    return len(sessions)


async def _remove_days(store: Store, project_id: int) -> None:
    """Removes the mass of the rows, a day in a transaction."""
    span = await _days(store.pool, project_id)
    if span is None:
        return
    day, end = span
    while day < end:
        async with store.pool.acquire() as connection, connection.transaction():
            await _remove_span(connection, project_id, day, day + _DAY)
        day += _DAY


async def _days(connection: Pool | Connection, project_id: int) -> tuple[datetime, datetime] | None:
    """From the begin of the first day of its rows to the end of the last; None where it has no session."""
    row = await connection.fetchrow(_sql.find_days, project_id)
    return (row[0], row[1]) if row and row[0] else None


async def _remove_span(connection: Connection, project_id: int, first: datetime, end: datetime) -> None:
    await connection.execute(_sql.lift_limit)
    for statement in (_sql.mark_events, _sql.delete_events, _sql.delete_screenshots, _sql.delete_recordings):
        await connection.execute(statement, project_id, first, end)
