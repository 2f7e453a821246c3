"""Tickets that open one stream each: for readers that can send neither a key nor a cookie."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

SECONDS = 30
"""How long a ticket waits to be used."""
_sql = load(__file__, "tickets")


class Ticket(Struct, frozen=True):
    """What a ticket opens, and the digest of the key or the login that it stands for; of neither for a local caller."""

    project_id: int
    session_id: UUID
    key: bytes | None
    login: bytes | None


async def insert_ticket(pool: Pool, token: bytes, ticket: Ticket) -> datetime:
    """Stores a ticket by its digest; until when it can be used."""
    values = (ticket.project_id, ticket.session_id, ticket.key, ticket.login)
    return await pool.fetchval(_sql.insert_ticket, token, *values, SECONDS)


async def use_ticket(pool: Pool, token: bytes) -> Ticket | None:
    """Takes a ticket away: of two who come with it at once one gets it. None when there is none any more."""
    row = await pool.fetchrow(_sql.use_ticket, token)
    return Ticket(*row[:-1]) if row and row[-1] else None
