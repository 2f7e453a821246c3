"""Removes what deleted projects have left: rows day by day, in transactions that are never long, and archived files.

A project's own row stays, without a name, until no batch can be under way any more: by it rows that were written
meanwhile are found.
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


async def remove_deleted(store: Store) -> int:
    """Removes rows and archived files of deleted projects; returns how many sessions had rows. SettingsError, after all
    others, for files that cannot be removed.
    """
    removed = 0
    for row in await store.pool.fetch(_sql.list_deleted):
        removed += await _remove_rows(store, row["project_id"])
    kept = await _clear_archive(store)
    await store.pool.execute(_sql.drop_projects, timedelta(days=store.settings.batch_days), list(kept))
    for project_id, error in kept.items():
        raise SettingsError(
            f"TRACKER_ARCHIVE_DIR holds files of project {project_id}, which was deleted, and they cannot be removed"
            f" ({error}): they are kept until they can."
        ) from error
    return removed


async def _clear_archive(store: Store) -> dict[int, OSError]:
    """Also of projects without rows: sessions that had expired went there, and one may just do so. Returns the projects
    whose files cannot be removed, with the reason.
    """
    kept: dict[int, OSError] = {}
    folder = archive.folder_of(store.settings)
    if folder is not None:
        for row in await store.pool.fetch(_sql.list_ended):
            try:
                await asyncio.to_thread(archive.remove_project, folder, row["project_id"])
            except OSError as error:
                kept[row["project_id"]] = error
    return kept


async def _remove_rows(store: Store, project_id: int) -> int:
    await _remove_days(store, project_id)
    async with store.pool.acquire() as connection, connection.transaction():
        sessions = [row[0] for row in await connection.fetch(_sql.lock_sessions, project_id)]
        span = await _days(connection, project_id)
        if span is not None:  # again: a batch may have come while days were emptied
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


async def _remove_days(store: Store, project_id: int) -> None:
    """Removes the mass of the rows, a day in a transaction."""
    span = await _days(store.pool, project_id)
    if span is None:
        return
    day, end = span
    while day < end:
        async with store.pool.acquire() as connection, connection.transaction():
            await delete_time_range(connection, project_id, day, day + _DAY)
        day += _DAY


async def _days(connection: Pool | Connection, project_id: int) -> tuple[datetime, datetime] | None:
    """From the begin of the first day of its rows to the end of the last; None where it has no session."""
    row = await connection.fetchrow(_sql.find_days, project_id)
    return (row[0], row[1]) if row and row[0] else None
