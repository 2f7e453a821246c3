"""Builds batches for ingest from the elements of a session.

The time of receipt of a batch is the time of its newest row, so that all rows keep their times. The id of a batch is a
digest of the session's elements up to its end, so that a repeated or resumed import has the same ids.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tracker_backend.accounts.project_settings import ProjectSettings
from tracker_backend.event import Event
from tracker_backend.importing.elements import Element, Kind
from tracker_backend.importing.inspection import (
    ExportedScreenshot,
    ExportedSession,
    FileSession,
    TimedEvent,
    read_event,
    read_screenshot,
    read_time,
    update_digest,
)
from tracker_backend.ingest.batch import Batch, SessionFields
from tracker_backend.times import DAY, HOUR, from_datetime, parse_time, to_datetime

BATCH_BYTES = 1024 * 1024
BATCH_ITEMS = 1000
_MAX_DURATION = DAY  # of a batch, much shorter than the late window
_MS = 1000

_timed = msgspec.json.Decoder(TimedEvent)
_fields = msgspec.json.Decoder(dict[str, Raw])


class Plan(Struct):
    """A session of a file and where it is stored."""

    file_session: FileSession
    project_id: int
    session_id: UUID
    fields: SessionFields
    shift: int
    """Microseconds (whole days) that are added to all times."""
    is_whole: bool
    """Whether the file holds the whole session; then a stored session of this id is an error."""
    project: ProjectSettings
    """The project's masking rules. All sessions of an import are stored, without sampling."""

    def batch(self, received_at: int, size: int = 0) -> Batch:
        """Return an empty batch. `received_at` is without the shift, and is limited to the session's last activity."""
        last = self.header.last_activity_at
        received_at = received_at if last is None else min(received_at, from_datetime(last))
        batch = Batch(self.project_id, self.session_id, received_at + self.shift, size, SessionFields(), self.project)
        if self.offset is not None:
            batch.sent_at = batch.received_at - self.offset
        return batch

    @property
    def header(self) -> ExportedSession:
        """The session of the export; empty for other files."""
        return self.file_session.header or _NO_HEADER

    @property
    def offset(self) -> int | None:
        """Microseconds that were added to the client's times."""
        return self.header.offset

    def start(self, now: int) -> Batch:
        """Return the batch that starts the session."""
        started = self.header.started_at
        batch = self.batch(self.file_session.oldest if started is None else from_datetime(started))
        batch.session = msgspec.structs.replace(self.fields, ttl_hours=self._hours_to_live(now))
        return batch

    def end(self) -> Batch | None:
        """Return the batch that ends the session; None without a last activity."""
        header = self.header
        if header.last_activity_at is None:
            return None
        batch = self.batch(from_datetime(header.last_activity_at))
        if header.ended_at is not None:
            batch.ended_at = from_datetime(header.ended_at) - (self.offset or 0) + self.shift
        batch.client_stats = None if header.client_stats in (Raw(), Raw(b"null")) else bytes(header.client_stats)
        return batch

    def _hours_to_live(self, now: int) -> int | None:
        """An expired session gets its time to live again from now, or the next maintenance would remove it."""
        hours, last = self.fields.ttl_hours, self.header.last_activity_at
        if hours is None or last is None:
            return hours
        silent = now - from_datetime(last) - self.shift
        return hours if silent < hours * HOUR else hours + -(-silent // HOUR)


_NO_HEADER = ExportedSession()


class ImportBatch(Struct):
    """A batch of an import, with the number of its elements."""

    plan: Plan
    elements: int
    at: int
    """The byte at which it begins."""
    batch: Batch
    screenshot: ExportedScreenshot | None = None
    """A screenshot that must still be checked and added to the batch."""


class Batcher:
    """Call `add` with each element of a session, then `finish`. Both yield complete batches."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._digest: Any = plan.file_session.empty.copy()
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

    def add(self, element: Element) -> Iterator[ImportBatch]:
        """Add one element."""
        path = self._plan.file_session.path
        time = read_time(path, element)
        if element.kind is Kind.SCREENSHOT:
            yield from self.finish()
            update_digest(self._digest, element)
            yield self._screenshot_batch(element, read_screenshot(path, element), time)
            return
        source, event, is_inside = "", None, True
        if element.kind is Kind.EVENT:
            time += self._plan.offset or 0
            is_inside = self._bounds is None or self._bounds[0] <= time <= self._bounds[1]
        else:
            source, event = read_event(path, element)
        # Not in one batch: events with and without a page, because ingest would fill in that of the neighbours; rows
        # inside and outside the bounds, because only the former keep their times.
        key = (element.kind, source, event is None or bool(event.page_url), is_inside)
        first, last = min(time, self._first), max(time, self._last)
        count = len(self._texts) + len(self._events)
        is_full = (
            count >= BATCH_ITEMS
            or self._size + len(element.text) > BATCH_BYTES
            or (is_inside and last - first > _MAX_DURATION)
        )
        if count and (key != self._key or is_full):
            yield from self.finish()
            count = 0
        if not count:
            self._key, self._source, self._is_inside, self._at = key, source, is_inside, element.at
            first = last = time
        self._first, self._last = first, last
        self._size += len(element.text)
        update_digest(self._digest, element)
        if event is None:
            self._texts.append(self._shifted(element.text))
        else:
            # In the client's clock, as ingest expects it: ingest adds the offset again.
            event.timestamp = to_datetime(time - (self._plan.offset or 0) + self._plan.shift).isoformat()
            self._events.append(event)

    def finish(self) -> Iterator[ImportBatch]:
        """Yield the last batch."""
        texts, events, size = self._texts, self._events, self._size
        if not texts and not events:
            return
        self._texts, self._events, self._size = [], [], 0
        # Rows outside the session's bounds were stored with the time of receipt, which is unknown; the end of the
        # session is the closest known time.
        received = self._last if self._is_inside or self._bounds is None else self._bounds[1]
        batch = self._plan.batch(received, size)
        batch.name, batch.name_is_digest = f"import {self._digest.hexdigest()}", True
        if texts:
            batch.rrweb = [Raw(text) for text in texts]
        else:
            batch.events, batch.source = events, self._source
        yield ImportBatch(self._plan, len(texts) + len(events), self._at, batch)

    def _screenshot_batch(self, element: Element, screenshot: ExportedScreenshot, time: int) -> ImportBatch:
        batch = self._plan.batch(time)
        batch.times = [time - (self._plan.offset or 0) + self._plan.shift]
        return ImportBatch(self._plan, 1, element.at, batch, screenshot)

    def _shifted(self, text: bytes) -> bytes:
        """Return an rrweb event with its time shifted, as epoch milliseconds."""
        if not self._plan.shift:
            return text
        time = (parse_time(_timed.decode(text).timestamp) or 0) + self._plan.shift
        shifted = time / _MS if time % _MS else time // _MS
        return msgspec.json.encode({**_fields.decode(text), "timestamp": shifted})
