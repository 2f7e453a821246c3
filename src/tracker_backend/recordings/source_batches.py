"""The recording of a session as the batches in which it came, also after they were merged.

Rows are read once, in the order of replay. A batch is given when its last row was read, and those that began before it
are given: so memory holds what began and has not ended, or the longest run of rows that overlap.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tracker_backend.errors import Unavailable
from tracker_backend.recordings.frames import decode_frame
from tracker_backend.recordings.replay import RowGoneError, RowHead, runs
from tracker_backend.recordings.rrweb_events import client_time
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.session_bounds import get_bounds
from tracker_backend.storage.sql import columns_of, load

_ATTEMPTS = 5


class Member(Struct, frozen=True):
    """What a row says of a batch that it came from."""

    id: int
    at: int
    """Epoch milliseconds of its receipt."""
    initial: bool = False


class Snapshot(Struct):
    """A batch with its rrweb events."""

    member: Member
    events: list[bytes]


class _RowWithBatches(RowHead, frozen=True):
    batches: Raw


_sql = load(
    __file__, "source_batches", row=columns_of(_RowWithBatches, batches="coalesce(batches -> 'batches', batches)")
)
_Content = tuple[bytes, Raw]
"""A row's frame, and the runs of its events."""

_members = msgspec.json.Decoder(list[Member])
_runs = msgspec.json.Decoder(list[tuple[int, int]])


async def snapshots(pool: Pool, project_id: int, session_id: UUID) -> AsyncIterator[Snapshot]:
    """The batches of a session in order of their first events, those of one time in order of arrival; NotFound for an
    unknown session.
    """
    key = (project_id, session_id)
    given: set[int] = set()
    for _ in range(_ATTEMPTS):
        try:
            async for snapshot in _read(pool, key, is_again=bool(given)):
                if snapshot.member.id not in given:
                    given.add(snapshot.member.id)
                    yield snapshot
        except RowGoneError:
            continue  # compaction changes rows but no batch: go on with those that were not given
        return
    raise Unavailable("the recording changes faster than it can be read: try again.")


async def _read(pool: Pool, key: tuple[int, UUID], *, is_again: bool) -> AsyncIterator[Snapshot]:
    bounds = await get_bounds(pool, *key)
    rows = [_RowWithBatches(*row) for row in await pool.fetch(_sql.rows, *key, bounds.first, bounds.last)]
    if is_again and not rows:
        raise Unavailable("the session was deleted while it was read.")
    last_row = {member.id: row.recording_id for row in rows for member in _members.decode(row.batches)}
    begun: dict[int, Snapshot] = {}  # in order of their first events
    read: set[int] = set()
    for run in runs(rows):
        content = [(row, await _content(pool, key, row)) for row in run]
        begun |= await asyncio.to_thread(_add, begun, content)
        del content
        read.update(row.recording_id for row in run)
        while begun and last_row[first := next(iter(begun))] in read:
            yield begun.pop(first)


def _add(begun: dict[int, Snapshot], rows: Iterable[tuple[_RowWithBatches, _Content]]) -> dict[int, Snapshot]:
    """Adds the events of rows to their batches; returns the batches that begin here, in order."""
    new: dict[int, Snapshot] = {}
    for row, (frame, row_runs) in rows:
        members = _members.decode(row.batches)
        events = decode_frame(frame)
        start = 0
        for index, count in _runs.decode(row_runs) or [(0, len(events))]:
            member = members[index]
            snapshot = begun.get(member.id) or new.setdefault(member.id, Snapshot(member, []))
            snapshot.events += events[start : start + count]
            start += count
    # Ids are in the order of receipt.
    ordered = sorted(new.values(), key=lambda it: (client_time(it.events[0]), it.member.id))
    return {snapshot.member.id: snapshot for snapshot in ordered}


async def _content(pool: Pool, key: tuple[int, UUID], row: RowHead) -> _Content:
    found = await pool.fetchrow(_sql.content, *key, row.timestamp, row.recording_id)
    if found is None:
        raise RowGoneError
    return found["data"], found["runs"]
