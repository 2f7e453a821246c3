"""The recording of a session: its rrweb events in order of time, those of one time in order of arrival.

Rows that do not overlap are passed on as they are stored, a zstd frame each; a run of rows that overlap in time is
decoded and merged. So memory holds one row, or the longest overlapping run.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from tracker_backend.errors import Unavailable
from tracker_backend.recordings.frames import decode_frame, encode_frame, frame_text, join_events
from tracker_backend.recordings.rrweb_events import FULL_SNAPSHOT, META, client_time, is_type
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.session_bounds import SessionBounds, get_bounds
from tracker_backend.storage.sql import columns_of, load
from tracker_backend.times import SECOND, from_datetime

_ATTEMPTS = 5
_META_TIME = 5 * SECOND  # rrweb takes the full snapshot right after Meta, which takes seconds at most on a large page


class RowHead(Struct, frozen=True):
    """A stored row without its data; `client_first` and `client_last` are microseconds by the client's clock."""

    recording_id: int
    timestamp: datetime
    arrival: int
    event_count: int
    has_full_snapshot: bool
    client_first: int
    client_last: int


SomeRow = TypeVar("SomeRow", bound=RowHead)


class Part(Struct, frozen=True):
    """A piece of a replay: a stored frame as it is, or events that were decoded."""

    count: int
    frame: bytes | None = None
    events: list[bytes] = []

    def packed(self) -> bytes:
        """A zstd frame of the events, joined by commas."""
        return encode_frame(join_events(self.events)) if self.frame is None else self.frame

    def text(self) -> bytes:
        """The events, joined by commas."""
        return join_events(self.events) if self.frame is None else frame_text(self.frame)


_sql = load(__file__, "replay", head=columns_of(RowHead))


class RowGoneError(Exception):
    """A row was merged into another one, or deleted, since the list was read."""


def runs(rows: Iterable[SomeRow]) -> Iterable[list[SomeRow]]:
    """Rows in the order of replay as runs: rows of one run overlap in time, or share a time against their arrival."""
    run: list[SomeRow] = []
    end = arrival = 0
    for row in rows:
        if run and (row.client_first < end or (row.client_first == end and row.arrival < arrival)):
            run.append(row)
            end, arrival = max(end, row.client_last), max(arrival, row.arrival)
            continue
        if run:
            yield run
        run, end, arrival = [row], row.client_last, row.arrival
    if run:
        yield run


def merge(frames: Iterable[tuple[RowHead, bytes]]) -> list[bytes]:
    """The events of overlapping rows in order of time, those of one time in order of arrival."""
    events = [event for _, frame in sorted(frames, key=lambda it: it[0].arrival) for event in decode_frame(frame)]
    return sorted(events, key=client_time)


async def replay(
    pool: Pool, project_id: int, session_id: UUID, first: datetime | None = None, last: datetime | None = None
) -> AsyncIterator[Part]:
    """The recording from the full snapshot before `first` on to `last`, which is not included; NotFound for an unknown
    session.
    """
    reader = _Reader(pool, project_id, session_id, await get_bounds(pool, project_id, session_id))
    given = 0
    for _ in range(_ATTEMPTS):
        try:
            async for part in reader.parts(first, last, given):
                given += part.count
                yield part
        except RowGoneError:
            continue  # compaction changes rows but not their events: go on after those that were given
        return
    raise Unavailable("the recording changes faster than it can be read: try again.")


class _Reader:
    def __init__(self, pool: Pool, project_id: int, session_id: UUID, bounds: SessionBounds) -> None:
        self._pool = pool
        self._key = (project_id, session_id)
        self._bounds = bounds

    async def parts(self, first: datetime | None, last: datetime | None, skip: int) -> AsyncIterator[Part]:
        found = await self._pool.fetch(_sql.rows, *self._key, self._bounds.first, self._bounds.last)
        rows = [RowHead(*row) for row in found]
        if skip and not rows:
            raise Unavailable("the session was deleted while it was read.")
        low = None if first is None else await self._begin(rows, self._client_time(first))
        high = None if last is None else self._client_time(last)
        for run in runs(rows):
            if low is not None and max(row.client_last for row in run) < low:
                continue
            if high is not None and run[0].client_first >= high:
                return
            count = sum(row.event_count for row in run)
            is_inside = (low is None or run[0].client_first >= low) and (
                high is None or max(row.client_last for row in run) < high
            )
            if is_inside and skip >= count:
                skip -= count
                continue
            if is_inside and not skip and len(run) == 1:
                yield Part(count, await self._data(run[0]))
                continue
            frames = [(row, await self._data(row)) for row in run]
            events = await asyncio.to_thread(_cut, frames, low, high)
            del frames
            skipped, skip = min(skip, len(events)), max(0, skip - len(events))
            if len(events) > skipped:
                yield Part(len(events) - skipped, events=events[skipped:])

    async def _begin(self, rows: list[RowHead], wanted: int) -> int:
        """Where to begin so that a player has a page to begin with: at the full snapshot before, or at the Meta event
        that belongs to it. It depends on the order of events only, not on their rows: compaction changes rows.
        """
        snapshot: int | None = None
        for run in reversed(list(runs(rows))):
            if snapshot is None and (run[0].client_first > wanted or not any(row.has_full_snapshot for row in run)):
                continue
            frames = [(row, await self._data(row)) for row in run]
            snapshot, start = await asyncio.to_thread(_look_back, frames, wanted, snapshot)
            if start is not None:
                return start
        return wanted if snapshot is None else snapshot

    def _client_time(self, moment: datetime) -> int:
        return from_datetime(moment) - self._bounds.offset

    async def _data(self, row: RowHead) -> bytes:
        data = await self._pool.fetchval(_sql.data, *self._key, row.timestamp, row.recording_id)
        if data is None:
            raise RowGoneError
        return data


def _cut(frames: list[tuple[RowHead, bytes]], low: int | None, high: int | None) -> list[bytes]:
    events = merge(frames)
    if low is None and high is None:
        return events
    return [
        event
        for event in events
        if (low is None or client_time(event) >= low) and (high is None or client_time(event) < high)
    ]


def _look_back(frames: list[tuple[RowHead, bytes]], wanted: int, snapshot: int | None) -> tuple[int | None, int | None]:
    """The time of the last full snapshot up to `wanted`, if these rows or those after them (`snapshot`) have one, and
    where to begin for it, once that is known.
    """
    for event in reversed(merge(frames)):
        time = client_time(event)
        if snapshot is None:
            if time <= wanted and is_type(event, FULL_SNAPSHOT):
                snapshot = time
        elif time < snapshot - _META_TIME or is_type(event, FULL_SNAPSHOT):
            return snapshot, snapshot
        elif is_type(event, META):
            return snapshot, time
    return snapshot, None


async def json_text(parts: AsyncIterator[Part]) -> AsyncIterator[bytes]:
    """A replay as one JSON array."""
    separator = b"["
    async for part in parts:
        yield separator + await asyncio.to_thread(part.text)
        separator = b","
    yield b"[]" if separator == b"[" else b"]"


_OPEN, _COMMA, _CLOSE, _EMPTY = (encode_frame(text) for text in (b"[", b",", b"]", b"[]"))


async def zstd_frames(parts: AsyncIterator[Part]) -> AsyncIterator[bytes]:
    """The same as zstd frames one after the other, those that are stored as they are."""
    separator = _OPEN
    async for part in parts:
        yield separator + (part.frame if part.frame is not None else await asyncio.to_thread(part.packed))
        separator = _COMMA
    yield _EMPTY if separator is _OPEN else _CLOSE
