"""Reads for live sessions: the rows of a batch, the stored rows of a session, and which sessions have new rows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from tracker_backend.queries.events import Event
from tracker_backend.recordings.frames import decode_frame
from tracker_backend.recordings.replay import RowGoneError, RowHead, runs
from tracker_backend.recordings.rrweb_events import client_time
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.session_bounds import SessionBounds, get_bounds
from tracker_backend.storage.sql import columns_of, load

PAGE = 200
"""Events that are read at once, and held while a subscriber takes them: 3 MB of those with 15 KB of data."""
_encode = msgspec.json.Encoder().encode

T = TypeVar("T")


class RetryingRead(Protocol):
    """Runs a read, and retries it while the database cannot be reached."""

    async def __call__(self, read: Callable[[], Awaitable[T]], /) -> T:
        """Return the result of the read."""
        ...


class EncodedEvent(Struct, frozen=True):
    """An event, and its JSON as in lists of events."""

    event: Event
    text: bytes


class RecordingRow(RowHead, frozen=True):
    """A row of a recording with the batches that its events came from."""

    batches: Raw

    def batch_ids(self) -> list[tuple[int, int]]:
        """Return the ids of the batches of its events in order, each with the number of consecutive events."""
        found = _index.decode(self.batches)
        if isinstance(found, _Packed):
            return [(found.batches[number].id, count) for number, count in found.runs]
        return [(found[0].id, self.event_count)]


class _Batch(Struct):
    id: int


class _Packed(Struct):
    batches: list[_Batch]
    runs: list[tuple[int, int]]


_index = msgspec.json.Decoder(list[_Batch] | _Packed)
_sql = load(__file__, "session_rows", event=columns_of(Event), recorded=columns_of(RecordingRow))


class SessionRows:
    """The stored rows of a session within its time bounds.

    Rows of later batches may be outside the bounds. They arrive by reference.
    """

    def __init__(
        self, pool: Pool, with_retries: RetryingRead, project_id: int, session_id: UUID, bounds: SessionBounds
    ) -> None:
        self._pool = pool
        self._with_retries = with_retries
        self._key = (project_id, session_id)
        self._bounds = (project_id, session_id, bounds.first, bounds.last)
        self.offset = bounds.offset
        """Microseconds to add to the client's times."""

    @classmethod
    async def find(cls, pool: Pool, with_retries: RetryingRead, project_id: int, session_id: UUID) -> "SessionRows":
        """Read the bounds of a session. Raises NotFound."""
        bounds = await with_retries(lambda: get_bounds(pool, project_id, session_id))
        return cls(pool, with_retries, project_id, session_id, bounds)

    async def ids_after(self, identifier: int) -> list[int]:
        """Return the ids of events and of recorded batches above an id."""
        events = await self._with_retries(lambda: self._pool.fetch(_sql.late_events, *self._bounds, identifier))
        rows = await self.recorded_after(identifier)
        return [row[0] for row in events] + [batch for row in rows for batch, _ in row.batch_ids()]

    async def events_after(self, identifier: int, last: int) -> list[EncodedEvent]:
        """Return at most PAGE events in the order of their ids, above `identifier` and up to `last`."""
        values = (*self._bounds, identifier, last, PAGE)
        return _encoded(await self._with_retries(lambda: self._pool.fetch(_sql.events_after, *values)))

    async def recorded_after(self, identifier: int) -> list[RecordingRow]:
        """Return the rows of the recording above an id, in the order of replay, without their data."""
        rows = await self._with_retries(lambda: self._pool.fetch(_sql.rows, *self._bounds, identifier))
        return [RecordingRow(*row) for row in rows]

    async def rrweb_events(
        self, after: int, is_wanted: Callable[[int], bool], skip: int = 0
    ) -> AsyncIterator[list[bytes]]:
        """Yield the rrweb events of the wanted batches, row by row in the order of replay, without the first `skip`.

        Compaction may replace rows meanwhile. It keeps the order, so the events that were sent are skipped again.
        """
        done = False
        while not done:
            try:
                left = skip
                for run in runs(await self.recorded_after(after)):
                    batches = [row.batch_ids() for row in run]
                    count = sum(number for each in batches for batch, number in each if is_wanted(batch))
                    if count <= left:
                        left -= count
                        continue
                    frames = [await self._data(row) for row in run]
                    texts = (await asyncio.to_thread(_wanted_events, run, batches, frames, is_wanted))[left:]
                    left = 0
                    skip += len(texts)
                    yield texts
                done = True
            except RowGoneError:
                continue

    async def _data(self, row: RecordingRow) -> bytes:
        values = (*self._key, row.timestamp, row.recording_id)
        data = await self._with_retries(lambda: self._pool.fetchval(_sql.batch_recording, *values))
        if data is None:
            raise RowGoneError
        return data


def _wanted_events(
    rows: Sequence[RecordingRow],
    batches: Sequence[list[tuple[int, int]]],
    frames: Sequence[bytes],
    is_wanted: Callable[[int], bool],
) -> list[bytes]:
    """Return the events of the wanted batches of overlapping rows, in the order of replay."""
    texts: list[bytes] = []
    for _, its_batches, frame in sorted(zip(rows, batches, frames, strict=True), key=lambda it: it[0].arrival):
        events = iter(decode_frame(frame))
        for batch, number in its_batches:
            part = [next(events) for _ in range(number)]
            if is_wanted(batch):
                texts += part
    return texts if len(rows) == 1 else sorted(texts, key=client_time)


async def batch_events(
    pool: Pool, key: tuple[int, UUID], times: tuple[datetime, datetime], ids: tuple[int, int]
) -> list[EncodedEvent]:
    """Return the events of a batch."""
    return _encoded(await pool.fetch(_sql.batch_events, *key, *times, *ids))


async def batch_recording(pool: Pool, key: tuple[int, UUID], timestamp: datetime, recording_id: int) -> list[bytes]:
    """Return the rrweb events of a batch; none if it was deleted."""
    data = await pool.fetchval(_sql.batch_recording, *key, timestamp, recording_id)
    return [] if data is None else await asyncio.to_thread(decode_frame, data)


async def count_events(pool: Pool, keys: Iterable[tuple[int, UUID]]) -> dict[tuple[int, UUID], int]:
    """Return the number of events of each session, which grows with every batch."""
    rows = await pool.fetch(_sql.counts, *map(list, zip(*keys, strict=True)))
    return {(row[0], UUID(bytes=row[1].bytes)): row[2] for row in rows}


def _encoded(rows: Iterable[asyncpg.Record]) -> list[EncodedEvent]:
    return [EncodedEvent(event, _encode(event)) for event in (Event(*row) for row in rows)]
