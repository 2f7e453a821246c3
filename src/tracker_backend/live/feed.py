"""The messages of one subscriber in order: what is stored, then each batch when it is committed."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from itertools import islice
from typing import Literal

from msgspec import Struct

from tracker_backend.live.id_set import OVERLAP_MS, IdSet, lowest_id_at
from tracker_backend.live.reader import Reader
from tracker_backend.live.session_rows import PAGE, EncodedEvent
from tracker_backend.live.stream_position import StreamPosition
from tracker_backend.live.subscription import NewBatch, Recheck, Subscription
from tracker_backend.queries.events import Event

_LAST = (1 << 53) - 1
_BATCHES = 64  # recorded batches that are sent as one part


class Item(Struct, frozen=True):
    """One message: an event, an rrweb event, or `live`: all stored events were sent."""

    kind: Literal["event", "rrweb", "live"]
    text: bytes = b""
    event: Event | None = None
    offset: int = 0
    """Microseconds to add to the client's times."""


class Feed:
    """The messages of a subscription."""

    def __init__(self, subscription: Subscription, reader: Reader, position: StreamPosition | None = None) -> None:
        self._subscription = subscription
        self._reader = reader
        self._is_fresh_start = position is None
        self.position = position or StreamPosition()
        """The position after the last yielded item."""
        if position is not None:  # before the first reference arrives
            subscription.known_ids.update(position.done)
            if position.pending is not None:
                subscription.known_ids.update(position.pending)

    async def items(self) -> AsyncGenerator[Item]:
        """Yield all messages. Raises Ended when the subscription ends, NotFound for an unknown session."""
        self._session = await self._reader.session(self._subscription.key)
        if self._is_fresh_start:
            await self._begin_with_stored()
        async for item in self._rest_of_part():
            yield item
        if not self._is_fresh_start:
            async for item in self._recheck(self.position.done.floor):
                yield item
        yield Item("live")
        while True:
            entry = await self._subscription.next()
            async for item in self._recheck(entry.since) if isinstance(entry, Recheck) else self._batch(entry):
                yield item

    async def _begin_with_stored(self) -> None:
        """Make the rows that are stored now the pending part, to tell them from batches that arrive by reference.

        These are all rows older than OVERLAP_MS, and of the later ones those that are stored and not in the queue.
        """
        floor = lowest_id_at(time.time_ns() // 1_000_000 - OVERLAP_MS)
        found = await self._session.ids_after(floor)
        stored = IdSet(floor, keep=len(found) + 1)
        for identifier in found:
            if self._subscription.known_ids.add(identifier):
                stored.add(identifier)
        self._subscription.known_ids.update(stored)
        self.position.begin(stored)

    async def _rest_of_part(self) -> AsyncIterator[Item]:
        """Yield the rest of the pending part."""
        position = self.position
        if position.pending is None:
            return
        start, last, more = max(position.event, position.pending.lowest()), _LAST, True
        while more:
            page = await self._session.events_after(start, last)
            for event in page:
                if event.event.event_id in position.pending:
                    position.event = event.event.event_id
                    yield self._item(event)
            more = len(page) == PAGE
            start = page[-1].event.event_id if more else start
        async for item in self._rrweb(position.pending):
            yield item
        position.finish()

    async def _rrweb(self, pending: IdSet) -> AsyncIterator[Item]:
        async for texts in self._session.rrweb_events(pending.lowest(), pending.__contains__, self.position.rrweb):
            for text in texts:
                self.position.rrweb += 1
                yield Item("rrweb", text)

    async def _recheck(self, since: int) -> AsyncIterator[Item]:
        """Yield what is stored above an id and was neither sent nor waits in the queue, in the order of ids.

        Each part has at most _BATCHES recorded batches.
        """
        self._session = await self._reader.session(
            self._subscription.key
        )  # read again, because the bounds may be wider now
        known_ids, position = self._subscription.known_ids, self.position
        rows = await self._session.recorded_after(since)
        batches = iter(
            sorted({batch for row in rows for batch, _ in row.batch_ids() if batch > since and known_ids.add(batch)})
        )
        low, high = since, 0
        while high != _LAST:
            chunk = list(islice(batches, _BATCHES))
            high = chunk[-1] if len(chunk) == _BATCHES else _LAST
            pending = IdSet(keep=_BATCHES)
            for batch in chunk:
                pending.add(batch)
            if chunk:
                position.begin(pending)
            more = True
            while more:
                page = await self._session.events_after(low, high)
                for event in self._claim(page):
                    position.done.add(event.event.event_id)
                    yield self._item(event)
                more = len(page) == PAGE
                low = page[-1].event.event_id if more else high
            if chunk:
                async for item in self._rrweb(pending):
                    yield item
                position.finish()

    def _claim(self, page: Iterable[EncodedEvent]) -> list[EncodedEvent]:
        """Return the new events of a page and mark all as sent, because a reference to them may arrive meanwhile."""
        return [event for event in page if self._subscription.known_ids.add(event.event.event_id)]

    def _item(self, event: EncodedEvent) -> Item:
        return Item("event", event.text, event.event, self._session.offset)

    async def _batch(self, fresh: NewBatch) -> AsyncIterator[Item]:
        content = await self._reader.content(fresh.reference)
        position = self.position
        for event in content.events:
            if any(first <= event.event.event_id <= last for first, last in fresh.events):
                position.done.add(event.event.event_id)
                yield self._item(event)
        if fresh.recording:
            pending = IdSet()
            pending.add(fresh.reference.recording_id)
            position.begin(pending)
            for text in content.rrweb:
                position.rrweb += 1
                yield Item("rrweb", text)
            position.finish()
