"""The time range in which a session has rows: a read by session names it, so that only those days are read."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from tracker_backend.errors import NotFound
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "session_bounds")


class SessionBounds(Struct, frozen=True):
    """The time range of a session's rows, how many events it has, and its clock offset."""

    first: datetime
    last: datetime
    """The time of the last row, which is included."""
    events: int
    offset: int
    """Microseconds to add to the client's times."""


async def get_bounds(pool: Pool, project_id: int, session_id: UUID) -> SessionBounds:
    """The bounds of a session. Raises NotFound."""
    row = await pool.fetchrow(_sql.get_bounds, project_id, session_id)
    if row is None:
        raise session_not_found(session_id)
    first, last, events, offset_ms = row
    return SessionBounds(first, last, events, offset_ms * 1000)


def session_not_found(session_id: UUID) -> NotFound:
    """The error for a session that the project does not have."""
    return NotFound(f"there is no session {session_id} in this project.")
