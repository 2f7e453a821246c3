"""Dropping what is old: raw rows, hourly numbers, sessions without rows, identities of batches. Each is a task."""

from datetime import UTC, datetime, timedelta

from tracker_backend.storage import rollups
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import rows_affected
from tracker_backend.storage.store import Store

_sql = load(__file__, "retention")


def _ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def drop_series(store: Store) -> int:
    """Drops chunks or partitions of raw rows; returns how many."""
    return await store.drop_expired()


async def drop_hours(store: Store) -> int:
    """Drops hourly numbers; returns how many rows."""
    limit = _ago(store.settings.hourly_retention_days)
    dropped = await store.drop_expired_hours(limit)
    return dropped + rows_affected(await store.pool.execute(_sql.drop_sessions_hours, limit))


async def drop_sessions(store: Store) -> int:
    """Drops sessions whose last raw row has expired, whole days like the rows; their hourly numbers stay. Returns how
    many.
    """
    limit = _ago(store.settings.retention_days).replace(hour=0, minute=0, second=0, microsecond=0)
    await rollups.freeze_hours(store.pool, "sessions_hourly", limit)
    return await store.pool.fetchval(_sql.drop_sessions, limit, store.node.number)


async def drop_batches(store: Store) -> int:
    """Drops identities of batches; returns how many."""
    return rows_affected(await store.pool.execute(_sql.drop_batches, _ago(store.settings.batch_days)))
