"""The database that a server uses: the one of DATABASE_URL, or its own for as long as it runs."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from tracker_backend.settings import Settings
from tracker_backend.storage import known_databases
from tracker_backend.storage.database import is_new, migrate
from tracker_backend.storage.embedded import EmbeddedError, EmbeddedPostgres
from tracker_backend.storage.embedded.attach import running_dsn
from tracker_backend.storage.embedded.config import MAX_CONNECTIONS
from tracker_backend.storage.migrate import Installation

_WATCH_SECONDS = 2
_SPARE_CONNECTIONS = 20  # for commands, analysts and PostgreSQL's own
_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving_database(settings: Settings) -> AsyncGenerator[str]:
    """The DSN of a database, migrated, with the intervals of these settings. An embedded one is started before, started
    again should it die, and stopped after.
    """
    if settings.database_url is not None:
        await known_databases.refuse_lost(settings, settings.database_url)
        installation = await _migrate(settings, settings.database_url)
        known_databases.remember(settings, settings.database_url, installation)
        yield settings.database_url
        return
    async with _embedded(settings) as (postgres, dsn):
        _log.info("%s", postgres.description)
        await _migrate(settings, dsn)
        with _watched(postgres):
            yield dsn


@asynccontextmanager
async def command_database(settings: Settings) -> AsyncGenerator[str]:
    """The DSN for a command, beside a running server or without one. Only a new database is migrated: a command's
    environment need not be the server's, and its intervals must not replace the server's.
    """
    dsn = settings.database_url or running_dsn(settings.resolved_data_dir)
    if dsn is not None:
        yield dsn
        return
    async with _embedded(settings) as (_, own):
        if await is_new(settings, own):
            await _migrate(settings, own)
        yield own


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
def _watched(postgres: EmbeddedPostgres) -> Generator[None]:
    """Starts the database again if it dies (out of memory, a stray kill). In a thread: the process that owns the
    database has no event loop of its own while workers serve.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_SECONDS):
            if not postgres.is_running:
                _log.warning("the embedded PostgreSQL has ended: it is started again")
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
    _log.info("storage tier %s, %d migrations applied now", installation.tier, len(applied))
    return installation
