"""What one subscriber gets, in order: what is stored, then each batch as it is committed."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from itertools import islice
from typing import Literal

from msgspec import Struct

from tracker_backend.live.cursor import Cursor
from tracker_backend.live.reader import Reader
from tracker_backend.live.seen import OVERLAP_MS, Seen, id_at
from tracker_backend.live.stored import PAGE, Stored
from tracker_backend.live.subscription import Fresh, Missed, Subscription
from tracker_backend.queries.events import Event

_LAST = (1 << 53) - 1
_BATCHES = 64  # recorded batches that are given as one part


class Item(Struct, frozen=True):
    """One message: an event of a list's kind, an rrweb event, or the sign that the stored ones were given."""

    kind: Literal["event", "rrweb", "live"]
    text: bytes = b""
    event: Event | None = None
    offset: int = 0
    """Microseconds to add to the times of the session's client."""


class Feed:
    """`items` until the subscription ends, which raises Ended; NotFound for an unknown session."""

    def __init__(self, subscription: Subscription, reader: Reader, cursor: Cursor | None = None) -> None:
        self._subscription = subscription
        self._reader = reader
        self._is_new = cursor is None
        self.cursor = cursor or Cursor()
        """Where it is, the item that was taken last included."""
        if cursor is not None:  # before the first reference comes
            subscription.seen.update(cursor.done)
            if cursor.pending is not None:
                subscription.seen.update(cursor.pending)

    async def items(self) -> AsyncGenerator[Item]:
        """What the subscriber gets."""
        self._session = await self._reader.session(self._subscription.key)
        if self._is_new:
            await self._look()
        async for item in self._pending():
            yield item
        if not self._is_new:
            async for item in self._missed(self.cursor.done.floor):
                yield item
        yield Item("live")
        while True:
            entry = await self._subscription.next()
            async for item in self._missed(entry.since) if isinstance(entry, Missed) else self._batch(entry):
                yield item

    async def _look(self) -> None:
        """Finds out what is stored now, so that it is told apart from what comes by reference: all up to a while ago,
        and of the last minute what is there and not told already.
        """
        floor = id_at(time.time_ns() // 1_000_000 - OVERLAP_MS)
        found = await self._session.ids_after(floor)
        stored = Seen(floor, keep=len(found) + 1)
        for identifier in found:
            if self._subscription.seen.add(identifier):
                stored.add(identifier)
        self._subscription.seen.update(stored)
        self.cursor.begin(stored)

    async def _pending(self) -> AsyncIterator[Item]:
        """The rest of the part that the cursor is in."""
        cursor = self.cursor
        if cursor.pending is None:
            return
        start, last, more = max(cursor.event, cursor.pending.lowest()), _LAST, True
        while more:
            page = await self._session.events_after(start, last)
            for event in page:
                if event.event.event_id in cursor.pending:
                    cursor.event = event.event.event_id
                    yield self._item(event)
            more = len(page) == PAGE
            start = page[-1].event.event_id if more else start
        async for item in self._rrweb(cursor.pending):
            yield item
        cursor.finish()

    async def _rrweb(self, pending: Seen) -> AsyncIterator[Item]:
        async for texts in self._session.rrweb_events(pending.lowest(), pending.__contains__, self.cursor.rrweb):
            for text in texts:
                self.cursor.rrweb += 1
                yield Item("rrweb", text)

    async def _missed(self, since: int) -> AsyncIterator[Item]:
        """What is stored above an id and was neither given nor waits: in the order of ids, cut into parts by its
        recorded batches.
        """
        self._session = await self._reader.session(self._subscription.key)  # its bounds may be wider now
        seen, cursor = self._subscription.seen, self.cursor
        rows = await self._session.recorded_after(since)
        batches = iter(
            sorted({owner for row in rows for owner, _ in row.owners() if owner > since and seen.add(owner)})
        )
        low, high = since, 0
        while high != _LAST:
            chunk = list(islice(batches, _BATCHES))
            high = chunk[-1] if len(chunk) == _BATCHES else _LAST
            pending = Seen(keep=_BATCHES)
            for batch in chunk:
                pending.add(batch)
            if chunk:
                cursor.begin(pending)
            more = True
            while more:
                page = await self._session.events_after(low, high)
                for event in self._claim(page):
                    cursor.done.add(event.event.event_id)
                    yield self._item(event)
                more = len(page) == PAGE
                low = page[-1].event.event_id if more else high
            if chunk:
                async for item in self._rrweb(pending):
                    yield item
                cursor.finish()

    def _claim(self, page: Iterable[Stored]) -> list[Stored]:
        """Those of a page that are new, all at once: a reference to them may come while they are given."""
        return [event for event in page if self._subscription.seen.add(event.event.event_id)]

    def _item(self, event: Stored) -> Item:
        return Item("event", event.text, event.event, self._session.offset)

    async def _batch(self, fresh: Fresh) -> AsyncIterator[Item]:
        content = await self._reader.content(fresh.reference)
        cursor = self.cursor
        for event in content.events:
            if any(first <= event.event.event_id <= last for first, last in fresh.events):
                cursor.done.add(event.event.event_id)
                yield self._item(event)
        if fresh.recording:
            pending = Seen()
            pending.add(fresh.reference.recording_id)
            cursor.begin(pending)
            for text in content.rrweb:
                cursor.rrweb += 1
                yield Item("rrweb", text)
            cursor.finish()
