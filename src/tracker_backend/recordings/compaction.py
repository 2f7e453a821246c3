"""Packs the recordings of silent sessions: many small rows become few, each a frame of up to 1 MiB at a higher level.

A row as it was received has a list in `batches`, a packed one an object. That alone says what is left to do: the
partial index `recordings_loose` holds exactly the rows with a list, so a search costs as much as there is to do, a row
that was packed never comes up again, and a run that is cut off leaves what it has not done. A row without neighbours is
packed alone.

One transaction packs one stretch of a session: rows of one day, next to each other in the order of replay. It holds
the session's row, as a delete does. A batch that comes meanwhile has been seen, or finds that row locked and is seen by
the next run; a reader finds a row gone and reads on behind what it gave.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from tracker_backend.errors import Invalid
from tracker_backend.recordings.packing import FRAME, Frame, PackableRow, Packer
from tracker_backend.recordings.replay import RowGoneError, runs
from tracker_backend.recordings.row import RECORDING_COLUMNS
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import columns_of, load
from tracker_backend.storage.store import Store
from tracker_backend.zstd import ZstdError

IDLE = timedelta(hours=1)
_STRETCH = 16 * FRAME  # inflated: half a second of work while the session is locked
_PAGE = 100
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, RowGoneError)
_BROKEN = (Invalid, ZstdError, msgspec.MsgspecError, ValueError)
_sql = load(__file__, "compaction", row=columns_of(PackableRow, is_loose="jsonb_typeof(batches) = 'array'"))
_log = logging.getLogger(__name__)


async def pack_recordings(store: Store) -> int:
    """Packs what silent sessions recorded; returns how many rows were packed."""
    return await pack_before(store, datetime.now(UTC) - IDLE)


async def pack_before(store: Store, moment: datetime) -> int:
    """The same for sessions without activity since `moment`."""
    packed = 0
    key = (0, UUID(int=0))
    while found := await store.pool.fetch(_sql.find_sessions, moment, *key, _PAGE):
        for row in found:
            key = (row[0], row[1])
            try:
                while count := await _pack_stretch(store, key, moment):
                    packed += count
            except _BUSY as error:
                _log.debug("session %s of project %d is packed the next time: %r", key[1], key[0], error)
            except _BROKEN as error:  # the others go on
                _log.warning("a recording of session %s of project %d cannot be read: %s", key[1], key[0], error)
    return packed


async def _pack_stretch(store: Store, key: tuple[int, UUID], moment: datetime) -> int:
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute(_sql.limit_wait)
        bounds = await connection.fetchrow(_sql.lock_session, *key, moment)
        if bounds is None:
            return 0
        rows = next_stretch([PackableRow(*row) for row in await connection.fetch(_sql.rows, *key, *bounds)])
        if not rows:
            return 0
        packer = Packer(rows)
        for run in runs(rows):
            content = [(row, *await _content(connection, key, row)) for row in run]
            await _insert(store, connection, key, await asyncio.to_thread(packer.add, content))
        await _insert(store, connection, key, await asyncio.to_thread(packer.finish))
        times = [row.timestamp for row in rows]
        ids = [row.recording_id for row in rows]
        tag = await connection.execute(_sql.delete_rows, *key, min(times), max(times), ids)
        if tag != f"DELETE {len(rows)}":
            raise RowGoneError  # retention took the partition meanwhile
    return len(rows)


def next_stretch(rows: Sequence[PackableRow]) -> list[PackableRow]:
    """Rows to be packed into one another next, of all in the order of replay; none where nothing is loose.

    They are of one day: retention drops days. And no other row shares a moment with one of them, so the order of events
    stays as it was whatever `arrival` the new rows have. Rows that meet those of another day are packed one by one.
    Neighbours that are packed and still small come along.
    """
    stretch: list[PackableRow] = []
    size = 0
    for group in _groups(rows):
        is_loose = any(row.is_loose for row in group)
        is_apart = len({row.day for row in group}) > 1
        is_full = not is_loose and sum(row.inflated_size for row in group) >= FRAME // 2
        if is_apart or is_full or (stretch and (stretch[0].day != group[0].day or size >= _STRETCH)):
            if any(row.is_loose for row in stretch):
                return stretch
            stretch, size = [], 0
        if is_apart and is_loose:
            return [next(row for row in group if row.is_loose)]
        if not is_apart and not is_full:
            stretch += group
            size += sum(row.inflated_size for row in group)
    return stretch if any(row.is_loose for row in stretch) else []


def _groups(rows: Iterable[PackableRow]) -> Iterable[list[PackableRow]]:
    """Rows that share at least a moment with one another. Longer than the runs of a replay, which may touch."""
    group: list[PackableRow] = []
    end = 0
    for row in rows:
        if group and row.client_first > end:
            yield group
            group = []
        end = max(end, row.client_last) if group else row.client_last
        group.append(row)
    if group:
        yield group


async def _content(connection: Connection, key: tuple[int, UUID], row: PackableRow) -> tuple[bytes, bytes]:
    found = await connection.fetchrow(_sql.content, *key, row.timestamp, row.recording_id)
    if found is None:
        raise RowGoneError
    return found["data"], bytes(found["batches"])


async def _insert(store: Store, connection: Connection, key: tuple[int, UUID], frames: Sequence[Frame]) -> None:
    records = [(number, *key, *frame) for number, frame in zip(store.node.next_ids(len(frames)), frames, strict=True)]
    if records:
        await connection.copy_records_to_table(
            "recordings", schema_name="tracker", records=records, columns=RECORDING_COLUMNS
        )
