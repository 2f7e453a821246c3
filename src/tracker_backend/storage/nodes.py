"""Ids that the writer gives itself: below 2^53 for browsers, in order of time, unique across processes.

An id is a counter and a node number: `counter << 6 | node`. The counter is milliseconds since 2020 times 128, so that a
process gives 128 ids a millisecond and borrows from the next when it needs more; 40 bits of milliseconds last until
2054. The node number is leased from the database, with a counter that the holder may not pass (see `tracker.nodes`).
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
"""How much later than its row's time the time inside a screenshot's id may be; `find_screenshot` knows it too."""
LEASE = timedelta(seconds=60)
_RENEW_SECONDS = 15
_RETRY_SECONDS = 2
_WINDOW = 60_000 * PER_MS

_sql = load(__file__, "nodes")
_log = logging.getLogger(__name__)


def _now_counter() -> int:
    return (time.time_ns() // 1_000_000 - EPOCH_MS) * PER_MS


def milliseconds_of(identifier: int) -> int:
    """Epoch milliseconds inside an id."""
    return (identifier >> NODE_BITS) // PER_MS + EPOCH_MS


class Node:
    """This process's node number and its ids. `lease` first, `keep` in the background, `release` at the end."""

    def __init__(self, pool: Pool) -> None:
        self.number = -1
        self._pool = pool
        self._holder = uuid.uuid4()
        self._counter = 0
        self._reserved = 0
        self._sequence = 0

    async def lease(self) -> None:
        """Takes a free node number; Unavailable when all 64 are held."""
        for _ in range(_NODES):
            start = _now_counter()
            row = await self._pool.fetchrow(_sql.lease_node, self._holder, LEASE, start, _WINDOW)
            if row is not None:
                self.number, self._reserved = row["node"], row["reserved"]
                self._counter = self._reserved - _WINDOW  # the holder before may have given this one
                return
        raise Unavailable(f"all {_NODES} node numbers are held by running server processes: stop some of them.")

    async def keep(self) -> None:
        """Renews the lease until cancelled; a database that is away is tried again, a lost lease is replaced."""
        pause = _RENEW_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _RENEW_SECONDS
            try:
                reserved = max(_now_counter(), self._counter) + _WINDOW
                if await self._pool.fetchval(_sql.renew_node, self.number, self._holder, LEASE, reserved) is None:
                    _log.warning("the lease of node %d was lost, taking another", self.number)
                    await self.lease()
                else:
                    self._reserved = reserved
            except Exception as error:
                pause = _RETRY_SECONDS  # nothing is stored while there is none
                _log.warning("the lease of node %d could not be renewed: %s", self.number, error)

    async def release(self) -> None:
        """Gives the number back."""
        if self.number >= 0:
            await self._pool.execute(_sql.release_node, self.number, self._holder, self._counter)

    def take(self, count: int) -> range:
        """The next `count` ids in order; Unavailable if the lease ran out."""
        first = max(self._counter + 1, _now_counter())
        last = first + count - 1
        if last > self._reserved:
            raise Unavailable("the database has not renewed this process's lease: is it reachable?")
        self._counter = last
        return range(first << NODE_BITS | self.number, (last << NODE_BITS | self.number) + 1, _NODES)

    def take_at(self, moment: datetime, later_ms: int = 0) -> int:
        """An id with the millisecond of `moment` inside, or a `later_ms` up to SPREAD_MS, from which the chunk of its
        row is found. A millisecond has 128 of them; the insert finds out that one was given before, and asks again.
        """
        self._sequence = (self._sequence + 1) % PER_MS
        milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) + later_ms
        return (((milliseconds - EPOCH_MS) * PER_MS + self._sequence) << NODE_BITS) | self.number
