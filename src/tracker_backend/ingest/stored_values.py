"""Fields that look secret: kept with their session, and masked in what was stored of them before."""

import asyncio
from collections.abc import Container, Iterable, Mapping
from datetime import datetime

from msgspec import Raw

from tracker_backend.ingest.batch import EVERY_FIELD, MOST_FIELDS, Batch
from tracker_backend.ingest.session_changes import SessionKey
from tracker_backend.ingest.wire import Event
from tracker_backend.masking.events import hide_stored
from tracker_backend.masking.input_events import TYPING
from tracker_backend.masking.rrweb import remasked
from tracker_backend.masking.rules import Rules, rules_of
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import allow_bulk_changes

_NOTHING: frozenset[str] = frozenset()
_EVERY = frozenset({EVERY_FIELD})
_TYPING = sorted(TYPING)
_sql = load(__file__, "stored_values")


def new_fields(
    batches: Iterable[Batch], stored: Mapping[SessionKey, frozenset[str]]
) -> dict[SessionKey, frozenset[str]]:
    """The secret fields of these batches that are not `stored` with their sessions; of a session that has too many of
    them with these: every field.
    """
    new: dict[SessionKey, frozenset[str]] = {}
    for batch in batches:
        if batch.masked:
            key = (batch.project_id, batch.session_id)
            known = stored.get(key, _NOTHING)
            if EVERY_FIELD not in known and (fields := batch.masked - known):
                new[key] = new.get(key, _NOTHING) | fields
    for key, fields in new.items():
        if EVERY_FIELD in all_secret(stored.get(key, _NOTHING), fields):
            new[key] = _EVERY
    return new


def all_secret(one: frozenset[str], two: frozenset[str]) -> frozenset[str]:
    """Both; every field, if they are too many."""
    both = one | two
    return both if len(both) <= MOST_FIELDS and EVERY_FIELD not in both else _EVERY


async def mask_stored(
    connection: Connection,
    batches: Iterable[Batch],
    new: Mapping[SessionKey, frozenset[str]],
    created: Container[SessionKey],
    typed: Container[SessionKey],
) -> None:
    """Masks what earlier batches told of `new` secret fields: their beginnings, before they looked secret. Of sessions
    that were not `created` just now, and values of events only of those in `typed`, which have stored some.

    The sessions' rows are locked by this transaction, so whatever another one wrote of them is seen here.
    """
    late: dict[SessionKey, frozenset[str]] = {}
    rules: dict[SessionKey, Rules] = {}
    for batch in batches:
        key = (batch.project_id, batch.session_id)
        if key in new:
            rules[key] = rules_of(batch.masking)
            if batch.recording is not None and batch.recording.late:
                late[key] = late.get(key, _NOTHING) | batch.recording.late
    for key, fields in new.items():
        if key in created:
            continue
        if key in typed and any(not field.startswith("rrweb ") for field in fields):
            await _hide_typed(connection, key, rules[key], fields)
        told = late.get(key, _NOTHING)
        if hidden := told if EVERY_FIELD in fields else told & fields:
            await _hide_frames(connection, key, hidden)


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
        await allow_bulk_changes(connection)
        await connection.execute(_sql.hide_typed, *key, min(times), max(times), *zip(*rows, strict=True))


async def _hide_frames(connection: Connection, key: SessionKey, fields: frozenset[str]) -> None:
    for row in await connection.fetch(_sql.frames, *key):
        frame, size = await asyncio.to_thread(remasked, row["data"], fields)
        if frame != row["data"]:
            await connection.execute(_sql.hide_frame, *key, row["timestamp"], row["recording_id"], frame, size)
