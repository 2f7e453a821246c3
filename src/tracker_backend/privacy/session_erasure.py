"""Deletes a session: every row of it, in every table, and what it added to the hourly numbers."""

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

_EVERYWHERE = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
_sql = load(__file__, "session_erasure")


class Removed(Struct, frozen=True):
    """How many rows went, by table."""

    sessions: int = 0
    events: int = 0
    recordings: int = 0
    screenshots: int = 0
    ingest_batches: int = 0

    def counts(self) -> dict[str, int]:
        """By name."""
        return msgspec.structs.asdict(self)


async def erase_session(
    pool: Pool,
    node: Node,
    project_id: int,
    session_id: UUID,
    version: str | None = None,
    first: Callable[[], None] | None = None,
) -> Removed | None:
    """Deletes in one transaction; None if there is no such session, or with a `version` (the row's `xmin`) if it was
    written to since.

    `first` is called when nothing can come in between any more; what it raises keeps the session. Its hours are listed
    and computed again by the next refresh. It may begin anew: see `tombstones` for what may not.
    """
    async with pool.acquire() as connection, connection.transaction():
        return await erase_in(connection, node, project_id, session_id, version, first)


async def erase_in(
    connection: Connection,
    node: Node,
    project_id: int,
    session_id: UUID,
    version: str | None = None,
    first: Callable[[], None] | None = None,
    *,
    is_certain: bool = False,
) -> Removed | None:
    """The same inside a transaction. With `is_certain` rows are looked for without a session's row too, in all days."""
    key = (project_id, session_id)
    bounds = await connection.fetchrow(_sql.lock_session, *key)
    if bounds is None and not is_certain:
        return None
    if bounds is not None and version not in (None, bounds["version"]):
        return None
    if first is not None:
        await asyncio.to_thread(first)
    span = (*key, *(_EVERYWHERE if bounds is None else (bounds["first"], bounds["last"])))
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
    return Removed(int(bounds is not None), events, recordings, screenshots, batches)
