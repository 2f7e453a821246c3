"""Numbers of a project's sessions of today."""

from msgspec import Struct

from tracker_backend.queries.date_ranges import parse_date_range
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "stats")


class SessionsToday(Struct, frozen=True, rename="camel"):
    """The sessions that began today."""

    total_sessions: int
    avg_duration: float
    """Seconds."""


async def count_today(pool: Pool, project_id: int, timezone: str | None = None) -> SessionsToday:
    """Sessions that began today in `timezone`, else in that of the project. Raises Invalid for an unknown time zone."""
    row = await pool.fetchrow(
        _sql.count_sessions, project_id, *await parse_date_range(pool, project_id, "today", timezone)
    )
    return SessionsToday(*row) if row else SessionsToday(0, 0)
