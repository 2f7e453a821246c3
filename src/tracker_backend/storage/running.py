"""The database that a server uses: the one of DATABASE_URL, or its own for as long as it runs."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tracker_backend.settings import Settings
from tracker_backend.storage import remembered
from tracker_backend.storage.database import migrate
from tracker_backend.storage.embedded import EmbeddedPostgres
from tracker_backend.storage.embedded.attach import running_dsn

_log = logging.getLogger(__name__)


@asynccontextmanager
async def running_database(
    settings: Settings, dsn: str | None = None, *, may_share: bool = False
) -> AsyncGenerator[str]:
    """The DSN of a migrated database; an embedded one is started before and stopped after.

    With `dsn` it is one that was started and migrated elsewhere: by the process that started this worker. A command
    beside a running server `may_share` that server's embedded database.
    """
    if dsn is not None:
        yield dsn
        return
    if settings.database_url is not None:
        await _migrate(settings, settings.database_url)
        yield settings.database_url
        return
    if may_share and (shared := running_dsn(settings.resolved_data_dir)) is not None:
        yield shared
        return
    postgres = EmbeddedPostgres(settings.resolved_data_dir, settings.pg_bin)
    try:
        own = await asyncio.to_thread(postgres.start)
        _log.info("%s", postgres.description)
        await _migrate(settings, own)
        yield own
    finally:
        await asyncio.to_thread(postgres.stop)


async def _migrate(settings: Settings, dsn: str) -> None:
    await remembered.refuse_lost(settings, dsn)
    installation, applied = await migrate(settings, dsn)
    remembered.remember(settings, dsn, installation)
    _log.info("storage tier %s, %d migrations applied now", installation.tier, len(applied))
