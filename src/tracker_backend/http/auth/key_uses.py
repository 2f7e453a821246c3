"""When keys were last used. It is stored for many keys at a time, not at each call of a busy key."""

import asyncio
import logging
from contextlib import suppress

import asyncpg

from tracker_backend.accounts import keys
from tracker_backend.storage.pool import Pool

_SECONDS = 30.0
_log = logging.getLogger(__name__)


class KeyUses:
    """`add` for each use; `start` and `stop` with the server."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._used: set[bytes] = set()
        self._storing: asyncio.Task[None] | None = None

    def add(self, digest: bytes) -> None:
        """Records that a key was used just now."""
        self._used.add(digest)

    def start(self) -> None:
        """Starts the task that stores them twice a minute."""
        self._storing = asyncio.create_task(self._store_regularly(), name="keys-used")

    async def stop(self) -> None:
        """Ends the task and stores the last ones."""
        if self._storing is not None:
            self._storing.cancel()
            with suppress(asyncio.CancelledError):
                await self._storing
            await self.store()

    async def store(self) -> None:
        """Stores the uses since the last time. They are lost where the database is unreachable."""
        used, self._used = self._used, set()
        if used:
            try:
                await keys.mark_keys_used(self._pool, sorted(used))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.debug("the last use of %d keys was not stored: %s", len(used), error)

    async def _store_regularly(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            await self.store()
