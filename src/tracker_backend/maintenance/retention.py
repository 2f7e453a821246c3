"""The retention of raw rows, hourly numbers, sessions and batch identities. Each function is a task."""

from datetime import UTC, datetime, timedelta

from tracker_backend.storage import rollups
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import rows_affected
from tracker_backend.storage.store import Store
from tracker_backend.times import midnight_of

_sql = load(__file__, "retention")


def _ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def drop_raw_rows(store: Store) -> int:
    """Drops chunks or partitions of events, recordings and screenshots; returns how many."""
    return await store.drop_expired()


async def drop_hourly_numbers(store: Store) -> int:
    """Drops hourly numbers past their retention; returns how many rows."""
    limit = _ago(store.settings.hourly_retention_days)
    dropped = await store.drop_expired_hours(limit)
    return dropped + rows_affected(await store.pool.execute(_sql.drop_sessions_hours, limit))


async def drop_sessions_without_rows(store: Store) -> int:
    """Drops sessions whose raw rows have all been dropped; returns how many. Their hourly numbers are kept."""
    limit = midnight_of(_ago(store.settings.retention_days))
    await rollups.freeze_hours(store.pool, "sessions_hourly", limit)
    return await store.pool.fetchval(_sql.drop_sessions, limit, store.node.number)


async def drop_batch_identities(store: Store) -> int:
    """Drops identities of batches that cannot be repeated any more; returns how many."""
    return rows_affected(await store.pool.execute(_sql.drop_batches, _ago(store.settings.batch_days)))
