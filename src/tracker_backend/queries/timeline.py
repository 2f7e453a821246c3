"""When the timeline of a recording begins."""

from uuid import UUID

from tracker_backend.queries import sessions
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load
from tracker_backend.times import from_datetime

_sql = load(__file__, "timeline")


async def timeline_start(pool: Pool, project_id: int, session_id: UUID) -> int:
    """When the session began by the client's clock, which its rrweb events use, in microseconds. Raises NotFound.

    It is the client's time of the first rrweb event, minus that event's distance from the start of the session as it is
    stored. So it is right for a wrong clock, also for one that is so wrong that events are stored at the time of their
    arrival. No rrweb event lies before it.
    """
    session = await sessions.get_session(pool, project_id, session_id)
    begin = session.started_at
    row = await pool.fetchrow(
        _sql.first_recorded,
        project_id,
        session_id,
        session.first_at or session.started_at,
        session.last_at or session.started_at,
    )
    if row is None:
        return from_datetime(begin) - (session.clock_offset_ms or 0) * 1000
    return row["client_first"] - max(0, from_datetime(row["timestamp"]) - from_datetime(begin))
