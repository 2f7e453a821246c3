"""Exports a visitor: the sessions that name their user id, with all rows."""

from collections.abc import AsyncIterator, Awaitable
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from tracker_backend.errors import NotFound
from tracker_backend.queries import export
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_PAGE = 500
_sql = load(__file__, "visitor_export")


async def count_sessions(pool: Pool, project_id: int, user_id: str) -> int:
    """How many sessions a visitor has. Raises NotFound where there is none."""
    count: int = await pool.fetchval(_sql.count, project_id, user_id)
    if not count:
        raise NotFound("no session in this project has this user id.")
    return count


def export_visitor(pool: Pool, project_id: int, user_id: str) -> AsyncIterator[bytes]:
    """All sessions of a visitor as NDJSON, oldest first, each as `export.export_session` writes it."""

    def page_after(started_at: datetime, session_id: UUID) -> Awaitable[list[Record]]:
        return pool.fetch(_sql.sessions, project_id, user_id, started_at, session_id, _PAGE)

    return export.export_sessions(pool, project_id, page_after)
