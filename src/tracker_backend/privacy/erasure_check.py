"""The check of an earlier erasure: whether any row of the erased visitor or session is stored."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from tracker_backend import archive
from tracker_backend.errors import Invalid
from tracker_backend.privacy.erasures import ErasureContext, erased_sessions
from tracker_backend.privacy.receipts import get_receipt
from tracker_backend.storage.keyed_hash import Subject
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load

_CHUNK = 10_000  # ids hashed at a time, some 20 ms
_sql = load(__file__, "erasure_check")
# By table: a statement for the ids of all its sessions, and one for the number of rows of some sessions.
_STATEMENTS = {
    "sessions": (_sql.sessions_of_sessions, _sql.count_sessions),
    "events": (_sql.sessions_of_events, _sql.count_events),
    "recordings": (_sql.sessions_of_recordings, _sql.count_recordings),
    "screenshots": (_sql.sessions_of_screenshots, _sql.count_screenshots),
    "ingest_batches": (_sql.sessions_of_ingest_batches, _sql.count_ingest_batches),
    "tickets": (_sql.sessions_of_tickets, _sql.count_tickets),
}


class ErasureCheck(Struct, frozen=True):
    """What is stored of an erased visitor or session now."""

    erasure_id: UUID
    subject: Subject
    finished_at: datetime | None
    checked_at: datetime
    is_clean: bool
    """Nothing is left."""
    left: dict[str, int]
    """Numbers of rows by table, and of files in the archive."""
    dropped_until: datetime | None
    """Until when batches of the subject are dropped; None when that time is over."""


async def check_erasure(
    context: ErasureContext, project_id: int, erasure_id: UUID, subject: Subject, subject_id: str
) -> ErasureCheck:
    """Searches every table, through all days, for the user or session of a receipt.

    The receipt keeps only keyed hashes of the erased sessions: the ids of all sessions of the project are hashed and
    compared. Raises Invalid where the receipt is of another subject, NotFound where there is no such receipt.
    """
    receipt = await get_receipt(context.pool, project_id, erasure_id)
    subject_hash = context.keyed_hash(project_id, subject, subject_id)
    if subject_hash != await context.pool.fetchval(_sql.subject_hash, project_id, erasure_id):
        raise Invalid(f"erasure {erasure_id} was not of this {subject}: give the id that was erased then.")
    is_erased = await erased_sessions(context, project_id, erasure_id)

    def erased(ids: list[UUID]) -> set[UUID]:
        return {each for each in ids if is_erased(each)}

    left: dict[str, int] = {}
    user_id = subject_id if subject == "user" else None
    async with context.pool.acquire() as connection, connection.transaction(readonly=True):
        of_user = {row[0] for row in await connection.fetch(_sql.sessions_of_user, project_id, user_id)}
        for table, (all_ids, count) in _STATEMENTS.items():
            found = set(of_user)
            async for chunk in _chunks(connection, all_ids, project_id):
                found |= await asyncio.to_thread(erased, chunk)
            left[table] = await connection.fetchval(count, project_id, list(found)) if found else 0
        row = await connection.fetchrow(_sql.dropped_until, subject_hash)
        assert row is not None  # noqa: S101 — the statement has no condition
    folder = archive.archive_folder(context.settings)
    if folder is not None:
        left["archived_files"] = len(
            await asyncio.to_thread(lambda: list(archive.find_files(folder, project_id, is_erased, user_id)))
        )
    return ErasureCheck(erasure_id, subject, receipt.finished_at, row[0], not any(left.values()), left, row[1])


async def _chunks(connection: Connection, statement: str, project_id: int) -> AsyncIterator[list[UUID]]:
    cursor = await connection.cursor(statement, project_id)
    while rows := await cursor.fetch(_CHUNK):
        yield [row[0] for row in rows]
