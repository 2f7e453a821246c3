"""Bulk deletion of the rows of a project in a time range."""

from datetime import datetime

from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import allow_bulk_changes
from tracker_backend.storage.store import SERIES

_sql = load(__file__, "bulk_delete")


async def delete_time_range(connection: Connection, project_id: int, first: datetime, end: datetime) -> int:
    """Delete the rows from `first` to before `end` (whole hours), and list those hours to be computed again.

    Call it in a transaction. Returns the number of rows. They are counted before the deletion, because TimescaleDB does
    not count rows of whole compressed batches that it deletes.
    """
    time_range = (project_id, first, end)
    await allow_bulk_changes(connection)
    removed = 0
    for series in SERIES:
        count = await connection.fetchval(getattr(_sql, f"count_{series}"), *time_range)
        if count:
            await connection.execute(getattr(_sql, f"delete_{series}"), *time_range)
            removed += count
            if series == "events":
                await connection.execute(_sql.mark_hours, *time_range)
    return removed
