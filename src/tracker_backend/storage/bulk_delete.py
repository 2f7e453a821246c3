"""All rows of a project in a span of time."""

from datetime import datetime

from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import lift_limit
from tracker_backend.storage.store import SERIES

_sql = load(__file__, "bulk_delete")


async def remove_span(connection: Connection, project_id: int, first: datetime, end: datetime) -> int:
    """Removes them from a span of whole hours, in a transaction, and has those hours computed again; returns how many
    rows. They are counted before: deleting whole compressed batches counts nothing.
    """
    span = (project_id, first, end)
    await lift_limit(connection)
    removed = 0
    for series in SERIES:
        count = await connection.fetchval(getattr(_sql, f"count_{series}"), *span)
        if count:
            await connection.execute(getattr(_sql, f"delete_{series}"), *span)
            removed += count
            if series == "events":
                await connection.execute(_sql.mark_hours, *span)
    return removed
