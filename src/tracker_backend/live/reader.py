"""Reads for subscribers: a batch is read once for all of them, and few reads at a time, so that lists need not wait."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from msgspec import Struct

from tracker_backend.errors import Unavailable
from tracker_backend.live import session_rows
from tracker_backend.live.batch_reference import BatchReference, Key
from tracker_backend.live.session_rows import EncodedEvent
from tracker_backend.storage.pool import Pool
from tracker_backend.times import to_datetime

UNAVAILABLE_ERRORS = (
    OSError,  # includes time-outs
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that the server has just closed
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""Errors of a database that cannot be reached now."""
_READS = 4
_CACHE_BYTES = 16 * 1024 * 1024  # for subscribers that lag a little; others read again
_RETRY_SECONDS = 0.5
_ATTEMPTS = 600  # five minutes, then the subscription ends
_log = logging.getLogger(__name__)

T = TypeVar("T")


class BatchContent(Struct, frozen=True):
    """The content of a batch."""

    events: list[EncodedEvent]
    rrweb: list[bytes]

    @property
    def size(self) -> int:
        """Size in bytes."""
        return sum(len(event.text) for event in self.events) + sum(map(len, self.rrweb))


class Reader:
    """Reads the `content` of batches, and runs other reads `with_retries`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._reads = asyncio.Semaphore(_READS)
        self._cache: OrderedDict[BatchReference, asyncio.Task[BatchContent]] = OrderedDict()
        self._cache_bytes = 0

    async def content(self, reference: BatchReference) -> BatchContent:
        """Return the content of a batch. Concurrent calls share one read."""
        task = self._cache.get(reference)
        if task is None:
            task = asyncio.create_task(self._read(reference), name="live-read")
            self._cache[reference] = task
            task.add_done_callback(lambda _: self._cache_result(reference))
        return await asyncio.shield(task)  # the first caller may be cancelled while others wait

    async def session(self, key: Key) -> session_rows.SessionRows:
        """Return the rows of a session. Raises NotFound."""
        return await session_rows.SessionRows.find(self._pool, self.with_retries, *key)

    async def with_retries(self, read: Callable[[], Awaitable[T]]) -> T:
        """Run a read, and retry it while the database cannot be reached. Raises Unavailable after five minutes."""
        for attempt in range(_ATTEMPTS):
            try:
                async with self._reads:
                    return await read()
            except UNAVAILABLE_ERRORS as error:
                if not attempt:
                    _log.warning("live streams wait for the database: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
        raise Unavailable("the database could not be reached for five minutes: connect again.")

    async def close(self) -> None:
        """Cancel all running reads."""
        tasks = list(self._cache.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, reference: BatchReference) -> BatchContent:
        key = reference.key
        events: list[EncodedEvent] = []
        rrweb: list[bytes] = []
        if reference.first_id:
            times = to_datetime(reference.first_at), to_datetime(reference.last_at)
            ids = reference.first_id, reference.last_id
            events = await self.with_retries(lambda: session_rows.batch_events(self._pool, key, times, ids))
        if reference.recording_id:
            moment = to_datetime(reference.recording_at)
            rrweb = await self.with_retries(
                lambda: session_rows.batch_recording(self._pool, key, moment, reference.recording_id)
            )
        return BatchContent(events, rrweb)

    def _cache_result(self, reference: BatchReference) -> None:
        """Add a finished read to the cache and evict the oldest ones; remove a failed read at once."""
        task = self._cache[reference]
        if task.cancelled() or task.exception() is not None:
            del self._cache[reference]
            return
        self._cache_bytes += task.result().size
        while self._cache_bytes > _CACHE_BYTES:
            oldest = next((each for each, its_task in self._cache.items() if its_task.done()), None)
            if oldest is None:
                return
            self._cache_bytes -= self._cache.pop(oldest).result().size
