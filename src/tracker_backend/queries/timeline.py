"""Where the time line of a recording begins."""

from uuid import UUID

from tracker_backend.queries import sessions
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load
from tracker_backend.times import from_datetime

_sql = load(__file__, "timeline")


async def began_at(pool: Pool, project_id: int, session_id: UUID) -> int:
    """When the session began, in microseconds by the clock that its rrweb events carry; NotFound for an unknown one.

    Told from where its first rrweb event was put on our own time line: so it holds for a clock that is off, and for one
    that is so far off that the event was put at its receipt. No rrweb event lies before it.
    """
    session = await sessions.get_session(pool, project_id, session_id)
    begin = session.began_at
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
