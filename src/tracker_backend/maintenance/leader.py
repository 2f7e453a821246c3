"""One process of all runs the maintenance tasks: whoever holds a lease row. No session state, so it works through a
pooler in transaction mode; a leader that dies is followed within a minute.
"""

import asyncio
import logging
import time
import uuid
from contextlib import suppress
from datetime import timedelta

import asyncpg

from tracker_backend.maintenance.tasks import TASKS, Task
from tracker_backend.metrics import MAINTENANCE
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store

LEASE = timedelta(seconds=60)
_TICK_SECONDS = 10
_RETRY_SECONDS = 60
_sql = load(__file__, "leader")
_log = logging.getLogger(__name__)


class Leader:
    """`start` competes for the lease and runs what is due while holding it; `stop` gives it back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._holder = uuid.uuid4()
        self._due = {task.name: 0.0 for task in TASKS}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins in the background."""
        self._task = asyncio.create_task(self._run(), name="maintenance")

    async def stop(self) -> None:
        """Ends after the statement that runs; the lease is free at once."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(Exception):
            async with asyncio.timeout(2):
                await self._store.pool.execute(_sql.give_lease, self._holder)

    async def lead(self) -> bool:
        """Takes or renews the lease; False if another process holds it."""
        return await self._store.pool.fetchval(_sql.take_lease, self._holder, LEASE) is not None

    async def _run(self) -> None:
        while True:
            try:
                if await self.lead():
                    for task in TASKS:
                        if self._due[task.name] <= time.monotonic():
                            await self._run_task(task)
                            if not await self.lead():
                                break
            except Exception as error:
                _log.warning("maintenance could not run: %s", error)
            await asyncio.sleep(_TICK_SECONDS)

    async def _run_task(self, task: Task) -> None:
        every = task.every or timedelta(minutes=self._store.settings.refresh_minutes)
        self._due[task.name] = time.monotonic() + every.total_seconds()
        started = time.monotonic()
        try:
            done = await self._while_leading(task)
        except Exception as error:
            MAINTENANCE.labels(task.name, "failed").inc()
            self._due[task.name] = min(self._due[task.name], time.monotonic() + _RETRY_SECONDS)
            is_away = isinstance(error, OSError | asyncpg.PostgresConnectionError | asyncpg.InterfaceError)
            _log.warning("maintenance task %s failed: %r", task.name, error, exc_info=None if is_away else error)
        else:
            MAINTENANCE.labels(task.name, "done").inc()
            _log.debug("maintenance task %s did %d in %.3f s", task.name, done, time.monotonic() - started)

    async def _while_leading(self, task: Task) -> int:
        """Runs a task, renewing the lease meanwhile; cancels it should another process lead."""
        work = asyncio.ensure_future(task.run_once(self._store))
        try:
            while not (await asyncio.wait({work}, timeout=LEASE.total_seconds() / 3))[0]:
                if not await self.lead():
                    raise LeaseLostError(f"another process took the lease while {task.name} ran")
            return work.result()
        finally:
            work.cancel()


class LeaseLostError(Exception):
    """Another process leads now."""
