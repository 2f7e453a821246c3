"""Rollup tables: they hold the same numbers as the rows that they count, hour by hour.

Hours before the watermark are read from the table, later hours are counted when they are read. A refresh moves the
watermark to the last finished hour and computes the listed hours again, in one transaction.
"""

from datetime import datetime, timedelta
from typing import Literal

from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

Rollup = Literal["events_hourly", "sessions_hourly"]
_sql = load(__file__, "rollups")
_QUERIES = {
    "events_hourly": (_sql.clear_events_hours, _sql.compute_events_hours, _sql.extend_events_hours),
    "sessions_hourly": (_sql.clear_sessions_hours, _sql.compute_sessions_hours, _sql.extend_sessions_hours),
}


async def freeze_hours(pool: Pool, rollup: Rollup, before: datetime) -> None:
    """Make the numbers of these hours final. Call it before their rows are dropped.

    Waits for a running refresh, which may still count those rows.
    """
    await pool.execute(_sql.freeze_hours, rollup, before)


async def lock(connection: Connection, rollup: Rollup) -> None:
    """Block refreshes of this rollup until the transaction ends."""
    await connection.fetchrow(_sql.lock_rollup, rollup)


async def refresh(pool: Pool, rollup: Rollup) -> int:
    """Compute new and listed hours. Returns their number. Hours whose rows were dropped are not changed."""
    clear, compute, extend = _QUERIES[rollup]
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_sql.lock_rollup, rollup)
        assert row is not None  # noqa: S101 — the migration made it
        upto, target, kept_from = row["upto"], row["target"], row["kept_from"]
        listed = {tuple(hour) for hour in await connection.fetch(_sql.take_hours, rollup)}
        hours = [(project, bucket) for project, bucket in listed if kept_from <= bucket < upto]
        if hours:
            arrays = list(zip(*hours, strict=True))
            await connection.execute(clear, *arrays)
            await connection.execute(compute, *arrays)
        if target > upto:
            await connection.execute(extend, upto, target)
            await connection.execute(_sql.move_rollup, rollup, target)
    return len(hours) + (target - upto) // timedelta(hours=1)
