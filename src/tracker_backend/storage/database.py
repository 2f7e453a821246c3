"""An open database: connection pools, schema check, node number, and the store of its tier."""

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

_WRITERS = 5  # connections of `pool_max` for the three queues of the writer, keys and the lease
_STORES: dict[str, type[Store]] = {store.tier: store for store in (PlainStore, TimescaleStore)}


class Database:
    """An open database. `open` checks the schema; `close` ends the lease and the connections."""

    def __init__(
        self, settings: Settings, pool: Pool, write_pool: Pool, slow_pool: Pool, installation: Installation
    ) -> None:
        self.installation = installation
        self.pool = pool
        """For reads. Writes have connections of their own, so that they never wait for reads."""
        self.write_pool = write_pool
        """For batches, keys and the lease of this process."""
        self._slow_pool = slow_pool
        self.node = Node(write_pool)
        store_class, secret = _STORES[installation.tier], installation.secret
        self.store = store_class(settings, write_pool, self.node, secret)
        self.maintained = store_class(settings, slow_pool, self.node, secret)
        """The same store for maintenance: its statements have no time-out."""
        self._lease_task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, settings: Settings, dsn: str) -> "Database":
        """Raises SettingsError if the database cannot be reached, SchemaError if it must be migrated first."""
        timeout = settings.request_timeout
        async with AsyncExitStack() as opened:

            async def close_on_error(pool: Pool) -> Pool:
                opened.callback(pool.terminate)
                return pool

            readers = max(1, settings.pool_max - _WRITERS)
            pool = await close_on_error(
                await open_pool(settings, dsn, min(settings.pool_min, readers), readers, timeout)
            )
            write_pool = await close_on_error(await open_pool(settings, dsn, 2, _WRITERS, timeout))
            async with pool.acquire() as connection:
                installation = await check(connection)
            slow_pool = await close_on_error(await open_small_pool(settings, dsn))
            database = cls(settings, pool, write_pool, slow_pool, installation)
            await database.node.lease()
            database._lease_task = asyncio.create_task(database.node.keep_lease(), name="node-lease")
            opened.pop_all()  # no error: from now on `close` closes them
        return database

    async def close(self) -> None:
        """End the lease and the connections. Does not wait for a database that cannot be reached."""
        if self._lease_task is not None:
            self._lease_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._lease_task
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
    """Return whether the database was never migrated."""
    connection = await connect(settings, dsn)
    try:
        return await read_installation(connection) is None
    finally:
        await connection.close()


async def migrate(settings: Settings, dsn: str) -> tuple[Installation, list[str]]:
    """Apply migrations and the intervals of the settings. Returns the installation and the applied files' names."""
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
