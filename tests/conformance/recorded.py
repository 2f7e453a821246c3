"""What a browser records: rrweb events in batches, and how tests look at the rows that hold them."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from tests.conformance.visits import HOUR, microseconds, now
from tracker_backend.accounts.project_settings import Masking, ProjectSettings
from tracker_backend.ingest.batch import Batch, SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.recordings import compaction, replay
from tracker_backend.recordings.frames import decode_frame
from tracker_backend.recordings.reading import read_recording
from tracker_backend.storage.database import Database
from tracker_backend.zstd import decompress

MIB = 1024 * 1024
Json = dict[str, Any]


def event(moment: datetime, kind: int = 3, **data: Any) -> Json:
    """An rrweb event."""
    return {"type": kind, "data": data, "timestamp": round(moment.timestamp() * 1000)}


def page(moment: datetime, size: int = 0) -> list[Json]:
    """The Meta event and the full snapshot that a recording begins with."""
    href = "https://shop.example/"
    noise = random.Random(size).randbytes(size // 2).hex()
    return [event(moment, 4, href=href, width=800, height=600), event(moment, 2, node=noise)]


def moves(start: datetime, count: int, size: int = 0) -> list[Json]:
    """A mouse move every 10 ms, each of about so many bytes."""
    return [
        event(
            start + number * timedelta(milliseconds=10), source=1, positions=number, text=f"{number:03}" * (size // 3)
        )
        for number in range(count)
    ]


def recorded(session: UUID, events: Sequence[Json], received: datetime, *, initial: bool | None = None) -> Batch:
    """A batch as a route makes it, named so that none is a repeat."""
    recording = read_recording(msgspec.json.encode(events), 20 * MIB, Masking(), is_initial=initial)
    size, received_at = len(recording.data), microseconds(received)
    batch = Batch(1, session, received_at, size, SessionFields(), ProjectSettings(), name=str(uuid4()))
    batch.recording = recording
    return batch


async def record(
    pipeline: Pipeline, *batches: Sequence[Json], session: UUID | None = None, received: datetime | None = None
) -> UUID:
    """Stores batches one after another; the session has been silent for two hours then, unless told."""
    session = session or uuid4()
    for events in batches:
        await pipeline.submit(recorded(session, events, received or now() - 2 * HOUR))
    return session


async def text_of(database: Database, session: UUID, **span: datetime) -> bytes:
    """The replay's JSON text."""
    parts = replay.replay(database.pool, 1, session, **span)
    return b"".join([text async for text in replay.json_text(parts)])


async def rows_of(database: Database, session: UUID) -> list[asyncpg.Record]:
    """The recording's rows in the order of replay."""
    return await database.pool.fetch(
        "select * from tracker.recordings where session_id = $1 order by client_first, arrival, recording_id", session
    )


async def pack(database: Database) -> int:
    """The task."""
    return await compaction.pack_recordings(database.maintained)


class Index(msgspec.Struct):
    """`batches` of a packed row."""

    batches: list[Json]
    runs: list[tuple[int, int]]


def index_of(row: asyncpg.Record) -> Index:
    """What a row says its events came from."""
    if not is_packed(row):
        return Index(msgspec.json.decode(row["batches"], type=list[Json]), [(0, row["event_count"])])
    return msgspec.json.decode(row["batches"], type=Index)


def is_packed(row: asyncpg.Record) -> bool:
    """Whether compaction made it."""
    return bytes(row["batches"]).startswith(b"{")


def members(rows: Sequence[asyncpg.Record]) -> dict[int, Json]:
    """The batches that rows came from, by id."""
    found: dict[int, Json] = {}
    for batch in (batch for row in rows for batch in index_of(row).batches):
        assert found.setdefault(batch["id"], batch) == batch
    return found


def events_by_batch(rows: Sequence[asyncpg.Record]) -> dict[int, list[bytes]]:
    """The events of each batch, put together again from all rows in their order."""
    found: dict[int, list[bytes]] = {}
    for row in rows:
        index, events = index_of(row), decode_frame(row["data"])
        assert sum(count for _, count in index.runs) == len(events)
        for number, count in index.runs:
            found.setdefault(index.batches[number]["id"], []).extend(events[:count])
            del events[:count]
    return found


def check_rows(rows: Sequence[asyncpg.Record]) -> None:
    """Each row's columns tell what is in it."""
    for row in rows:
        text = decompress(row["data"])
        events = decode_frame(row["data"])
        decoded = [msgspec.json.decode(event) for event in events]
        assert row["inflated_size"] == len(text)
        assert row["event_count"] == len(events)
        assert row["client_first"] == decoded[0]["timestamp"] * 1000
        assert row["client_last"] == decoded[-1]["timestamp"] * 1000
        assert row["has_full_snapshot"] == any(event["type"] == 2 for event in decoded)
        assert row["timestamp"] <= row["last_at"]
