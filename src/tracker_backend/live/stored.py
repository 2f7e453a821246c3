"""What live reads: a batch by reference, what is stored of a session, and which sessions got something."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Raw, Struct

from tracker_backend.queries import sessions
from tracker_backend.queries.events import Event
from tracker_backend.recordings.frames import decode_frame
from tracker_backend.recordings.replay import RowGoneError, RowHead, runs
from tracker_backend.recordings.rrweb_events import client_time
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import columns_of, load

PAGE = 2000
_encode = msgspec.json.Encoder().encode

T = TypeVar("T")


class Patiently(Protocol):
    """Makes a read, again while the database is away."""

    async def __call__(self, read: Callable[[], Awaitable[T]], /) -> T:
        """What the read gives."""
        ...


class Stored(Struct, frozen=True):
    """A stored event, and its JSON text as lists of events give it."""

    event: Event
    text: bytes


class Recorded(RowHead, frozen=True):
    """A row of a recording with what it came from."""

    batches: Raw

    def owners(self) -> list[tuple[int, int]]:
        """The batches of its events in order, each with the number of events that follow one another."""
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
_sql = load(__file__, "stored", event=columns_of(Event), recorded=columns_of(Recorded))


class Session:
    """One session's rows. Made after its bounds were read, so that rows of later batches may lie outside: those are
    told by reference.
    """

    def __init__(
        self, pool: Pool, patiently: Patiently, project_id: int, session_id: UUID, bounds: sessions.Bounds
    ) -> None:
        self._pool = pool
        self._patiently = patiently
        self._key = (project_id, session_id)
        self._span = (project_id, session_id, bounds.first, bounds.last)
        self.offset = bounds.offset
        """Microseconds to add to the client's times."""

    @classmethod
    async def find(cls, pool: Pool, patiently: Patiently, project_id: int, session_id: UUID) -> "Session":
        """Raises NotFound."""
        bounds = await patiently(lambda: sessions.get_bounds(pool, project_id, session_id))
        return cls(pool, patiently, project_id, session_id, bounds)

    async def ids_after(self, identifier: int) -> list[int]:
        """Ids of events and of recorded batches above one."""
        events = await self._patiently(lambda: self._pool.fetch(_sql.late_events, *self._span, identifier))
        rows = await self.recorded_after(identifier)
        return [row[0] for row in events] + [owner for row in rows for owner, _ in row.owners()]

    async def events_after(self, identifier: int, last: int) -> list[Stored]:
        """A page of events in the order of their ids, up to `last`."""
        values = (*self._span, identifier, last, PAGE)
        return _stored(await self._patiently(lambda: self._pool.fetch(_sql.events_after, *values)))

    async def recorded_after(self, identifier: int) -> list[Recorded]:
        """Rows of the recording in the order of replay."""
        rows = await self._patiently(lambda: self._pool.fetch(_sql.rows, *self._span, identifier))
        return [Recorded(*row) for row in rows]

    async def rrweb_events(
        self, after: int, is_wanted: Callable[[int], bool], skip: int = 0
    ) -> AsyncIterator[list[bytes]]:
        """The rrweb events of the wanted batches in the order of replay but the first `skip`, row by row.

        Compaction changes rows meanwhile, but not the order: what was given is skipped in the new ones.
        """
        done = False
        while not done:
            try:
                left = skip
                for run in runs(await self.recorded_after(after)):
                    owners = [row.owners() for row in run]
                    count = sum(number for each in owners for owner, number in each if is_wanted(owner))
                    if count <= left:
                        left -= count
                        continue
                    frames = [await self._data(row) for row in run]
                    texts = (await asyncio.to_thread(_chosen, run, owners, frames, is_wanted))[left:]
                    left = 0
                    skip += len(texts)
                    yield texts
                done = True
            except RowGoneError:
                continue

    async def _data(self, row: Recorded) -> bytes:
        values = (*self._key, row.timestamp, row.recording_id)
        data = await self._patiently(lambda: self._pool.fetchval(_sql.batch_recording, *values))
        if data is None:
            raise RowGoneError
        return data


def _chosen(
    rows: Sequence[Recorded],
    owners: Sequence[list[tuple[int, int]]],
    frames: Sequence[bytes],
    is_wanted: Callable[[int], bool],
) -> list[bytes]:
    """The events of the wanted batches of rows that overlap, in the order of replay."""
    texts: list[bytes] = []
    for _, its_owners, frame in sorted(zip(rows, owners, frames, strict=True), key=lambda it: it[0].arrival):
        events = iter(decode_frame(frame))
        for owner, number in its_owners:
            part = [next(events) for _ in range(number)]
            if is_wanted(owner):
                texts += part
    return texts if len(rows) == 1 else sorted(texts, key=client_time)


async def batch_events(
    pool: Pool, key: tuple[int, UUID], times: tuple[datetime, datetime], ids: tuple[int, int]
) -> list[Stored]:
    """The events of a batch."""
    return _stored(await pool.fetch(_sql.batch_events, *key, *times, *ids))


async def batch_recording(pool: Pool, key: tuple[int, UUID], timestamp: datetime, recording_id: int) -> list[bytes]:
    """The rrweb events of a batch; none if it was deleted."""
    data = await pool.fetchval(_sql.batch_recording, *key, timestamp, recording_id)
    return [] if data is None else await asyncio.to_thread(decode_frame, data)


async def counts(pool: Pool, keys: Iterable[tuple[int, UUID]]) -> dict[tuple[int, UUID], int]:
    """A number for each session that grows with every batch."""
    rows = await pool.fetch(_sql.counts, *map(list, zip(*keys, strict=True)))
    return {(row[0], UUID(bytes=row[1].bytes)): row[2] for row in rows}


def _stored(rows: Iterable[asyncpg.Record]) -> list[Stored]:
    return [Stored(event, _encode(event)) for event in (Event(*row) for row in rows)]
