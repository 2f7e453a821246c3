"""The last step of ingest: puts a batch in time and makes its rows."""

from collections.abc import Sequence
from typing import Any

import msgspec
from asyncpg.pgproto.pgproto import UUID
from msgspec import Raw
from msgspec.structs import astuple

from tracker_backend.event import EVENT_FIELDS, NO_DATA, Event
from tracker_backend.ingest.batch import Batch, Counts, KnownSession, Lane, Placed
from tracker_backend.ingest.page_limit import PageLimit
from tracker_backend.ingest.pages import split_page
from tracker_backend.ingest.steps import counts_of
from tracker_backend.ingest.wire import with_extra
from tracker_backend.masking.events import hide_fields
from tracker_backend.masking.secret_fields import among
from tracker_backend.recordings.extraction import page_of
from tracker_backend.recordings.frames import hide_in_frame
from tracker_backend.recordings.recording import Recording
from tracker_backend.recordings.row import RecordingRow
from tracker_backend.settings import Settings
from tracker_backend.storage.nodes import Node
from tracker_backend.times import DAY, HOUR, hour_of

EVENT_COLUMNS = ("event_id", "project_id", "session_id", "source", "page_host", "page_path", "is_bot", *EVENT_FIELDS)
"""The columns of an event's row: what the server adds, then the fields of an event."""
RRWEB = "rrweb"
"""The source of events that were found in a recording."""

_encode = msgspec.json.Encoder().encode
_Row = tuple[Any, ...]


def build_rows(batch: Batch, known: KnownSession | None, settings: Settings, node: Node, pages: PageLimit) -> Placed:
    """Makes the rows of a batch for what is `known` of its session, or by what the batch itself says.

    A time outside the late window is stored as the time of receipt; the client's time is kept in `event_data`. Values
    of fields that once looked secret are masked in the rows. The batch stays as it is: rows may be built again.
    """
    known = known or KnownSession(batch.offset or 0, is_bot=batch.session.bot_reason is not None)
    placement = _Placement(batch, known, settings, node, pages)
    rows: list[_Row] = []
    times_placed = placement.times(batch.times)
    if batch.events:
        secret = known.secret_fields
        events = hide_fields(batch.events, batch.open_fields, secret) if secret else batch.events
        rows = placement.rows(batch.source, events, batch.times, times_placed)
    recording_row, counts, kinds = None, Counts(), frozenset[str]()
    if batch.recording is not None:
        recording_row = placement.recording_row(batch.recording, known.secret_fields)
        new, stored = _split_found(batch.recording, known)
        counts = counts_of(found.event for found in new)
        kinds = frozenset(found.event.event_type for found in stored)
        start = known.page or batch.session.page_url or ""
        events = [msgspec.structs.replace(found.event, page_url=found.page_url or start) for found in stored]
        times = [found.time for found in stored]
        found_times = placement.times(times)
        rows += placement.rows(RRWEB, events, times, found_times)
        times_placed += [recording_row.timestamp, recording_row.last_at, *found_times]
    first, last = min(times_placed, default=None), max(times_placed, default=None)
    hours = frozenset(hour_of(time) for time in (first, last) if time is not None)
    if len(hours) > 1:
        hours = frozenset(map(hour_of, times_placed))
    return Placed(
        batch,
        known,
        lane=_lane(batch, first),
        event_rows=rows,
        recording_row=recording_row,
        found_counts=counts,
        found_kinds=kinds,
        first_at=first,
        last_at=last,
        ended_at=None if batch.ended_at is None else placement.times([batch.ended_at])[0],
        hours=hours,
    )


def _split_found(recording: Recording, known: KnownSession) -> tuple[list[Any], list[Any]]:
    """What was found in a recording and is new, and those of it that become rows.

    The page that the recording was on already is not new: each full snapshot names it again. Kinds that the session's
    own events count become no rows.
    """
    new = recording.found
    index = next((index for index, found in enumerate(new) if found.event.event_type == "pageview"), None)
    if index is not None and known.page is not None and page_of(new[index].page_url or "") == page_of(known.page):
        new = new[:index] + new[index + 1 :]
    return new, [found for found in new if found.event.event_type not in known.native_kinds]


def _lane(batch: Batch, first: int | None) -> Lane:
    yesterday = batch.received_at - batch.received_at % DAY - DAY
    is_large = batch.image is not None or batch.recording is not None
    return Lane.BULK if is_large or (first is not None and first < yesterday) else Lane.CURRENT


class _Placement:
    """Puts times of a batch on the server's time line, and makes rows with them."""

    def __init__(self, batch: Batch, known: KnownSession, settings: Settings, node: Node, pages: PageLimit) -> None:
        self._batch = batch
        self._node = node
        self._pages = pages
        self._offset = known.clock_offset
        self._is_bot = known.is_bot
        self._received = batch.received_at
        self._low = batch.received_at - settings.late_days * DAY
        self._high = batch.received_at + settings.future_hours * HOUR
        self._session_id = UUID(batch.session_id.bytes)  # asyncpg's own UUID is encoded without a call into Python

    def times(self, client_times: Sequence[int]) -> list[int]:
        low, high, received, offset = self._low, self._high, self._received, self._offset
        return [time if low <= time <= high else received for time in (time + offset for time in client_times)]

    def rows(self, source: str, events: Sequence[Event], times: Sequence[int], placed: Sequence[int]) -> list[_Row]:
        project_id, session_id, offset = self._batch.project_id, self._session_id, self._offset
        rows: list[_Row] = []
        is_bot = self._is_bot
        page, hour, host, path = None, -1, "", ""
        ids = self._node.next_ids(len(placed))
        for event, identifier, time, client_time in zip(events, ids, placed, times, strict=True):
            data = event.event_data
            if time != client_time + offset:
                data = with_extra(data, {"$client_timestamp": Raw(_encode(event.timestamp))})
            if event.page_url != page or not hour <= time < hour + HOUR:
                page, hour = event.page_url, hour_of(time)
                host, path = self._pages.page(project_id, hour, *split_page(page or ""))
            stored = None if data in NO_DATA else data
            # Time and data are the first and the last field of an event.
            rows.append(
                (identifier, project_id, session_id, source, host, path, is_bot, time, *astuple(event)[1:-1], stored)
            )
        return rows

    def recording_row(self, recording: Recording, secret: frozenset[str]) -> RecordingRow:
        one, two = self.times([recording.client_first, recording.client_last])
        data, size = recording.data, recording.inflated_size
        if hidden := among(recording.open_inputs, secret):
            data, size = hide_in_frame(data, hidden)
        (identifier,) = self._node.next_ids(1)
        source = {"id": identifier, "at": self._received // 1000, "events": recording.count}
        if recording.is_initial is not None:
            source["initial"] = recording.is_initial
        return RecordingRow(
            recording_id=identifier,
            project_id=self._batch.project_id,
            session_id=self._session_id,
            timestamp=min(one, two),
            last_at=max(one, two),
            arrival=identifier,
            event_count=recording.count,
            inflated_size=size,
            has_full_snapshot=recording.has_full_snapshot,
            client_first=recording.client_first,
            client_last=recording.client_last,
            batches=_encode([source]),
            data=data,
        )
