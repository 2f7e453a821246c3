"""Erases a visitor or a session, for good: what is stored goes, and what comes later is dropped.

First a row tells what is wanted, so that any process can go on should this one end. Then tombstones are set while no
batch is under way. Then sessions are deleted, each in a transaction of its own; the archive's files last. Everything
may be done twice, and by two at once: the second finds nothing left.
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
from tracker_backend.privacy.session_erasure import erase_in
from tracker_backend.settings import Settings
from tracker_backend.storage.keyed_hash import Subject, mark
from tracker_backend.storage.nodes import Node
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store

_PAGE = 500  # tombstones of one lock
_sql = load(__file__, "erasures")
_log = logging.getLogger(__name__)


class Place(Struct, frozen=True):
    """Where to erase: a database by one of its pools, and the archive of these settings."""

    settings: Settings
    pool: Pool
    node: Node
    secret: bytes

    def mark(self, project_id: int, subject: Subject, text: str) -> bytes:
        """The mark of a user's or a session's id."""
        return mark(self.secret, project_id, subject, text)


def place_of(store: Store) -> Place:
    """Where a store is."""
    return Place(store.settings, store.pool, store.node, store.secret)


async def ask(place: Place, project_id: int, subject: Subject, wanted: str, actor: str, action: audit.Action) -> UUID:
    """Writes down what is to be erased, with a line of the audit; returns the erasure's id, which may be one that was
    asked for before and has not ended. Nothing is erased yet: see `go_on`.
    """
    values = (project_id, subject, place.mark(project_id, subject, wanted), actor, wanted)
    async with place.pool.acquire() as connection, connection.transaction():
        erasure_id: UUID = await connection.fetchval(_sql.ask, *values)
        # A visitor's id would outlive the visitor in the audit log.
        target = f"session {wanted}" if action == "session deleted" else f"erasure {erasure_id}"
        await audit.write(connection, actor, action, project_id=project_id, target=target, subject=subject)
    return erasure_id


async def go_on(place: Place, erasure_id: UUID) -> None:
    """Erases what is left of what was asked for; returns when all is gone. May be cut off at any point."""
    row = await place.pool.fetchrow(_sql.find, erasure_id)
    if row is None or row["wanted"] is None:
        return
    project_id, subject, wanted = row["project_id"], row["subject"], row["wanted"]
    own = place.mark(project_id, subject, wanted)
    if subject == "session":
        await _bury(place, project_id, erasure_id, [own], [own])
        await _erase(place, project_id, UUID(wanted), erasure_id)
    else:
        await _bury(place, project_id, erasure_id, [own], [])
        while found := [row[0] for row in await place.pool.fetch(_sql.sessions, project_id, wanted, _PAGE)]:
            marks = [place.mark(project_id, "session", str(session_id)) for session_id in found]
            await _bury(place, project_id, erasure_id, marks, marks)
            for session_id in found:
                await _erase(place, project_id, session_id, erasure_id)
    await _clear_archive(place, project_id, erasure_id, wanted if subject == "user" else None)
    await place.pool.execute(_sql.finish, erasure_id)


async def erased_by(place: Place, project_id: int, erasure_id: UUID) -> Callable[[UUID], bool]:
    """Tells the ids of the sessions that an erasure has removed from all others: only their marks are kept."""
    marks = {row[0] for row in await place.pool.fetch(_sql.marks, erasure_id)}
    return lambda session_id: place.mark(project_id, "session", str(session_id)) in marks


async def finish_all(store: Store) -> int:
    """Goes on with what was cut off, and removes what came of sessions before they named an erased user; returns how
    many erasures and sessions that were.
    """
    place = place_of(store)
    unfinished = await place.pool.fetch(_sql.unfinished)
    for row in unfinished:
        await go_on(place, row[0])
    return len(unfinished) + await _erase_pieces(place)


async def sweep(store: Store) -> int:
    """Removes tombstones whose time is over; returns how many."""
    return await tombstones.sweep(store.pool)


async def _erase_pieces(place: Place) -> int:
    rows = await place.pool.fetch(_sql.pending)
    if not rows:
        return 0
    async with tombstones.between_groups(place.pool):
        pass  # a group that began before those tombstones has ended
    erasures: dict[UUID, int] = {}
    for own, project_id, session_id, erasure_id in rows:
        if erasure_id is not None:
            await place.pool.execute(_sql.remember, erasure_id, [own])
            erasures[erasure_id] = project_id
        await _erase(place, project_id, session_id, erasure_id)
        await place.pool.execute(_sql.done, own)
    for erasure_id, project_id in erasures.items():
        await _clear_archive(place, project_id, erasure_id, None)
    return len(rows)


async def _bury(
    place: Place, project_id: int, erasure_id: UUID, marks: Iterable[bytes], sessions: Iterable[bytes]
) -> None:
    async with tombstones.between_groups(place.pool) as connection:
        await tombstones.bury(connection, [*marks], tombstones.lifetime(place.settings), project_id, erasure_id)
        await connection.execute(_sql.remember, erasure_id, [*sessions])


async def _erase(place: Place, project_id: int, session_id: UUID, erasure_id: UUID | None) -> None:
    async with place.pool.acquire() as connection, connection.transaction():
        removed = await erase_in(connection, place.node, project_id, session_id, is_certain=True)
        if erasure_id is not None and removed is not None:
            await _add(connection, erasure_id, removed.counts())


async def _clear_archive(place: Place, project_id: int, erasure_id: UUID, user_id: str | None) -> None:
    folder = archive.folder_of(place.settings)
    if folder is None:
        return
    is_erased = await erased_by(place, project_id, erasure_id)
    try:
        removed = await asyncio.to_thread(archive.remove, folder, project_id, is_erased, user_id)
    except OSError as error:
        _log.warning("TRACKER_ARCHIVE_DIR is %s, from which nothing can be removed: %s", folder, error)
        raise Unavailable("the archive cannot be read or written: the erasure goes on when it can.") from error
    if removed:
        async with place.pool.acquire() as connection:
            await _add(connection, erasure_id, {"archived_files": removed})


async def _add(connection: Connection, erasure_id: UUID, counts: dict[str, int]) -> None:
    await connection.execute(_sql.add, erasure_id, list(counts), list(counts.values()))
