"""Tickets that open one live stream each, for clients that can send neither a key nor a cookie."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

LIFETIME_SECONDS = 30
"""How long a ticket is valid."""
_sql = load(__file__, "tickets")


class Ticket(Struct, frozen=True):
    """The session that a ticket opens, and the digest of the key or login that requested it (neither: a local call)."""

    project_id: int
    session_id: UUID
    key: bytes | None
    login: bytes | None


async def insert_ticket(pool: Pool, token: bytes, ticket: Ticket) -> datetime:
    """Store a ticket by the digest of its token, and return until when it is valid."""
    values = (ticket.project_id, ticket.session_id, ticket.key, ticket.login)
    return await pool.fetchval(_sql.insert_ticket, token, *values, LIFETIME_SECONDS)


async def use_ticket(pool: Pool, token: bytes) -> Ticket | None:
    """Remove a ticket and return it; None if it is unknown, used or expired. Of concurrent calls only one gets it."""
    row = await pool.fetchrow(_sql.use_ticket, token)
    return Ticket(*row[:-1]) if row and row[-1] else None
