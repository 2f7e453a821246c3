"""Numbers of a project's sessions for a dashboard's first page."""

from msgspec import Struct

from tracker_backend.queries.days import day_span
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "stats")


class Today(Struct, frozen=True, rename="camel"):
    """Today's sessions."""

    total_sessions: int
    avg_duration: float
    """Seconds."""


async def today(pool: Pool, project_id: int, timezone: str | None = None) -> Today:
    """Sessions that began today in `timezone`, else in that of the project. Invalid for an unknown time zone."""
    row = await pool.fetchrow(_sql.span, project_id, *await day_span(pool, project_id, "today", timezone))
    return Today(*row) if row else Today(0, 0)
