"""The later proof of an erasure: that nothing is left of a visitor or a session."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from tracker_backend import archive
from tracker_backend.errors import Invalid
from tracker_backend.privacy.erasures import Place, erased_by
from tracker_backend.privacy.receipts import get_receipt
from tracker_backend.storage.keyed_hash import Subject
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load

_CHUNK = 10_000  # ids hashed at a time, some 20 ms
_sql = load(__file__, "erasure_check")
_LOOKS = {
    "sessions": (_sql.sessions_of_sessions, _sql.count_sessions),
    "events": (_sql.sessions_of_events, _sql.count_events),
    "recordings": (_sql.sessions_of_recordings, _sql.count_recordings),
    "screenshots": (_sql.sessions_of_screenshots, _sql.count_screenshots),
    "ingest_batches": (_sql.sessions_of_ingest_batches, _sql.count_ingest_batches),
    "tickets": (_sql.sessions_of_tickets, _sql.count_tickets),
}


class Check(Struct, frozen=True):
    """What of an erased visitor or session stands in the tables now."""

    erasure_id: UUID
    subject: Subject
    finished_at: datetime | None
    checked_at: datetime
    is_clean: bool
    """Nothing is left."""
    left: dict[str, int]
    """Rows by table, and files of the archive."""
    dropped_until: datetime | None
    """Until when what is sent again is dropped; None when that is over."""


async def check(place: Place, project_id: int, erasure_id: UUID, subject: Subject, text: str) -> Check:
    """Looks for the user or session of a receipt in every table, through all days, whatever a session's row says.

    Only marks of the erased sessions are kept, so the ids of all sessions of the project are looked at. Invalid where
    the receipt is not theirs, NotFound where there is none.
    """
    receipt = await get_receipt(place.pool, project_id, erasure_id)
    own = place.mark(project_id, subject, text)
    if own != await place.pool.fetchval(_sql.mark_of, project_id, erasure_id):
        raise Invalid(f"erasure {erasure_id} was not of this {subject}: give the id that was erased then.")
    is_erased = await erased_by(place, project_id, erasure_id)

    def erased(ids: list[UUID]) -> set[UUID]:
        return {each for each in ids if is_erased(each)}

    left: dict[str, int] = {}
    user_id = text if subject == "user" else None
    async with place.pool.acquire() as connection, connection.transaction(readonly=True):
        named = {row[0] for row in await connection.fetch(_sql.sessions_of_user, project_id, user_id)}
        for table, (all_ids, count) in _LOOKS.items():
            found = set(named)
            async for chunk in _chunks(connection, all_ids, project_id):
                found |= await asyncio.to_thread(erased, chunk)
            left[table] = await connection.fetchval(count, project_id, list(found)) if found else 0
        row = await connection.fetchrow(_sql.dropped_until, own)
        assert row is not None  # noqa: S101 — it has no condition
    folder = archive.folder_of(place.settings)
    if folder is not None:
        left["archived_files"] = len(
            await asyncio.to_thread(lambda: list(archive.find(folder, project_id, is_erased, user_id)))
        )
    return Check(erasure_id, subject, receipt.finished_at, row[0], not any(left.values()), left, row[1])


async def _chunks(connection: Connection, statement: str, project_id: int) -> AsyncIterator[list[UUID]]:
    cursor = await connection.cursor(statement, project_id)
    while rows := await cursor.fetch(_CHUNK):
        yield [row[0] for row in rows]
