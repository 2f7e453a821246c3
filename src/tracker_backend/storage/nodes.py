"""Ids of rows, which each process generates itself: ordered by time, unique across processes, below 2^53 for browsers.

An id is a counter and a node number: `counter << 6 | node`. The counter is milliseconds since 2020 times 128, so a
process has 128 ids per millisecond and uses those of the next millisecond if it needs more. 40 bits of milliseconds
last until 2054. The node number is leased from the database, with a highest counter for the holder (`tracker.nodes`).
"""

import asyncio
import logging
import time
import uuid
from datetime import UTC, datetime, timedelta

from tracker_backend.errors import Unavailable
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
PER_MS = 128
NODE_BITS = 6
_NODES = 1 << NODE_BITS
SPREAD_MS = 60_000
"""How much later than the time of its row the time in a screenshot's id may be; `find_screenshot` uses it too."""
LEASE = timedelta(seconds=60)
_RENEW_SECONDS = 15
_RETRY_SECONDS = 2
_WINDOW = 60_000 * PER_MS

_sql = load(__file__, "nodes")
_log = logging.getLogger(__name__)


def _now_counter() -> int:
    return (time.time_ns() // 1_000_000 - EPOCH_MS) * PER_MS


def milliseconds_of(identifier: int) -> int:
    """Return the epoch milliseconds in an id."""
    return (identifier >> NODE_BITS) // PER_MS + EPOCH_MS


class Node:
    """Node number and ids of this process. Call `lease`, then run `keep_lease` as a task, and `release` at the end."""

    def __init__(self, pool: Pool) -> None:
        self.number = -1
        self._pool = pool
        self._holder = uuid.uuid4()
        self._counter = 0
        self._reserved = 0
        self._sequence = 0

    async def lease(self) -> None:
        """Lease a free node number. Raises Unavailable if all 64 are leased."""
        for _ in range(_NODES):
            start = _now_counter()
            row = await self._pool.fetchrow(_sql.lease_node, self._holder, LEASE, start, _WINDOW)
            if row is not None:
                self.number, self._reserved = row["node"], row["reserved"]
                self._counter = self._reserved - _WINDOW  # the previous holder may have used this counter
                return
        raise Unavailable(f"all {_NODES} node numbers are leased by running server processes: stop some of them.")

    async def keep_lease(self) -> None:
        """Renew the lease until cancelled. Errors of the database are retried; a lost lease is replaced."""
        pause = _RENEW_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _RENEW_SECONDS
            try:
                reserved = max(_now_counter(), self._counter) + _WINDOW
                if await self._pool.fetchval(_sql.renew_node, self.number, self._holder, LEASE, reserved) is None:
                    _log.warning("the lease of node %d was lost: leasing another node number", self.number)
                    await self.lease()
                else:
                    self._reserved = reserved
            except Exception as error:
                pause = _RETRY_SECONDS  # without a lease nothing can be stored
                _log.warning("the lease of node %d could not be renewed: %s", self.number, error)

    async def release(self) -> None:
        """End the lease."""
        if self.number >= 0:
            await self._pool.execute(_sql.release_node, self.number, self._holder, self._counter)

    def next_ids(self, count: int) -> range:
        """Return the next `count` ids in ascending order. Raises Unavailable if the lease has expired."""
        first = max(self._counter + 1, _now_counter())
        last = first + count - 1
        if last > self._reserved:
            raise Unavailable("the database has not renewed this process's lease: is it reachable?")
        self._counter = last
        return range(first << NODE_BITS | self.number, (last << NODE_BITS | self.number) + 1, _NODES)

    def id_at(self, moment: datetime, later_ms: int = 0) -> int:
        """Return an id with the millisecond `moment` + `later_ms` (at most SPREAD_MS), which leads to the row's chunk.

        A millisecond has 128 ids. If the insert finds that an id is in use, the caller asks again.
        """
        self._sequence = (self._sequence + 1) % PER_MS
        milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) + later_ms
        return (((milliseconds - EPOCH_MS) * PER_MS + self._sequence) << NODE_BITS) | self.number
