"""What a group of batches changes in its sessions, and the column lists of the statement `upsert_sessions`.

A new column that clients fill in is a migration and a field of `SessionFields`: its first value stays. A new column
that the server computes is a migration, a field of `SessionChange` and a line of the statement.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict, astuple

from tracker_backend.ingest.batch import Counts, Placed, SessionFields
from tracker_backend.times import to_datetime

SessionKey = tuple[int, UUID]

_object = msgspec.json.Decoder(dict[str, Raw])


class SessionChange(Struct):
    """What a group changes in one session: each field is a column of `tracker.sessions`, or several of them."""

    project_id: int
    session_id: UUID
    started_at: datetime
    last_activity_at: datetime
    first_at: datetime | None
    last_at: datetime | None
    clock_offset_ms: int | None
    native: Counts
    """Columns such as `native_click_count`."""
    rrweb: Counts
    """Columns such as `rrweb_click_count`."""
    screenshot_count: int
    recorded_event_count: int
    last_page_url: str | None
    ended_at: datetime | None
    client_stats: bytes | None
    fields: SessionFields
    has_typed: bool
    masked_fields: list[str] | None = None
    """New secret fields of the session."""

    def row(self) -> dict[str, object]:
        """The values by column, without those that change nothing: None, and a counter's 0."""
        row: dict[str, Any] = {name: getattr(self, name) for name in _OWN} | asdict(self.fields)
        row |= {name: count or None for name, count in zip(_COUNTERS, self._counts(), strict=True)}
        for name in _JSON:
            row[name] = row[name] and Raw(row[name])
        return {name: value for name, value in row.items() if value is not None}

    def _counts(self) -> tuple[int, ...]:
        """In the order of `_COUNTERS`."""
        return (*astuple(self.native), *astuple(self.rrweb))


_COUNTERS = [
    f"{source}_{name.removesuffix('s')}_count" for source in ("native", "rrweb") for name in Counts.__struct_fields__
]
_NAMED = SessionFields.__struct_fields__
_OWN = [name for name in SessionChange.__struct_fields__ if name not in ("native", "rrweb", "fields")]
_JSON = ("client_stats", "metadata")
# The statement has an expression of its own for these columns.
_INSERTED_OTHERWISE = {"ended_at", "metadata"}
_UPDATED_OTHERWISE = {"user_agent", "bot_reason", "metadata", "ttl_hours"}
_INSERTED = [name for name in (*_OWN, *_NAMED) if name not in _INSERTED_OTHERWISE]

COLUMN_LISTS = {
    "session_columns": ", ".join((*_INSERTED, *_COUNTERS)),
    "session_values": ", ".join((*_INSERTED, *(f"coalesce({name}, 0)" for name in _COUNTERS))),
    "session_sums": ", ".join(f"{name} = s.{name} + excluded.{name}" for name in _COUNTERS),
    "session_fills": ", ".join(
        f"{name} = coalesce(s.{name}, excluded.{name})" for name in _NAMED if name not in _UPDATED_OTHERWISE
    ),
}
"""For `upsert_sessions`: the columns of an insert and their values; of an update those that are added up, and those
that keep their first value.
"""


def changes(group: Iterable[Placed], secret: Mapping[SessionKey, frozenset[str]]) -> list[SessionChange]:
    """The changes of a group's sessions in key order, one a session; `secret` are new secret fields of some."""
    merged: dict[SessionKey, SessionChange] = {}
    for placed in group:
        change = _change(placed)
        merged[placed.key] = _merge(merged[placed.key], change) if placed.key in merged else change
    for key, fields in secret.items():
        merged[key].masked_fields = sorted(fields)
    return [merged[key] for key in sorted(merged)]


def encode(rows: Iterable[SessionChange]) -> str:
    """The parameter of `upsert_sessions`: a JSON array with an object a session."""
    return msgspec.json.encode([change.row() for change in rows]).decode()


def _change(placed: Placed) -> SessionChange:
    batch, recording = placed.batch, placed.batch.recording
    first = placed.first_at if placed.first_at is not None else batch.received_at
    return SessionChange(
        project_id=batch.project_id,
        session_id=batch.session_id,
        started_at=to_datetime(first),
        last_activity_at=to_datetime(batch.received_at),
        first_at=None if placed.first_at is None else to_datetime(placed.first_at),
        last_at=None if placed.last_at is None else to_datetime(placed.last_at),
        clock_offset_ms=None if batch.offset is None else batch.offset // 1000,
        native=batch.counts,
        rrweb=placed.found_counts,
        screenshot_count=0 if batch.image is None else 1,
        recorded_event_count=0 if recording is None else recording.count,
        last_page_url=None if recording is None else recording.last_page,
        ended_at=None if placed.ended_at is None else to_datetime(placed.ended_at),
        client_stats=batch.client_stats,
        fields=batch.session,
        has_typed=placed.has_typed,
    )


def _merge(one: SessionChange, two: SessionChange) -> SessionChange:
    return SessionChange(
        project_id=one.project_id,
        session_id=one.session_id,
        started_at=min(one.started_at, two.started_at),
        last_activity_at=max(one.last_activity_at, two.last_activity_at),
        first_at=min((time for time in (one.first_at, two.first_at) if time is not None), default=None),
        last_at=_latest(one.last_at, two.last_at),
        clock_offset_ms=one.clock_offset_ms if one.clock_offset_ms is not None else two.clock_offset_ms,
        native=_add(one.native, two.native),
        rrweb=_add(one.rrweb, two.rrweb),
        screenshot_count=one.screenshot_count + two.screenshot_count,
        recorded_event_count=one.recorded_event_count + two.recorded_event_count,
        last_page_url=two.last_page_url or one.last_page_url,
        ended_at=_latest(one.ended_at, two.ended_at),
        client_stats=two.client_stats or one.client_stats,
        fields=_fill(one.fields, two.fields),
        has_typed=one.has_typed or two.has_typed,
    )


def _latest(one: datetime | None, two: datetime | None) -> datetime | None:
    return max((time for time in (one, two) if time is not None), default=None)


def _add(one: Counts, two: Counts) -> Counts:
    return Counts(*(a + b for a, b in zip(astuple(one), astuple(two), strict=True)))


def _fill(one: SessionFields, two: SessionFields) -> SessionFields:
    if one == two:
        return one
    pairs = zip(astuple(one), astuple(two), strict=True)
    filled = SessionFields(*(a if a is not None else b for a, b in pairs))
    if one.user_agent:  # the label goes with the agent that is kept
        filled.bot_reason = one.bot_reason
    else:
        filled.user_agent, filled.bot_reason = two.user_agent, two.bot_reason
    if one.metadata and two.metadata:
        filled.metadata = msgspec.json.encode({**_object.decode(two.metadata), **_object.decode(one.metadata)})
    return filled
