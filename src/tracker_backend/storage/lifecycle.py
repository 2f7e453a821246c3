"""The database of a server or a command: that of DATABASE_URL, or an embedded PostgreSQL with its start and stop."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from tracker_backend.settings import Settings
from tracker_backend.storage import known_databases
from tracker_backend.storage.database import is_new, migrate
from tracker_backend.storage.durability import durability_warnings
from tracker_backend.storage.embedded import EmbeddedError, EmbeddedPostgres
from tracker_backend.storage.embedded.attach import running_dsn
from tracker_backend.storage.embedded.config import MAX_CONNECTIONS
from tracker_backend.storage.migrate import Installation
from tracker_backend.storage.pool import connect

_WATCH_SECONDS = 2
_SPARE_CONNECTIONS = 20  # for commands, analysts and PostgreSQL itself
_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving_database(settings: Settings) -> AsyncGenerator[str]:
    """Yield the DSN of a migrated database with the intervals of these settings.

    An embedded PostgreSQL is started before, restarted if it dies, and stopped after.
    """
    if settings.database_url is not None:
        await known_databases.check_known(settings, settings.database_url)
        installation = await _migrate(settings, settings.database_url)
        known_databases.add(settings, settings.database_url, installation)
        yield settings.database_url
        return
    async with _embedded(settings) as (postgres, dsn):
        _log.info("%s", postgres.description)
        await _migrate(settings, dsn)
        with _restarted_on_failure(postgres):
            yield dsn


@asynccontextmanager
async def command_database(settings: Settings) -> AsyncGenerator[str]:
    """Yield the DSN for a command, which may run beside a server.

    Only a new database is migrated: a command may run with other settings than the server, and must not replace its
    intervals.
    """
    dsn = settings.database_url or running_dsn(settings.resolved_data_dir)
    if dsn is not None:
        yield dsn
        return
    async with _embedded(settings) as (_, dsn):
        if await is_new(settings, dsn):
            await _migrate(settings, dsn)
        yield dsn


@asynccontextmanager
async def _embedded(settings: Settings) -> AsyncGenerator[tuple[EmbeddedPostgres, str]]:
    connections = settings.workers * (settings.pool_max + 3) + _SPARE_CONNECTIONS
    options = {"max_connections": str(connections)} if connections > MAX_CONNECTIONS else {}
    postgres = EmbeddedPostgres(settings.resolved_data_dir, settings.pg_bin, options=options)
    try:
        yield postgres, await asyncio.to_thread(postgres.start)
    finally:
        await asyncio.to_thread(postgres.stop)


@contextmanager
def _restarted_on_failure(postgres: EmbeddedPostgres) -> Generator[None]:
    """Restart the database if it dies (out of memory, killed by mistake).

    This runs in a thread: the process that owns the database has no event loop while workers serve.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_SECONDS):
            if not postgres.is_running:
                _log.warning("the embedded PostgreSQL has died and is restarted")
                try:
                    postgres.start()
                except EmbeddedError as error:
                    _log.error("%s", error)

    thread = threading.Thread(target=watch, name="embedded-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


async def _migrate(settings: Settings, dsn: str) -> Installation:
    installation, applied = await migrate(settings, dsn)
    _log.info("storage tier %s, %d migrations applied", installation.tier, len(applied))
    connection = await connect(settings, dsn)
    try:
        for warning in await durability_warnings(connection):
            _log.warning("%s", warning)
    finally:
        await connection.close()
    return installation
