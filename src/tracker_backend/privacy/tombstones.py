"""What may not come back: marks of erased sessions and users, whose batches are dropped."""

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

_ATTEMPTS = 30
_PAUSE_SECONDS = 0.2  # for the writers that waited behind the lock
_sql = load(__file__, "tombstones")


def lifetime(settings: Settings) -> timedelta:
    """How long a tombstone stands; never less than the late window, in which queued batches keep their times."""
    return timedelta(days=max(settings.tombstone_days, settings.late_days + 1))


@asynccontextmanager
async def between_groups(pool: Pool) -> AsyncGenerator[Connection]:
    """A transaction while no group of batches is under way: those before are committed, those after will see what this
    one writes. Must be short. Raises Unavailable when writers do not end.
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


async def bury(
    connection: Connection, marks: Sequence[bytes], until: timedelta, project_id: int, erasure_id: UUID
) -> None:
    """Sets tombstones for so long from now on, inside `between_groups`."""
    await connection.execute(_sql.bury, sorted(marks), until, project_id, erasure_id)


async def standing(pool: Pool, marks: Sequence[bytes]) -> set[bytes]:
    """Which of these marks may not come back."""
    return {row[0] for row in await pool.fetch(_sql.standing, list(marks))}


async def lift(pool: Pool, marks: Sequence[bytes]) -> None:
    """Lets these come back."""
    await pool.execute(_sql.lift, list(marks))


async def sweep(pool: Pool) -> int:
    """Removes those whose time is over; returns how many."""
    return rows_affected(await pool.execute(_sql.sweep))
