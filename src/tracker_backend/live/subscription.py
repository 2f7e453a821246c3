"""One subscriber's queue: what it is to get, by reference. Filled without waiting, bounded, emptied at its own pace."""

import asyncio
from collections import deque

from msgspec import Struct

from tracker_backend.live.reference import Key, Reference
from tracker_backend.live.seen import Run, Seen
from tracker_backend.metrics import LIVE_DROPPED

BACKLOG = 1000
"""Batches that may wait for a subscriber: an hour and a half of one that sends every 5 seconds."""
SLOW = 4008
"""Close code of a subscriber that does not keep up."""
GONE = 4404
"""Close code of a session that is not there any more."""
_KEEP = 1024  # runs of ids: 100 KB


class Ended(Exception):
    """The subscription is over, with a WebSocket close code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Fresh(Struct, frozen=True):
    """A batch, and what of it the subscriber does not have: runs of its events, and whether its recording."""

    reference: Reference
    events: list[Run]
    recording: bool


class Missed(Struct, frozen=True):
    """Something may have been missed: look for ids above this one."""

    since: int


class Subscription:
    """`offer` and `look_back` fill it, `next` empties it. What is in it counts as given, so that nothing is twice."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.seen = Seen(keep=_KEEP, overlaps=2)
        """The ids that the subscriber has, or gets from the queue or the read that is under way."""
        self._queue: deque[Fresh | Missed] = deque()
        self._missed = 0
        self._wake = asyncio.Event()
        self._end: Ended | None = None

    def offer(self, reference: Reference) -> None:
        """Queues a batch; ends a subscriber whose queue is full."""
        if self._end is not None:
            return
        recording = bool(reference.recording_id) and self.seen.add(reference.recording_id)
        events = self.seen.claim(reference.first_id, reference.last_id) if reference.first_id else []
        if not events and not recording:
            return
        if len(self._queue) >= BACKLOG:
            LIVE_DROPPED.labels("backlog").inc()
            self.end(SLOW, f"too slow: {BACKLOG} batches wait. Connect again.")
            return
        self._queue.append(Fresh(reference, events, recording))
        self._wake.set()

    def look_back(self, since: int) -> None:
        """Makes the subscriber look into the database for ids above `since` that it does not have."""
        since = max(since, self.seen.floor)
        if self._missed and any(isinstance(waiting, Missed) and waiting.since <= since for waiting in self._queue):
            return
        self._missed += 1
        self._queue.append(Missed(since))
        self._wake.set()

    def end(self, code: int, reason: str) -> None:
        """Ends it at once; what waits is not given."""
        if self._end is None:
            self._end = Ended(code, reason)
            self._queue.clear()
            self._wake.set()

    @property
    def ended(self) -> Ended | None:
        """How it ended, if it did."""
        return self._end

    async def until_ended(self) -> Ended:
        """Waits for the end."""
        while self._end is None:
            self._wake.clear()
            await self._wake.wait()
        return self._end

    async def next(self) -> Fresh | Missed:
        """The next to give; raises Ended."""
        while True:
            if self._end is not None:
                raise self._end
            if self._queue:
                entry = self._queue.popleft()
                self._missed -= isinstance(entry, Missed)
                return entry
            self._wake.clear()
            await self._wake.wait()
