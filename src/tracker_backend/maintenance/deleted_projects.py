"""Deletes the rows and archived files of deleted projects. Rows are deleted day by day, in short transactions.

The row of the project itself stays, without a name, until no batch of it can arrive any more: rows that were written
in between are found by it.
"""

import asyncio
from datetime import datetime, timedelta

from tracker_backend import archive
from tracker_backend.errors import SettingsError
from tracker_backend.storage import rollups
from tracker_backend.storage.bulk_delete import delete_time_range
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store

_DAY = timedelta(days=1)
_sql = load(__file__, "deleted_projects")


async def delete_projects(store: Store) -> int:
    """Deletes rows and archived files of deleted projects; returns how many sessions had rows.

    Raises SettingsError, at the end, for files that cannot be deleted.
    """
    removed = 0
    for row in await store.pool.fetch(_sql.list_deleted):
        removed += await _delete_rows(store, row["project_id"])
    kept = await _delete_archived_files(store)
    await store.pool.execute(_sql.drop_projects, timedelta(days=store.settings.batch_days), list(kept))
    for project_id, error in kept.items():
        raise SettingsError(
            f"TRACKER_ARCHIVE_DIR holds files of project {project_id}, which was deleted, and they cannot be removed"
            f" ({error}): they are kept until they can."
        ) from error
    return removed


async def _delete_archived_files(store: Store) -> dict[int, OSError]:
    """Deletes files of all deleted projects, also of those without rows: their sessions may all have expired.

    Returns the projects whose files cannot be deleted, with the reasons.
    """
    kept: dict[int, OSError] = {}
    folder = archive.archive_folder(store.settings)
    if folder is not None:
        for row in await store.pool.fetch(_sql.list_ended):
            try:
                await asyncio.to_thread(archive.remove_project, folder, row["project_id"])
            except OSError as error:
                kept[row["project_id"]] = error
    return kept


async def _delete_rows(store: Store, project_id: int) -> int:
    await _delete_days(store, project_id)
    async with store.pool.acquire() as connection, connection.transaction():
        sessions = [row[0] for row in await connection.fetch(_sql.lock_sessions, project_id)]
        span = await _days_with_rows(connection, project_id)
        if span is not None:  # again: a batch may have been stored while days were deleted
            await delete_time_range(connection, project_id, *span)
        await connection.execute(_sql.delete_sessions, project_id, sessions)
        await connection.execute(_sql.delete_batches, project_id)
    async with store.pool.acquire() as connection, connection.transaction():
        for rollup in ("events_hourly", "sessions_hourly"):
            await rollups.lock(connection, rollup)
        await store.forget_hours(connection, project_id)
        await connection.execute(_sql.delete_sessions_hourly, project_id)
    await store.pool.execute(_sql.delete_totals, project_id)
    return len(sessions)


async def _delete_days(store: Store, project_id: int) -> None:
    """Deletes most of the rows, a day in each transaction."""
    span = await _days_with_rows(store.pool, project_id)
    if span is None:
        return
    day, end = span
    while day < end:
        async with store.pool.acquire() as connection, connection.transaction():
            await delete_time_range(connection, project_id, day, day + _DAY)
        day += _DAY


async def _days_with_rows(connection: Pool | Connection, project_id: int) -> tuple[datetime, datetime] | None:
    """The begin of the first day with rows of a project, and the end of the last; None where it has no session."""
    row = await connection.fetchrow(_sql.find_days, project_id)
    return (row[0], row[1]) if row and row[0] else None
