"""Tombstones: keyed hashes of erased sessions and users, whose batches are dropped."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg

from tracker_backend.errors import Unavailable
from tracker_backend.settings import Settings
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import rows_affected
from tracker_backend.storage.store import Store

_ATTEMPTS = 30
_PAUSE_SECONDS = 0.2  # for the writers that waited behind the lock
_sql = load(__file__, "tombstones")


def lifetime(settings: Settings) -> timedelta:
    """How long a tombstone is active: at least one day more than the late window, in which clients resend batches."""
    return timedelta(days=max(settings.tombstone_days, settings.late_days + 1))


@asynccontextmanager
async def between_group_commits(pool: Pool) -> AsyncGenerator[Connection]:
    """A transaction during which no group of batches is being written.

    Earlier groups are committed, and later groups read what this transaction writes. Writers wait meanwhile: keep it
    short. Raises Unavailable where running groups do not end in time.
    """
    for attempt in range(_ATTEMPTS):
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(_sql.limit_wait)
                await connection.execute(_sql.lock)
            except asyncpg.LockNotAvailableError:
                await transaction.rollback()
            except BaseException:
                await transaction.rollback()
                raise
            else:
                try:
                    yield connection
                except BaseException:
                    await transaction.rollback()
                    raise
                await transaction.commit()
                return
        if attempt + 1 < _ATTEMPTS:
            await asyncio.sleep(_PAUSE_SECONDS)
    raise Unavailable("batches are being written without a break: the erasure goes on within a minute.")


async def add(
    connection: Connection, hashes: Sequence[bytes], duration: timedelta, project_id: int, erasure_id: UUID
) -> None:
    """Adds tombstones that are active for a duration from now on. Call it inside `between_group_commits`."""
    await connection.execute(_sql.add, sorted(hashes), duration, project_id, erasure_id)


async def active(pool: Pool, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of the given keyed hashes that have a tombstone."""
    return {row[0] for row in await pool.fetch(_sql.active, list(hashes))}


async def remove(pool: Pool, hashes: Sequence[bytes]) -> None:
    """Removes tombstones: batches of these sessions and users are stored again."""
    await pool.execute(_sql.remove, list(hashes))


async def remove_expired(store: Store) -> int:
    """Removes tombstones whose time is over; returns how many."""
    return rows_affected(await store.pool.execute(_sql.remove_expired))
