"""Reads for subscribers: a batch once for all of a session's, and never so many at a time that lists wait for them."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from msgspec import Struct

from tracker_backend.errors import Unavailable
from tracker_backend.live import stored
from tracker_backend.live.reference import Key, Reference
from tracker_backend.live.stored import Stored
from tracker_backend.storage.pool import Pool
from tracker_backend.times import to_datetime

AWAY = (
    OSError,  # a time-out is one
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that the server just ended
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""Errors of a database that will be back."""
_READS = 4
_CACHE_BYTES = 16 * 1024 * 1024  # for those that lag behind a little; who lags more reads again
_RETRY_SECONDS = 0.5
_ATTEMPTS = 600  # five minutes without a database, then the subscriber is told
_log = logging.getLogger(__name__)

T = TypeVar("T")


class Content(Struct, frozen=True):
    """What a batch holds."""

    events: list[Stored]
    rrweb: list[bytes]

    @property
    def size(self) -> int:
        """Bytes of its texts."""
        return sum(len(event.text) for event in self.events) + sum(map(len, self.rrweb))


class Reader:
    """`content` of a batch, and any other read, `patiently`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._reads = asyncio.Semaphore(_READS)
        self._content: OrderedDict[Reference, asyncio.Task[Content]] = OrderedDict()
        self._bytes = 0

    async def content(self, reference: Reference) -> Content:
        """What a batch holds, read once however many ask at about the same time."""
        task = self._content.get(reference)
        if task is None:
            task = asyncio.create_task(self._read(reference), name="live-read")
            self._content[reference] = task
            task.add_done_callback(lambda _: self._keep(reference))
        return await asyncio.shield(task)  # who asked first may leave; the others wait for it too

    async def session(self, key: Key) -> stored.Session:
        """Its rows; NotFound."""
        return await stored.Session.find(self._pool, self.patiently, *key)

    async def patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """A read, again while the database is away. Raises Unavailable when it does not come back."""
        for attempt in range(_ATTEMPTS):
            try:
                async with self._reads:
                    return await read()
            except AWAY as error:
                if not attempt:
                    _log.warning("live waits for the database: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
        raise Unavailable("the database did not come back in five minutes: connect again.")

    async def close(self) -> None:
        """Ends the reads that are under way."""
        tasks = list(self._content.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, reference: Reference) -> Content:
        key = reference.key
        events: list[Stored] = []
        rrweb: list[bytes] = []
        if reference.first_id:
            times = to_datetime(reference.first_at), to_datetime(reference.last_at)
            ids = reference.first_id, reference.last_id
            events = await self.patiently(lambda: stored.batch_events(self._pool, key, times, ids))
        if reference.recording_id:
            moment = to_datetime(reference.recording_at)
            rrweb = await self.patiently(
                lambda: stored.batch_recording(self._pool, key, moment, reference.recording_id)
            )
        return Content(events, rrweb)

    def _keep(self, reference: Reference) -> None:
        """Counts a read that is done, and forgets the oldest when they are too many; a failed one at once."""
        task = self._content[reference]
        if task.cancelled() or task.exception() is not None:
            del self._content[reference]
            return
        self._bytes += task.result().size
        while self._bytes > _CACHE_BYTES:
            oldest = next((each for each, its_task in self._content.items() if its_task.done()), None)
            if oldest is None:
                return
            self._bytes -= self._content.pop(oldest).result().size
