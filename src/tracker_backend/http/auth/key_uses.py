"""When keys were last used, noted for many at a time: a busy key would have its row written at each call."""

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
        self._noting: asyncio.Task[None] | None = None

    def add(self, digest: bytes) -> None:
        """A key was used just now."""
        self._used.add(digest)

    def start(self) -> None:
        """Begins to note them, twice a minute."""
        self._noting = asyncio.create_task(self._note_on(), name="keys-used")

    async def stop(self) -> None:
        """Notes the last ones."""
        if self._noting is not None:
            self._noting.cancel()
            with suppress(asyncio.CancelledError):
                await self._noting
            await self.note()

    async def note(self) -> None:
        """Notes those since the last time. Where the database is away they are lost: nothing waits for them."""
        used, self._used = self._used, set()
        if used:
            try:
                await keys.mark_keys_used(self._pool, sorted(used))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.debug("the last use of %d keys was not noted: %s", len(used), error)

    async def _note_on(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            await self.note()
