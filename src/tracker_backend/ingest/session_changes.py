"""What a group of batches changes in its sessions: one row for each, in the order of `upsert_sessions`' arrays."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tracker_backend.ingest.batch import Counts, Placed, SessionFields
from tracker_backend.times import to_datetime

SessionKey = tuple[int, UUID]

_object = msgspec.json.Decoder(dict[str, Raw])


class SessionChange(Struct):
    """The fields are in the order of the parameters of `upsert_sessions`, after the node."""

    project_id: int
    session_id: UUID
    started_at: datetime
    last_activity_at: datetime
    first_at: datetime | None
    last_at: datetime | None
    clock_offset_ms: int | None
    native: Counts
    rrweb: Counts
    screenshots: int
    recorded: int
    last_page_url: str | None
    ended_at: datetime | None
    client_stats: bytes | None
    fields: SessionFields
    has_typed: bool
    masked: str | None = None
    """New secret fields of it, joined by newlines, which no name of a field holds."""

    def row(self) -> tuple[object, ...]:
        """One value a column."""
        return (
            self.project_id,
            self.session_id,
            self.started_at,
            self.last_activity_at,
            self.first_at,
            self.last_at,
            self.clock_offset_ms,
            *msgspec.structs.astuple(self.native),
            *msgspec.structs.astuple(self.rrweb),
            self.screenshots,
            self.recorded,
            self.last_page_url,
            self.ended_at,
            self.client_stats,
            *msgspec.structs.astuple(self.fields),
            self.has_typed,
            self.masked,
        )


def changes(group: Iterable[Placed], secret: Mapping[SessionKey, frozenset[str]]) -> list[SessionChange]:
    """The changes of a group's sessions in key order, one a session; `secret` are new secret fields of some."""
    merged: dict[SessionKey, SessionChange] = {}
    for placed in group:
        change = _change(placed)
        merged[placed.key] = _merge(merged[placed.key], change) if placed.key in merged else change
    for key, fields in secret.items():
        merged[key].masked = "\n".join(sorted(fields))
    return [merged[key] for key in sorted(merged)]


def columns(rows: Sequence[SessionChange]) -> list[tuple[object, ...]]:
    """The same as one tuple a column."""
    return list(zip(*(change.row() for change in rows), strict=True))


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
        screenshots=0 if batch.image is None else 1,
        recorded=0 if recording is None else recording.count,
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
        screenshots=one.screenshots + two.screenshots,
        recorded=one.recorded + two.recorded,
        last_page_url=two.last_page_url or one.last_page_url,
        ended_at=_latest(one.ended_at, two.ended_at),
        client_stats=two.client_stats or one.client_stats,
        fields=_fill(one.fields, two.fields),
        has_typed=one.has_typed or two.has_typed,
    )


def _latest(one: datetime | None, two: datetime | None) -> datetime | None:
    return max((time for time in (one, two) if time is not None), default=None)


def _add(one: Counts, two: Counts) -> Counts:
    return Counts(*(a + b for a, b in zip(msgspec.structs.astuple(one), msgspec.structs.astuple(two), strict=True)))


def _fill(one: SessionFields, two: SessionFields) -> SessionFields:
    if one == two:
        return one
    pairs = zip(msgspec.structs.astuple(one), msgspec.structs.astuple(two), strict=True)
    filled = SessionFields(*(a if a is not None else b for a, b in pairs))
    if one.user_agent:  # the label goes with the agent that is kept
        filled.bot_reason = one.bot_reason
    else:
        filled.user_agent, filled.bot_reason = two.user_agent, two.bot_reason
    if one.metadata and two.metadata:
        filled.metadata = msgspec.json.encode({**_object.decode(two.metadata), **_object.decode(one.metadata)})
    return filled
