"""Opening a database: pool, check of its schema, node number, and the store of its tier."""

import asyncio
from contextlib import suppress

from tracker_backend.settings import Settings
from tracker_backend.storage.migrate import Installation, check, read_installation
from tracker_backend.storage.migrate import migrate as run_migrations
from tracker_backend.storage.nodes import Node
from tracker_backend.storage.plain import PlainStore
from tracker_backend.storage.pool import Pool, connect, open_pool
from tracker_backend.storage.store import Store
from tracker_backend.storage.timescale import TimescaleStore

_STORES: dict[str, type[Store]] = {store.tier: store for store in (PlainStore, TimescaleStore)}


class Database:
    """An open database. `open` refuses one whose schema is not this server's; `close` gives everything back."""

    def __init__(self, settings: Settings, pool: Pool, slow_pool: Pool, installation: Installation) -> None:
        self.pool = pool
        self.installation = installation
        self.node = Node(pool)
        self.store = _STORES[installation.tier](settings, pool, self.node)
        self.maintained = _STORES[installation.tier](settings, slow_pool, self.node)
        """The same store for maintenance: its statements may take longer than a request."""
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, settings: Settings, dsn: str) -> "Database":
        """Raises SettingsError when the database cannot be reached, SchemaError when it must be migrated first."""
        pool = await open_pool(settings, dsn)
        try:
            async with pool.acquire() as connection:
                installation = await check(connection)
            database = cls(settings, pool, await open_pool(settings, dsn, is_serving=False), installation)
            await database.node.lease()
        except BaseException:
            pool.terminate()
            raise
        database._keeper = asyncio.create_task(database.node.keep(), name="node-lease")
        return database

    async def close(self) -> None:
        """Ends the lease and the connections; a database that is away is left behind."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        try:
            async with asyncio.timeout(5):
                await self.node.release()
                await self.maintained.pool.close()
                await self.pool.close()
        except Exception:
            self.maintained.pool.terminate()
            self.pool.terminate()


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
    pool = await open_pool(settings, dsn, is_serving=False)
    try:
        store = _STORES[installation.tier](settings, pool, Node(pool))
        async with pool.acquire() as connection:
            await store.apply_settings(connection)
    finally:
        await pool.close()
    return installation, applied
