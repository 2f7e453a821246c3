"""Elects the one process that runs the maintenance tasks: the holder of a lease, which is a row.

It needs no session state of PostgreSQL, so it works through a pooler in transaction mode. If the leader dies, another
process leads within a minute.
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

LEASE_TIME = timedelta(seconds=60)
_TICK_SECONDS = 10
_RETRY_SECONDS = 60
_sql = load(__file__, "leader")
_log = logging.getLogger(__name__)


class Leader:
    """Competes for the lease, and runs the tasks that are due while it holds it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._holder = uuid.uuid4()
        self._due = {task.name: 0.0 for task in TASKS}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts in the background."""
        self._task = asyncio.create_task(self._run(), name="maintenance")

    async def stop(self) -> None:
        """Cancels the running task and releases the lease."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(Exception):
            async with asyncio.timeout(2):
                await self._store.pool.execute(_sql.release_lease, self._holder)

    async def take_lease(self) -> bool:
        """Takes or renews the lease; returns False if another process holds it."""
        return await self._store.pool.fetchval(_sql.take_lease, self._holder, LEASE_TIME) is not None

    async def _run(self) -> None:
        while True:
            try:
                if await self.take_lease():
                    for task in TASKS:
                        if self._due[task.name] <= time.monotonic():
                            await self._run_task(task)
                            if not await self.take_lease():
                                break
            except Exception as error:
                _log.warning("maintenance cannot run: %s", error)
            await asyncio.sleep(_TICK_SECONDS)

    async def _run_task(self, task: Task) -> None:
        every = task.every or timedelta(minutes=self._store.settings.refresh_minutes)
        self._due[task.name] = time.monotonic() + every.total_seconds()
        started = time.monotonic()
        try:
            done = await self._run_with_lease(task)
        except Exception as error:
            MAINTENANCE.labels(task.name, "failed").inc()
            self._due[task.name] = min(self._due[task.name], time.monotonic() + _RETRY_SECONDS)
            is_unavailable = isinstance(error, OSError | asyncpg.PostgresConnectionError | asyncpg.InterfaceError)
            _log.warning("maintenance task %s failed: %r", task.name, error, exc_info=None if is_unavailable else error)
        else:
            MAINTENANCE.labels(task.name, "done").inc()
            _log.debug("maintenance task %s did %d in %.3f s", task.name, done, time.monotonic() - started)

    async def _run_with_lease(self, task: Task) -> int:
        """Runs a task and renews the lease meanwhile. Cancels the task if another process takes the lease."""
        work = asyncio.ensure_future(task.run_once(self._store))
        try:
            while not (await asyncio.wait({work}, timeout=LEASE_TIME.total_seconds() / 3))[0]:
                if not await self.take_lease():
                    raise LeaseLostError(f"another process took the lease while {task.name} ran")
            return work.result()
        finally:
            work.cancel()


class LeaseLostError(Exception):
    """Another process took the lease."""
