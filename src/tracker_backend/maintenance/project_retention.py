"""Retention of a project's own: its rows go before the others' chunks or partitions do.

Day by day, each in a transaction of its own, then the sessions that reach back, some at a time. Hourly numbers of
those days are computed again from the rows that remain, so they end with the project's rows: TimescaleDB computes an
hour for all projects at once, and would count these again without their rows at the next late event anyway.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tracker_backend.accounts.project_settings import read_settings
from tracker_backend.storage.bulk_delete import delete_time_range
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import allow_bulk_changes
from tracker_backend.storage.store import SERIES, Store

_DAY = timedelta(days=1)
_PAGE = 200  # sessions locked at a time
_BEGIN = UUID(int=0)
_sql = load(__file__, "project_retention")


async def remove_old(store: Store) -> int:
    """Removes rows of whole days past their project's own retention; returns how many rows and sessions."""
    rows = await store.pool.fetch(_sql.list_projects)
    removed = 0
    for project_id, text in rows:
        days = read_settings(bytes(text)).retention_days
        if days is not None and days < store.settings.retention_days:
            removed += await _remove(store, project_id, days)
    return removed


async def _remove(store: Store, project_id: int, days: int) -> int:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    limit = today - timedelta(days=days)
    # What is older goes, or went, with its chunk; a partition's drop may be a day behind.
    day = today - timedelta(days=store.settings.retention_days + 1)
    removed = 0
    while day < limit:
        async with store.pool.acquire() as connection, connection.transaction():
            removed += await delete_time_range(connection, project_id, day, day + _DAY)
        day += _DAY
    return removed + await _remove_sessions(store, project_id, limit)


async def _remove_sessions(store: Store, project_id: int, limit: datetime) -> int:
    """Removes sessions without rows since the limit, and moves the beginning of the others there.

    A session's row is held meanwhile: a batch has come before, and its rows are seen, or waits, and widens the session
    again afterwards. So no row lies outside its session's bounds.
    """
    after = _BEGIN
    removed = 0
    while True:
        async with store.pool.acquire() as connection, connection.transaction():
            await allow_bulk_changes(connection)
            rows = await connection.fetch(_sql.lock_sessions, project_id, limit, after, _PAGE)
            if not rows:
                return removed
            after = rows[-1]["session_id"]
            ids = [row["session_id"] for row in rows]
            span = (project_id, ids, min(row["first"] for row in rows), limit)
            await connection.execute(_sql.delete_late_events, *span)
            for name in SERIES[1:]:
                await connection.execute(getattr(_sql, f"delete_late_{name}"), *span)
            removed += await connection.fetchval(_sql.drop_sessions, project_id, ids, limit, store.node.number)
            await connection.execute(_sql.move_sessions, project_id, ids, limit)
