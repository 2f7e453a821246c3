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
    """What was erased, and how much of it. It holds neither the visitor's id nor those of the sessions."""

    erasure_id: UUID
    subject: Subject
    actor: str
    requested_at: datetime
    finished_at: datetime | None
    """None until all is erased."""
    removed: Raw
    """Numbers by table: `{"sessions": 2, "events": 310, …}`."""


async def list_receipts(pool: Pool, project_id: int, before: UUID | None, limit: int) -> list[Receipt]:
    """Receipts of a project, newest first; with `before` those older than that erasure."""
    return [Receipt(*row) for row in await pool.fetch(_sql.list_receipts, project_id, before, limit)]


async def get_receipt(pool: Pool, project_id: int, erasure_id: UUID) -> Receipt:
    """The receipt of an erasure. Raises NotFound."""
    row = await pool.fetchrow(_sql.get_receipt, project_id, erasure_id)
    if row is None:
        raise NotFound(f"there is no erasure {erasure_id} in this project.")
    return Receipt(*row)
