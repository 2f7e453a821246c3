"""Deletes the rows of projects that set a shorter retention than the server: chunks or partitions are dropped later.

Rows are deleted day by day, each day in a transaction of its own, then sessions page by page. The project's hourly
numbers of those days are deleted with its rows: they are computed again from the rows that remain. TimescaleDB computes
an hour of all projects at once, so that a late event of another project would delete them anyway.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tracker_backend.accounts.project_settings import read_settings
from tracker_backend.storage.bulk_delete import delete_time_range
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import allow_bulk_changes
from tracker_backend.storage.store import SERIES, Store
from tracker_backend.times import midnight_of

_DAY = timedelta(days=1)
_PAGE = 200  # sessions locked at a time
_BEGIN = UUID(int=0)
_sql = load(__file__, "project_retention")


async def apply_project_retention(store: Store) -> int:
    """Deletes rows of whole days past the retention of their project; returns how many rows and sessions."""
    rows = await store.pool.fetch(_sql.list_projects)
    removed = 0
    for project_id, text in rows:
        days = read_settings(bytes(text)).retention_days
        if days is not None and days < store.settings.retention_days:
            removed += await _delete_old_rows(store, project_id, days)
    return removed


async def _delete_old_rows(store: Store, project_id: int, days: int) -> int:
    today = midnight_of(datetime.now(UTC))
    limit = today - timedelta(days=days)
    # Older rows are dropped with their chunk; a partition may be dropped a day later.
    day = today - timedelta(days=store.settings.retention_days + 1)
    removed = 0
    while day < limit:
        async with store.pool.acquire() as connection, connection.transaction():
            removed += await delete_time_range(connection, project_id, day, day + _DAY)
        day += _DAY
    return removed + await _delete_old_sessions(store, project_id, limit)


async def _delete_old_sessions(store: Store, project_id: int, limit: datetime) -> int:
    """Deletes sessions without rows since the limit, and moves the beginning of the others to the limit.

    The rows of the sessions are locked meanwhile. A batch that was committed before is seen; one that waits widens its
    session again afterwards. So no row lies outside of its session's bounds.
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
