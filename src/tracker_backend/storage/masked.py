"""Fields that look secret: kept with their session, and masked in what was stored of them before."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Raw

from tracker_backend.ingest.batch import Batch
from tracker_backend.ingest.mask import hide_stored
from tracker_backend.ingest.rrweb import remasked
from tracker_backend.ingest.rules import Rules, rules_of
from tracker_backend.ingest.typed import TYPING
from tracker_backend.ingest.wire import Event
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load

_NOTHING: frozenset[str] = frozenset()
_TYPING = sorted(TYPING)
_sql = load(__file__, "masked")

SessionKey = tuple[int, UUID]


async def write_masked(
    connection: Connection,
    batches: Iterable[Batch],
    stored: dict[SessionKey, frozenset[str]],
    created: set[SessionKey],
    typed: set[SessionKey],
) -> None:
    """Adds the fields of these batches to those `stored`. What earlier batches told of new ones is masked too: their
    beginnings, before they looked secret: of sessions that were not `created` just now, and values of events only of
    those in `typed`, which have stored some that may turn out so.

    The sessions' rows are locked by this transaction, so whatever another one wrote of them is seen here.
    """
    new: dict[SessionKey, frozenset[str]] = {}
    late: dict[SessionKey, frozenset[str]] = {}
    rules: dict[SessionKey, Rules] = {}
    for batch in batches:
        key = (batch.project_id, batch.session_id)
        fields = batch.masked - stored.get(key, _NOTHING)
        if fields:
            new[key] = new.get(key, _NOTHING) | fields
            rules[key] = rules_of(batch.masking)
        if batch.recording is not None and batch.recording.late & fields:
            late[key] = late.get(key, _NOTHING) | batch.recording.late & fields
    if not new:
        return
    lines = [(*key, field) for key in sorted(new) for field in sorted(new[key])]
    await connection.execute(_sql.mask_fields, *zip(*lines, strict=True))
    for key, fields in new.items():
        if key in created:
            continue
        if key in typed and any(not field.startswith("rrweb ") for field in fields):
            await _hide_typed(connection, key, rules[key], fields)
        if key in late:
            await _hide_frames(connection, key, late[key])


async def _hide_typed(connection: Connection, key: SessionKey, rules: Rules, fields: frozenset[str]) -> None:
    rows: list[tuple[int, datetime, str | None, str | None, bytes | None]] = []
    for row in await connection.fetch(_sql.typed, *key, _TYPING):
        data = row["event_data"]
        event = Event(
            0,
            row["event_type"],
            target_element=row["target_element"],
            target_id=row["target_id"],
            target_class=row["target_class"],
            target_selector=row["target_selector"],
            input_value=row["input_value"],
            event_data=Raw() if data is None else Raw(data),
        )
        if hide_stored(rules, event, fields):
            told = None if data is None else bytes(event.event_data)
            rows.append((row["event_id"], row["timestamp"], event.input_value, event.target_element, told))
    if rows:
        times = [row[1] for row in rows]
        await connection.execute(_sql.lift_limit)
        await connection.execute(_sql.hide_typed, *key, min(times), max(times), *zip(*rows, strict=True))


async def _hide_frames(connection: Connection, key: SessionKey, fields: frozenset[str]) -> None:
    for row in await connection.fetch(_sql.frames, *key):
        frame, size = await asyncio.to_thread(remasked, row["data"], fields)
        if frame != row["data"]:
            await connection.execute(_sql.hide_frame, *key, row["timestamp"], row["recording_id"], frame, size)
