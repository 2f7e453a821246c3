"""Deletes a session: every row of it, in every table, and what it added to the hourly numbers."""

from uuid import UUID

from tracker_backend.storage.nodes import Node
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "erase")


async def erase_session(pool: Pool, node: Node, project_id: int, session_id: UUID, version: str | None = None) -> bool:
    """Deletes in one transaction; False if there is no such session, or with a `version` (the row's `xmin`) if it was
    written to since.

    Its hours are listed and computed again by the next refresh.
    """
    key = (project_id, session_id)
    async with pool.acquire() as connection, connection.transaction():
        bounds = await connection.fetchrow(_sql.lock_session, *key)
        if bounds is None or version not in (None, bounds["version"]):
            return False
        span = (*key, bounds[0], bounds[1])
        await connection.execute(_sql.lift_limit)
        await connection.execute(_sql.mark_events, *span)
        for statement in (_sql.delete_events, _sql.delete_screenshots, _sql.delete_recordings):
            await connection.execute(statement, *span)
        await connection.execute(_sql.delete_batches, *key)
        await connection.execute(_sql.delete_session, *key, node.number)
    return True
