"""The services of a running server: opened at its start, closed at its end, available to every handler."""

import asyncio
import time
from contextlib import AsyncExitStack

from tracker_backend.http.auth.access import Access
from tracker_backend.http.request import Connection
from tracker_backend.ingest.agent import parse_agent
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.live.hub import Hub
from tracker_backend.maintenance.leader import Leader
from tracker_backend.queries import sessions
from tracker_backend.settings import Settings
from tracker_backend.stop_signals import call_on_stop
from tracker_backend.storage.database import Database

_ACTIVITY_SECONDS = 5.0


class Services:
    """`open` and `close` are the server's life; handlers find it with `services_of`."""

    def __init__(self, settings: Settings, database: Database, hub: Hub) -> None:
        self.settings = settings
        self.started = time.monotonic()
        self.database = database
        self.pool = database.pool
        self.pipeline = Pipeline(settings, database.store)
        self.hub = hub
        self.pipeline.writer.listener = hub
        self.access = Access(settings, database.write_pool, database.installation.secret)
        self.extensions = AsyncExitStack()
        """What dialects have opened."""
        self._counted_at = -_ACTIVITY_SECONDS
        self._activity = (0, 0)
        self._leader = Leader(database.maintained)
        self._forget_signals = call_on_stop(hub.end)

    @classmethod
    async def open(cls, settings: Settings, dsn: str) -> "Services":
        """Raises SettingsError or SchemaError with a text for the operator."""
        database = await Database.open(settings, dsn)
        services = cls(settings, database, Hub(settings, database, dsn))
        await asyncio.to_thread(parse_agent, "")  # compiles the patterns (0.3 s) before the first visitor waits for it
        services.hub.start()
        services.pipeline.writer.start()
        services.access.start()
        services._leader.start()
        return services

    async def activity(self) -> tuple[int, int]:
        """Active sessions, and events of the last minute; counted at most every 5 seconds, as anybody may call this."""
        now = time.monotonic()
        if now - self._counted_at > _ACTIVITY_SECONDS:
            self._counted_at = now
            self._activity = await sessions.count_activity(self.pool)
        return self._activity

    async def close(self) -> None:
        """Commits the batches that wait, then closes everything."""
        self._forget_signals()
        self.hub.end()
        await self._leader.stop()
        await self.access.stop()
        await self.extensions.aclose()
        await self.pipeline.writer.stop()
        await self.hub.close()
        await self.database.close()


def services_of(connection: Connection) -> Services:
    """The services of the app that answers this request."""
    return connection.app.state["services"]
