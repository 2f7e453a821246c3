"""Receipts of erasures."""

from datetime import datetime
from uuid import UUID

from msgspec import Raw, Struct

from tracker_backend.errors import NotFound
from tracker_backend.storage.keyed_hash import Subject
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "receipts")


class Receipt(Struct, frozen=True):
    """What was asked for, and what was removed of it. It tells neither the visitor's id nor those of the sessions."""

    erasure_id: UUID
    subject: Subject
    actor: str
    asked_at: datetime
    finished_at: datetime | None
    """None while it goes on."""
    removed: Raw
    """How many by kind: `{"sessions": 2, "events": 310, …}`."""


async def list_receipts(pool: Pool, project_id: int, before: UUID | None, limit: int) -> list[Receipt]:
    """Of a project, newest first, from those before an erasure on."""
    return [Receipt(*row) for row in await pool.fetch(_sql.list_receipts, project_id, before, limit)]


async def get_receipt(pool: Pool, project_id: int, erasure_id: UUID) -> Receipt:
    """Raises NotFound."""
    row = await pool.fetchrow(_sql.get_receipt, project_id, erasure_id)
    if row is None:
        raise NotFound(f"there is no erasure {erasure_id} in this project.")
    return Receipt(*row)
