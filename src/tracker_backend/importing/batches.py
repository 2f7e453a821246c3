"""Makes what ingest takes from the items of one session: batches under the limits, each named by all that came so far.

A batch is received when its newest row happened, so every row keeps its own time however old it is. The name of a batch
is a digest of the session's items up to its end: an import that is repeated, or goes on after it was cut off, finds the
same names.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tracker_backend.accounts.project_settings import ProjectSettings
from tracker_backend.event import Event
from tracker_backend.importing.inspection import Found, Header, Shot, Timed, add_to, read_event, read_shot, read_time
from tracker_backend.importing.items import Item, Kind
from tracker_backend.ingest.batch import Batch, SessionFields
from tracker_backend.times import DAY, HOUR, from_datetime, parse_time, to_datetime

BATCH_BYTES = 1024 * 1024
BATCH_ITEMS = 1000
_SPAN = DAY  # of a batch's times, far inside the late window
_MS = 1000

_timed = msgspec.json.Decoder(Timed)
_fields = msgspec.json.Decoder(dict[str, Raw])


class Plan(Struct):
    """Where a session of a file goes."""

    found: Found
    project_id: int
    session_id: UUID
    fields: SessionFields
    shift: int
    """What is added to all its times, in whole days."""
    is_whole: bool
    """All that there is of this session is in the file, so one that is there already is not added to."""
    project: ProjectSettings
    """The project's rules of masking; all its sessions are stored."""

    def batch(self, received_at: int, size: int = 0) -> Batch:
        """An empty batch, received at a time before the shift; never after the session's last activity."""
        last = self.header.last_activity_at
        received_at = received_at if last is None else min(received_at, from_datetime(last))
        batch = Batch(self.project_id, self.session_id, received_at + self.shift, size, SessionFields(), self.project)
        if self.offset is not None:
            batch.sent_at = batch.received_at - self.offset
        return batch

    @property
    def header(self) -> Header:
        """What the export says of the session; nothing for other files."""
        return self.found.header or _NO_HEADER

    @property
    def offset(self) -> int | None:
        """Microseconds that were added to the client's times."""
        return self.header.offset

    def start(self, now: int) -> Batch:
        """What the session begins with."""
        started = self.header.started_at
        batch = self.batch(self.found.oldest if started is None else from_datetime(started))
        batch.session = msgspec.structs.replace(self.fields, ttl_hours=self._hours_to_live(now))
        return batch

    def end(self) -> Batch | None:
        """What the session ends with."""
        header = self.header
        if header.last_activity_at is None:
            return None
        batch = self.batch(from_datetime(header.last_activity_at))
        if header.ended_at is not None:
            batch.ended_at = from_datetime(header.ended_at) - (self.offset or 0) + self.shift
        batch.client_stats = None if header.client_stats in (Raw(), Raw(b"null")) else bytes(header.client_stats)
        return batch

    def _hours_to_live(self, now: int) -> int | None:
        """One that has expired lives as long again from now on: the next round of maintenance would remove it."""
        hours, last = self.fields.ttl_hours, self.header.last_activity_at
        if hours is None or last is None:
            return hours
        silent = now - from_datetime(last) - self.shift
        return hours if silent < hours * HOUR else hours + -(-silent // HOUR)


_NO_HEADER = Header()


class Piece(Struct):
    """What is stored in one transaction."""

    plan: Plan
    items: int
    at: int
    """The byte where it begins."""
    batch: Batch
    shot: Shot | None = None
    """An image still to be checked and put into the batch."""


class Batcher:
    """`add` each item of a session, then `finish`; both give the pieces that are full."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._content: Any = plan.found.empty.copy()
        self._key: object = None
        self._at = 0
        self._texts: list[bytes] = []
        self._events: list[Event] = []
        self._size = self._first = self._last = 0
        self._source = ""
        self._is_inside = True
        header = plan.header
        self._bounds: tuple[int, int] | None = None
        if header.first_at is not None and header.last_at is not None:
            self._bounds = (from_datetime(header.first_at), from_datetime(header.last_at))

    def add(self, item: Item) -> Iterator[Piece]:
        """Takes one item."""
        path = self._plan.found.path
        time = read_time(path, item)
        if item.kind is Kind.SCREENSHOT:
            yield from self.finish()
            add_to(self._content, item)
            yield self._image(item, read_shot(path, item), time)
            return
        source, event, is_inside = "", None, True
        if item.kind is Kind.EVENT:
            time += self._plan.offset or 0
            is_inside = self._bounds is None or self._bounds[0] <= time <= self._bounds[1]
        else:
            source, event = read_event(path, item)
        # An event without a page would get that of its neighbours; rows that could not keep their times are apart.
        key = (item.kind, source, event is None or bool(event.page_url), is_inside)
        first, last = min(time, self._first), max(time, self._last)
        count = len(self._texts) + len(self._events)
        is_full = (
            count >= BATCH_ITEMS or self._size + len(item.text) > BATCH_BYTES or (is_inside and last - first > _SPAN)
        )
        if count and (key != self._key or is_full):
            yield from self.finish()
            count = 0
        if not count:
            self._key, self._source, self._is_inside, self._at = key, source, is_inside, item.at
            first = last = time
        self._first, self._last = first, last
        self._size += len(item.text)
        add_to(self._content, item)
        if event is None:
            self._texts.append(self._moved(item.text))
        else:
            # By the client's clock, as ingest expects it: the offset is added again.
            event.timestamp = to_datetime(time - (self._plan.offset or 0) + self._plan.shift).isoformat()
            self._events.append(event)

    def finish(self) -> Iterator[Piece]:
        """Gives what is left."""
        texts, events, size = self._texts, self._events, self._size
        if not texts and not events:
            return
        self._texts, self._events, self._size = [], [], 0
        # What lay outside the session's rows had a time that no clock tells: it was stored at its receipt, which is
        # known no more; the session's end is closest.
        received = self._last if self._is_inside or self._bounds is None else self._bounds[1]
        batch = self._plan.batch(received, size)
        batch.name = f"import {self._content.hexdigest()}"
        if texts:
            batch.rrweb = [Raw(text) for text in texts]
        else:
            batch.events, batch.source = events, self._source
        yield Piece(self._plan, len(texts) + len(events), self._at, batch)

    def _image(self, item: Item, shot: Shot, time: int) -> Piece:
        batch = self._plan.batch(time)
        batch.times = [time - (self._plan.offset or 0) + self._plan.shift]
        return Piece(self._plan, 1, item.at, batch, shot)

    def _moved(self, text: bytes) -> bytes:
        """An rrweb event with its time shifted, as epoch milliseconds."""
        if not self._plan.shift:
            return text
        time = (parse_time(_timed.decode(text).timestamp) or 0) + self._plan.shift
        moved = time / _MS if time % _MS else time // _MS
        return msgspec.json.encode({**_fields.decode(text), "timestamp": moved})
