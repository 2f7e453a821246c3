"""Opening a database: pool, check of its schema, node number, and the store of its tier."""

import asyncio
from contextlib import AsyncExitStack, suppress

from tracker_backend.settings import Settings
from tracker_backend.storage.migrate import Installation, check, read_installation
from tracker_backend.storage.migrate import migrate as run_migrations
from tracker_backend.storage.nodes import Node
from tracker_backend.storage.plain import PlainStore
from tracker_backend.storage.pool import Pool, connect, open_pool, open_small_pool
from tracker_backend.storage.store import Store
from tracker_backend.storage.timescale import TimescaleStore

_WRITERS = 5  # of `pool_max`: the three queues of the writer, keys, the lease
_STORES: dict[str, type[Store]] = {store.tier: store for store in (PlainStore, TimescaleStore)}


class Database:
    """An open database. `open` refuses one whose schema is not this server's; `close` gives everything back."""

    def __init__(
        self, settings: Settings, pool: Pool, write_pool: Pool, slow_pool: Pool, installation: Installation
    ) -> None:
        self.installation = installation
        self.pool = pool
        """For reads. However many wait here, writes have connections of their own."""
        self.write_pool = write_pool
        """For batches, keys and this process's lease."""
        self._slow_pool = slow_pool
        self.node = Node(write_pool)
        kind, secret = _STORES[installation.tier], installation.secret
        self.store = kind(settings, write_pool, self.node, secret)
        self.maintained = kind(settings, slow_pool, self.node, secret)
        """The same store for maintenance: its statements may take longer than a request."""
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, settings: Settings, dsn: str) -> "Database":
        """Raises SettingsError when the database cannot be reached, SchemaError when it must be migrated first."""
        timeout = settings.request_timeout
        async with AsyncExitStack() as opened:

            async def keep(pool: Pool) -> Pool:
                opened.callback(pool.terminate)
                return pool

            readers = max(1, settings.pool_max - _WRITERS)
            pool = await keep(await open_pool(settings, dsn, min(settings.pool_min, readers), readers, timeout))
            write_pool = await keep(await open_pool(settings, dsn, 2, _WRITERS, timeout))
            async with pool.acquire() as connection:
                installation = await check(connection)
            slow_pool = await keep(await open_small_pool(settings, dsn))
            database = cls(settings, pool, write_pool, slow_pool, installation)
            await database.node.lease()
            database._keeper = asyncio.create_task(database.node.keep(), name="node-lease")
            opened.pop_all()  # all is well: `close` ends them
        return database

    async def close(self) -> None:
        """Ends the lease and the connections; a database that is away is left behind."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        pools = (self.pool, self.write_pool, self._slow_pool)
        try:
            async with asyncio.timeout(5):
                await self.node.release()
                for pool in pools:
                    await pool.close()
        except Exception:
            for pool in pools:
                pool.terminate()


async def is_new(settings: Settings, dsn: str) -> bool:
    """Whether the database was never migrated."""
    connection = await connect(settings, dsn)
    try:
        return await read_installation(connection) is None
    finally:
        await connection.close()


async def migrate(settings: Settings, dsn: str) -> tuple[Installation, list[str]]:
    """Applies migrations and the intervals of the settings; returns the installation and the files applied."""
    connection = await connect(settings, dsn)
    try:
        installation, applied = await run_migrations(connection)
    finally:
        await connection.close()
    pool = await open_small_pool(settings, dsn)
    try:
        store = _STORES[installation.tier](settings, pool, Node(pool), installation.secret)
        async with pool.acquire() as connection:
            await store.apply_settings(connection)
    finally:
        await pool.close()
    return installation, applied
