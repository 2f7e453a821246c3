"""Sessions of dialects that share a path: start (`spectra`, `incuera`), look at and list (`spectra`, `reev`)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from tracker_backend.dialects.error_shapes import error_only, success_and_error
from tracker_backend.dialects.incuera import examples as incuera
from tracker_backend.dialects.session_start import StartRequest, decode_start, start_fields, start_time
from tracker_backend.dialects.spectra import examples as spectra
from tracker_backend.errors import Invalid
from tracker_backend.http.caller import Caller
from tracker_backend.http.drop_reasons import response_message
from tracker_backend.http.examples import operation
from tracker_backend.http.ingest_request import client_clock, read_ingest_request
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.http.session_filters import DIALECT_FILTERS, SessionFilters
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.queries import sessions
from tracker_backend.queries.date_ranges import parse_date_range
from tracker_backend.text_cleaning import clean_text
from tracker_backend.threads import run_in_thread_if_large
from tracker_backend.times import from_datetime

_COLUMNS = {
    "timestamp": "started_at",
    "duration": "duration_seconds",
    "clicks": "click_count",
    "errors": "error_count",
}


class Started(Struct, frozen=True, rename="camel"):
    """The session is stored; `message` for `spectra`."""

    session_id: Annotated[str, Meta(description="As it was sent")]
    message: str | UnsetType = UNSET
    success: bool = True


@post(
    "/api/sessions/start",
    scope="write",
    cors=True,
    error_shape=success_and_error,
    operation_class=operation(StartRequest, spectra.START, incuera=incuera.START),
    status_code=200,
    summary="spectra, incuera: start a session",
    tags=["spectra", "incuera"],
)
async def start_session(request: AnyRequest, body: RawBody) -> Started:
    """Start a session, or add to one what it does not know yet. With `appId` it is `spectra`'s, without `incuera`'s."""
    received = await read_ingest_request(request, body)
    sent = await run_in_thread_if_large(len(received.text), decode_start, received.text)
    key, text = session_key(received.caller.project_id, sent.session_id)
    fields = start_fields(sent)
    fields.client_session_id = text
    batch = received.batch(key, fields)
    began = client_clock(start_time(sent), "start_time")
    batch.times = [] if began is None else [began]
    outcome = await received.submit(batch)
    if sent.app_id is None:
        return Started(sent.session_id)
    return Started(
        sent.session_id, response_message(outcome, "session started" if outcome.created else "session goes on")
    )


class Stats(Struct, frozen=True, rename="camel"):
    """What the server counted."""

    total_events: Annotated[int, Meta(description="All that was received, sent and recorded")]
    errors: int
    clicks: int


class SessionLine(Struct, frozen=True, rename="camel"):
    """A session in a list: up to `eventCount` `spectra`'s fields, from `id` on `reev`'s, `duration` is of both."""

    session_id: Annotated[str, Meta(description="As its client sent it")]
    user_id: str | None
    app_id: str | None
    start_time: Annotated[int, Meta(description="Epoch milliseconds")]
    error_count: int
    event_count: int
    duration: Annotated[float, Meta(description="Seconds")]
    id: UUID
    page_url: str | None
    timestamp: datetime
    device: str | None
    clicks: int
    errors: int


class SessionAnswer(Struct, frozen=True, rename="camel"):
    """A session: up to `metadata` `spectra`'s fields, from `id` on `reev`'s, `duration` is of both."""

    session_id: Annotated[str, Meta(description="As its client sent it")]
    user_id: str | None
    app_id: str | None
    start_time: Annotated[int, Meta(description="Epoch milliseconds")]
    end_time: Annotated[int | None, Meta(description="Epoch milliseconds")]
    stats: Stats
    metadata: Raw
    duration: Annotated[float, Meta(description="Seconds")]
    id: UUID
    page_url: str | None
    timestamp: datetime
    device: str | None
    clicks: int
    errors: int


class SessionList(Struct, frozen=True):
    """A page of sessions; `total` is exact up to 10,000, beyond it may be an estimate."""

    sessions: list[SessionLine]
    total: int
    limit: int
    offset: int


@get(
    "/api/sessions/{session_id:str}",
    scope="read",
    error_shape=error_only,
    summary="spectra, reev: look at a session",
    tags=["spectra", "reev"],
)
async def get_session(
    services: NamedDependency[Services], caller: NamedDependency[Caller], session_id: FromPath[str]
) -> SessionAnswer:
    """Look at a session, of whichever dialect, by its client's text or its UUID."""
    key, _ = session_key(caller.project_id, clean_text(session_id))
    found = await sessions.get_session(services.pool, caller.project_id, key)
    line = _line(found)
    return SessionAnswer(
        session_id=line.session_id,
        user_id=line.user_id,
        app_id=line.app_id,
        start_time=line.start_time,
        # A client whose clock was set back may end a session before it began.
        end_time=None if found.ended_at is None else max(line.start_time, _milliseconds(found.ended_at)),
        stats=Stats(line.event_count, line.errors, line.clicks),
        metadata=found.metadata,
        duration=line.duration,
        id=line.id,
        page_url=line.page_url,
        timestamp=line.timestamp,
        device=line.device,
        clicks=line.clicks,
        errors=line.errors,
    )


@get(
    "/api/sessions",
    scope="read",
    error_shape=error_only,
    dependencies=DIALECT_FILTERS,
    summary="spectra, reev: list sessions",
    tags=["spectra", "reev"],
)
async def list_sessions(
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    filters: SessionFilters,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
    offset: Annotated[int | None, QueryParameter(ge=0, le=1_000_000)] = None,
    page: Annotated[int, QueryParameter(ge=1, le=1_000_000, description="In place of `offset`")] = 1,
    date_range: Annotated[
        str | None,
        QueryParameter(name="dateRange", description="today, 7d, 30d, or 2026-01-31..2026-02-02: whole days of `tz`"),
    ] = None,
    tz: Annotated[
        str | None, QueryParameter(description="Whose days: a name such as Europe/Berlin (the project's)")
    ] = None,
    sort_by: Annotated[
        str,
        QueryParameter(name="sortBy", description="timestamp, duration, clicks or errors, with - in front descending"),
    ] = "-timestamp",
) -> SessionList:
    """List sessions of all dialects, newest first by default."""
    days = None if date_range is None else await parse_date_range(services.pool, caller.project_id, date_range, tz)
    column = _COLUMNS.get(sort_by.removeprefix("-"))
    if column is None:
        raise Invalid(f"`sortBy` is {sort_by!r}: use {', '.join(_COLUMNS)}, with - in front for the largest first.")
    found = await sessions.list_sessions(
        services.pool,
        caller.project_id,
        filters,
        time_range=days,
        sort=f"-{column}" if sort_by.startswith("-") else column,
        limit=limit,
        offset=(page - 1) * limit if offset is None else offset,
    )
    return SessionList([_line(session) for session in found.data], found.total, found.limit, found.offset)


def _line(session: sessions.Session) -> SessionLine:
    return SessionLine(
        session_id=session.client_text,
        user_id=session.user_id,
        app_id=session.app_id,
        start_time=_milliseconds(session.started_at),
        error_count=session.error_count,
        event_count=session.recorded_event_count + session.native_event_count,
        duration=round(session.duration_seconds, 3),
        id=session.session_id,
        page_url=session.page_url,
        timestamp=session.started_at,
        device=session.device_type,
        clicks=session.click_count,
        errors=session.error_count,
    )


def _milliseconds(moment: datetime) -> int:
    return from_datetime(moment) // 1000
