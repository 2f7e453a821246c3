"""Deletes a session: its rows in every table, and what it added to the hourly numbers."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from tracker_backend.storage.nodes import Node
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import allow_bulk_changes, rows_affected

_ALL_DAYS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
_sql = load(__file__, "session_erasure")


class RemovedRows(Struct, frozen=True):
    """How many rows were deleted, by table."""

    sessions: int = 0
    events: int = 0
    recordings: int = 0
    screenshots: int = 0
    ingest_batches: int = 0

    def counts(self) -> dict[str, int]:
        """The numbers by table."""
        return msgspec.structs.asdict(self)


async def erase_session(
    pool: Pool,
    node: Node,
    project_id: int,
    session_id: UUID,
    version: str | None = None,
    before_delete: Callable[[], None] | None = None,
) -> RemovedRows | None:
    """Deletes a session in one transaction. Later batches may begin it anew: `tombstones` prevent that.

    Returns None where there is no such session, or where its row changed since it had the `version` (its `xmin`).
    `before_delete` is called in a thread while the session's row is locked; if it raises, the session stays. The
    session's hours are computed again by the next refresh.
    """
    async with pool.acquire() as connection, connection.transaction():
        return await erase_session_in(connection, node, project_id, session_id, version, before_delete)


async def erase_session_in(
    connection: Connection,
    node: Node,
    project_id: int,
    session_id: UUID,
    version: str | None = None,
    before_delete: Callable[[], None] | None = None,
    *,
    search_all_days: bool = False,
) -> RemovedRows | None:
    """As `erase_session`, inside a transaction.

    With `search_all_days` also rows of a session that has no row in `sessions` are deleted.
    """
    key = (project_id, session_id)
    bounds = await connection.fetchrow(_sql.lock_session, *key)
    if bounds is None and not search_all_days:
        return None
    if bounds is not None and version not in (None, bounds["version"]):
        return None
    if before_delete is not None:
        await asyncio.to_thread(before_delete)
    span = (*key, *(_ALL_DAYS if bounds is None else (bounds["first"], bounds["last"])))
    await allow_bulk_changes(connection)
    events: int = await connection.fetchval(_sql.mark_events, *span)  # deleting whole compressed batches counts nothing
    await connection.execute(_sql.delete_events, *span)
    screenshots, recordings = [
        rows_affected(await connection.execute(statement, *span))
        for statement in (_sql.delete_screenshots, _sql.delete_recordings)
    ]
    batches = rows_affected(await connection.execute(_sql.delete_batches, *key))
    await connection.execute(_sql.delete_tickets, *key)
    if bounds is not None:
        await connection.execute(_sql.delete_session, *key, node.number)
    return RemovedRows(int(bounds is not None), events, recordings, screenshots, batches)
