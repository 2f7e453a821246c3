"""Keeps a rollup table equal to the rows it counts, hour by hour.

An hour before the watermark is in the table, later hours are counted as they are read. A refresh moves the watermark to
the last finished hour and computes the listed hours again, all in one transaction: readers see before or after.
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


async def finish_hours(pool: Pool, rollup: Rollup, before: datetime) -> None:
    """Called before rows of these hours are dropped: from now on their numbers stay as they are.

    Waits for a refresh that runs, which may still count those rows.
    """
    await pool.execute(_sql.finish_hours, rollup, before)


async def lock(connection: Connection, rollup: Rollup) -> None:
    """No refresh of this rollup runs until the transaction ends."""
    await connection.fetchrow(_sql.lock_rollup, rollup)


async def refresh(pool: Pool, rollup: Rollup) -> int:
    """Computes new and listed hours; returns how many. Hours that lost rows to retention are left alone."""
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
