"""Masks stored values of fields that turned out to be secret."""

import asyncio
from collections.abc import Container, Iterable, Mapping
from datetime import datetime

from msgspec import Raw

from tracker_backend.event import Event
from tracker_backend.ingest.batch import Batch
from tracker_backend.ingest.session_changes import SessionKey
from tracker_backend.masking.events import hide_stored
from tracker_backend.masking.input_events import TYPING
from tracker_backend.masking.rules import Rules, rules_of
from tracker_backend.masking.secret_fields import EVERY_FIELD, among, bounded
from tracker_backend.recordings.frames import hide_in_frame
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import allow_bulk_changes

_NOTHING: frozenset[str] = frozenset()
_TYPING = sorted(TYPING)
_sql = load(__file__, "stored_values")


def new_fields(
    batches: Iterable[Batch], stored: Mapping[SessionKey, frozenset[str]]
) -> dict[SessionKey, frozenset[str]]:
    """The secret fields of these batches that are not `stored` with their sessions; every field, where a session has
    too many.
    """
    new: dict[SessionKey, frozenset[str]] = {}
    for batch in batches:
        if batch.secret_fields:
            key = (batch.project_id, batch.session_id)
            known = stored.get(key, _NOTHING)
            if EVERY_FIELD not in known and (fields := batch.secret_fields - known):
                new[key] = new.get(key, _NOTHING) | fields
    for key, fields in new.items():
        if EVERY_FIELD in (all_fields := bounded(stored.get(key, _NOTHING) | fields)):
            new[key] = all_fields
    return new


async def mask_stored(
    connection: Connection,
    batches: Iterable[Batch],
    new: Mapping[SessionKey, frozenset[str]],
    created: Container[SessionKey],
    typed: Container[SessionKey],
) -> None:
    """Masks what earlier batches stored of `new` secret fields: the beginnings of values, before they looked secret.

    Sessions that were `created` just now have none, and only those in `typed` have stored values of events.

    The sessions' rows are locked by this transaction, so whatever another one wrote of them is seen here.
    """
    late: dict[SessionKey, frozenset[str]] = {}
    rules: dict[SessionKey, Rules] = {}
    for batch in batches:
        key = (batch.project_id, batch.session_id)
        if key in new:
            rules[key] = rules_of(batch.project.masking)
            if batch.recording is not None and batch.recording.late_secret_inputs:
                late[key] = late.get(key, _NOTHING) | batch.recording.late_secret_inputs
    for key, fields in new.items():
        if key in created:
            continue
        if key in typed and any(not field.startswith("rrweb ") for field in fields):
            await _hide_typed(connection, key, rules[key], fields)
        if hidden := among(late.get(key, _NOTHING), fields):
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
            masked = None if data is None else bytes(event.event_data)
            rows.append((row["event_id"], row["timestamp"], event.input_value, event.target_element, masked))
    if rows:
        times = [row[1] for row in rows]
        await allow_bulk_changes(connection)
        await connection.execute(_sql.hide_typed, *key, min(times), max(times), *zip(*rows, strict=True))


async def _hide_frames(connection: Connection, key: SessionKey, fields: frozenset[str]) -> None:
    for row in await connection.fetch(_sql.frames, *key):
        frame, size = await asyncio.to_thread(hide_in_frame, row["data"], fields)
        if frame != row["data"]:
            await connection.execute(_sql.hide_frame, *key, row["timestamp"], row["recording_id"], frame, size)
