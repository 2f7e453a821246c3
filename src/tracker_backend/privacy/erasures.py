"""Erases a visitor or a session for good: stored rows are deleted, and batches that arrive later are dropped.

1. A row in `erasures` records the request, so that any process can finish it if this one ends.
2. Tombstones are added while no group of batches is being written.
3. Sessions are deleted, each in a transaction of its own.
4. Files of the archive are deleted.

Each step may be repeated, also by two processes at once: the second finds nothing left.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from uuid import UUID

from msgspec import Struct

from tracker_backend import archive
from tracker_backend.accounts import audit
from tracker_backend.errors import Unavailable
from tracker_backend.privacy import tombstones
from tracker_backend.privacy.session_erasure import erase_session_in
from tracker_backend.settings import Settings
from tracker_backend.storage.keyed_hash import Subject, keyed_hash
from tracker_backend.storage.nodes import Node
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store

_PAGE = 500  # tombstones added under one lock
_sql = load(__file__, "erasures")
_log = logging.getLogger(__name__)


class ErasureContext(Struct, frozen=True):
    """Where to erase: a database, and the archive of the settings."""

    settings: Settings
    pool: Pool
    node: Node
    secret: bytes

    def keyed_hash(self, project_id: int, subject: Subject, subject_id: str) -> bytes:
        """The keyed hash of a user's or a session's id."""
        return keyed_hash(self.secret, project_id, subject, subject_id)


def context_of(store: Store) -> ErasureContext:
    """The context of a store."""
    return ErasureContext(store.settings, store.pool, store.node, store.secret)


async def request_erasure(
    context: ErasureContext, project_id: int, subject: Subject, subject_id: str, actor: str, action: audit.Action
) -> UUID:
    """Records what is to be erased, with an entry of the audit log; returns the id of the erasure.

    While an erasure of the same subject is unfinished, its id is returned. Nothing is erased yet: see `run_erasure`.
    """
    values = (project_id, subject, context.keyed_hash(project_id, subject, subject_id), actor, subject_id)
    async with context.pool.acquire() as connection, connection.transaction():
        erasure_id: UUID = await connection.fetchval(_sql.request, *values)
        # A visitor's id would outlive the visitor in the audit log.
        target = f"session {subject_id}" if action == "session deleted" else f"erasure {erasure_id}"
        await audit.write(connection, actor, action, project_id=project_id, target=target, subject=subject)
    return erasure_id


async def run_erasure(context: ErasureContext, erasure_id: UUID) -> None:
    """Erases what remains of a requested erasure. It may be cancelled at any point and run again."""
    row = await context.pool.fetchrow(_sql.find, erasure_id)
    if row is None or row["subject_id"] is None:
        return
    project_id, subject, subject_id = row["project_id"], row["subject"], row["subject_id"]
    subject_hash = context.keyed_hash(project_id, subject, subject_id)
    if subject == "session":
        await _add_tombstones(context, project_id, erasure_id, [subject_hash], sessions=[subject_hash])
        await _erase_session(context, project_id, UUID(subject_id), erasure_id)
    else:
        await _add_tombstones(context, project_id, erasure_id, [subject_hash], sessions=[])
        while found := [row[0] for row in await context.pool.fetch(_sql.sessions, project_id, subject_id, _PAGE)]:
            hashes = [context.keyed_hash(project_id, "session", str(session_id)) for session_id in found]
            await _add_tombstones(context, project_id, erasure_id, hashes, sessions=hashes)
            for session_id in found:
                await _erase_session(context, project_id, session_id, erasure_id)
    await _erase_archived_files(context, project_id, erasure_id, subject_id if subject == "user" else None)
    await context.pool.execute(_sql.finish, erasure_id)


async def erased_sessions(context: ErasureContext, project_id: int, erasure_id: UUID) -> Callable[[UUID], bool]:
    """A function that returns whether an erasure removed a session; only keyed hashes of their ids are stored."""
    hashes = {row[0] for row in await context.pool.fetch(_sql.session_hashes, erasure_id)}
    return lambda session_id: context.keyed_hash(project_id, "session", str(session_id)) in hashes


async def finish_erasures(store: Store) -> int:
    """Finishes erasures that were cut off, and erases rows of sessions that named an erased user only later.

    Returns how many erasures and sessions there were.
    """
    context = context_of(store)
    unfinished = await context.pool.fetch(_sql.unfinished)
    for row in unfinished:
        await run_erasure(context, row[0])
    return len(unfinished) + await _erase_pending_sessions(context)


async def _erase_pending_sessions(context: ErasureContext) -> int:
    rows = await context.pool.fetch(_sql.pending)
    if not rows:
        return 0
    async with tombstones.between_group_commits(context.pool):
        pass  # a group that began before those tombstones has ended
    erasures: dict[UUID, int] = {}
    for session_hash, project_id, session_id, erasure_id in rows:
        if erasure_id is not None:
            await context.pool.execute(_sql.add_session_hashes, erasure_id, [session_hash])
            erasures[erasure_id] = project_id
        await _erase_session(context, project_id, session_id, erasure_id)
        await context.pool.execute(_sql.clear_pending, session_hash)
    for erasure_id, project_id in erasures.items():
        await _erase_archived_files(context, project_id, erasure_id, None)
    return len(rows)


async def _add_tombstones(
    context: ErasureContext, project_id: int, erasure_id: UUID, hashes: Iterable[bytes], *, sessions: Iterable[bytes]
) -> None:
    """Adds tombstones; `sessions` are those of the hashes that the receipt keeps for the later check."""
    async with tombstones.between_group_commits(context.pool) as connection:
        await tombstones.add(connection, [*hashes], tombstones.lifetime(context.settings), project_id, erasure_id)
        await connection.execute(_sql.add_session_hashes, erasure_id, [*sessions])


async def _erase_session(context: ErasureContext, project_id: int, session_id: UUID, erasure_id: UUID | None) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        removed = await erase_session_in(connection, context.node, project_id, session_id, search_all_days=True)
        if erasure_id is not None and removed is not None:
            await _add_to_receipt(connection, erasure_id, removed.counts())


async def _erase_archived_files(
    context: ErasureContext, project_id: int, erasure_id: UUID, user_id: str | None
) -> None:
    folder = archive.archive_folder(context.settings)
    if folder is None:
        return
    is_erased = await erased_sessions(context, project_id, erasure_id)
    try:
        removed = await asyncio.to_thread(archive.remove_files, folder, project_id, is_erased, user_id)
    except OSError as error:
        _log.warning("files in TRACKER_ARCHIVE_DIR (%s) cannot be erased: %s", folder, error)
        raise Unavailable("the archive cannot be read or written: the erasure goes on when it can.") from error
    if removed:
        async with context.pool.acquire() as connection:
            await _add_to_receipt(connection, erasure_id, {"archived_files": removed})


async def _add_to_receipt(connection: Connection, erasure_id: UUID, counts: dict[str, int]) -> None:
    await connection.execute(_sql.add_counts, erasure_id, list(counts), list(counts.values()))
