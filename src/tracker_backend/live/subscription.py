"""The queue of one subscriber: references to batches. It is bounded, and writers never wait for it."""

import asyncio
from collections import deque

from msgspec import Struct

from tracker_backend.live.batch_reference import BatchReference, Key
from tracker_backend.live.id_set import IdSet, Run
from tracker_backend.metrics import LIVE_DROPPED

BACKLOG = 1000
"""Batches that may wait for a subscriber: 80 minutes of a session that sends every 5 seconds."""
SLOW = 4008
"""Close code for a subscriber that is too slow."""
GONE = 4404
"""Close code for a session that does not exist any more."""
_KEPT_RUNS = 1024  # of ids: 100 KB


class Ended(Exception):
    """The subscription has ended, with a WebSocket close code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class NewBatch(Struct, frozen=True):
    """A batch with the parts that the subscriber does not have: runs of event ids, and whether its rrweb events."""

    reference: BatchReference
    events: list[Run]
    recording: bool


class Recheck(Struct, frozen=True):
    """Batches may have been missed: check the database for ids above this one."""

    since: int


class Subscription:
    """`enqueue` and `recheck` add entries, `next` takes them. Ids in the queue count as sent, so none is sent twice."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.known_ids = IdSet(keep=_KEPT_RUNS, overlaps=2)
        """Ids that were sent, are in the queue, or are being read."""
        self._queue: deque[NewBatch | Recheck] = deque()
        self._pending_rechecks = 0
        self._wake = asyncio.Event()
        self._end: Ended | None = None

    def enqueue(self, reference: BatchReference) -> None:
        """Add a batch. Ends the subscription if the queue is full."""
        if self._end is not None:
            return
        recording = bool(reference.recording_id) and self.known_ids.add(reference.recording_id)
        events = self.known_ids.claim(reference.first_id, reference.last_id) if reference.first_id else []
        if not events and not recording:
            return
        if len(self._queue) >= BACKLOG:
            LIVE_DROPPED.labels("backlog").inc()
            self.end(SLOW, f"too slow: {BACKLOG} batches wait. Connect again.")
            return
        self._queue.append(NewBatch(reference, events, recording))
        self._wake.set()

    def recheck(self, since: int) -> None:
        """Let the subscriber check the database for ids above `since` that it does not have."""
        since = max(since, self.known_ids.floor)
        if self._pending_rechecks and any(
            isinstance(waiting, Recheck) and waiting.since <= since for waiting in self._queue
        ):
            return
        self._pending_rechecks += 1
        self._queue.append(Recheck(since))
        self._wake.set()

    def end(self, code: int, reason: str) -> None:
        """End the subscription at once. Waiting entries are discarded."""
        if self._end is None:
            self._end = Ended(code, reason)
            self._queue.clear()
            self._wake.set()

    @property
    def ended(self) -> Ended | None:
        """How the subscription ended; None while it has not."""
        return self._end

    async def until_ended(self) -> Ended:
        """Wait for the end of the subscription."""
        while self._end is None:
            self._wake.clear()
            await self._wake.wait()
        return self._end

    async def next(self) -> NewBatch | Recheck:
        """Wait for the next entry. Raises Ended."""
        while True:
            if self._end is not None:
                raise self._end
            if self._queue:
                entry = self._queue.popleft()
                self._pending_rechecks -= isinstance(entry, Recheck)
                return entry
            self._wake.clear()
            await self._wake.wait()
