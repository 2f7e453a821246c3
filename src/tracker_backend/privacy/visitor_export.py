"""Exports a visitor: the sessions that name their user id, with all rows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

from tracker_backend.errors import NotFound
from tracker_backend.queries import export, sessions
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_PAGE = 500
_BEGIN = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))
_sql = load(__file__, "visitor_export")


async def count_sessions(pool: Pool, project_id: int, user_id: str) -> int:
    """How many sessions a visitor has. Raises NotFound where there is none."""
    count: int = await pool.fetchval(_sql.count, project_id, user_id)
    if not count:
        raise NotFound("no session in this project has this user id.")
    return count


async def export_visitor(pool: Pool, project_id: int, user_id: str) -> AsyncIterator[bytes]:
    """All sessions of a visitor as NDJSON, oldest first, each as `export.export_session` writes it."""
    position = _BEGIN
    while rows := await pool.fetch(_sql.sessions, project_id, user_id, *position, _PAGE):
        for started_at, session_id in rows:
            position = (started_at, session_id)
            try:
                session = await sessions.get_session(pool, project_id, session_id)
            except NotFound:
                continue  # deleted meanwhile
            async for text in export.export_session(pool, project_id, session, "ndjson"):
                yield text
