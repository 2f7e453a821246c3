"""What `spectra` sends after its start, and its replay. Start, one session and the list: `dialects/sessions.py`."""

import asyncio
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from litestar.response import Stream
from msgspec import Meta, Struct

from tracker_backend.dialects.dialect import Dialect
from tracker_backend.dialects.error_shapes import error_only
from tracker_backend.dialects.sessions import get_session, list_sessions, start_session
from tracker_backend.dialects.spectra import examples, live
from tracker_backend.dialects.spectra.custom import SOURCE
from tracker_backend.dialects.spectra.replay import Replay
from tracker_backend.dialects.spectra.session import session_of
from tracker_backend.dialects.spectra.wire import (
    BatchRequest,
    EndRequest,
    HeartbeatRequest,
    Packed,
    decode_batch,
    decode_end,
    decode_heartbeat,
    read_custom,
    unpack_events,
)
from tracker_backend.http.audit import note_replay
from tracker_backend.http.caller import Caller
from tracker_backend.http.encoding import stream
from tracker_backend.http.examples import operation
from tracker_backend.http.ingest_request import client_clock, read_ingest_request
from tracker_backend.http.limits.request_limits import RouteLimit
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.ingest.wire import json_object
from tracker_backend.queries import sessions
from tracker_backend.storage.session_bounds import get_bounds
from tracker_backend.text_cleaning import clean_text
from tracker_backend.threads import run_in_thread_if_large

_LIMIT = RouteLimit("spectra", lambda settings: settings.limit_spectra)


class Done(Struct, frozen=True):
    """It is stored."""

    success: bool = True


class Counted(Struct, frozen=True, rename="camel"):
    """How many of each were in the batch, as the server decoded them."""

    events: Annotated[int, Meta(description="rrweb events")]
    custom_events: int
    errors: int


class BatchStored(Struct, frozen=True):
    """The batch is stored."""

    received: Counted
    success: bool = True


@post(
    "/api/sessions/{session_id:str}/events",
    scope="write",
    cors=True,
    error_shape=error_only,
    extra_limit=_LIMIT,
    operation_class=operation(BatchRequest, examples.BATCH),
    status_code=200,
    summary="spectra: store a batch",
    tags=["spectra"],
)
async def store_batch(request: AnyRequest, session_id: FromPath[str], body: RawBody) -> BatchStored:
    """Store a batch of rrweb events, custom events and errors: all of it or nothing.

    `events` is an array, or `{"compressed": true, "data": …}` with base64 of `pako.deflate` or `pako.gzip` of its JSON.
    A batch that is sent again is stored once. An empty one keeps the session active.
    """
    received = await read_ingest_request(request, body)
    sent, rest = await run_in_thread_if_large(len(received.text), decode_batch, received.text)
    key, fields = session_of(received, session_id, sent.session_id)
    fields.user_id, fields.app_id, fields.metadata = sent.user_id or None, sent.app_id, rest
    events = await received.recorded(sent.events, lambda text: decode_batch(text)[0].events)
    if isinstance(events, Packed):  # small text may be large
        rrweb = await asyncio.to_thread(unpack_events, events, received.services.settings.max_body)
    else:
        rrweb = events or []
    custom = await run_in_thread_if_large(len(received.text), read_custom, sent)
    if custom:
        fields.page_url = await sessions.get_last_page(received.services.pool, received.caller.project_id, key)
    batch = received.batch(key, fields)
    batch.source = SOURCE
    batch.rrweb = rrweb
    batch.events = custom
    batch.sent_at = None if sent.metadata is None else client_clock(sent.metadata.timestamp, "sent_at")
    await received.submit(batch)
    counted = Counted(len(rrweb), len(sent.custom_events or ()), len(sent.errors or ()))
    return BatchStored(counted)


@post(
    "/api/sessions/{session_id:str}/heartbeat",
    scope="write",
    cors=True,
    error_shape=error_only,
    extra_limit=_LIMIT,
    operation_class=operation(HeartbeatRequest, examples.HEARTBEAT),
    status_code=200,
    summary="spectra: keep a session active",
    tags=["spectra"],
)
async def heartbeat(request: AnyRequest, session_id: FromPath[str], body: RawBody) -> Done:
    """Keep a session active and move its expiry. 404 for a session that was neither started nor sent events."""
    received = await read_ingest_request(request, body)
    sent, rest = await run_in_thread_if_large(len(received.text), decode_heartbeat, received.text)
    key, fields = session_of(received, session_id, sent.session_id)
    if received.drop_of(key) is None:  # nothing is stored of a session that is not recorded
        await get_bounds(received.services.pool, received.caller.project_id, key)
    fields.metadata = rest
    batch = received.batch(key, fields)
    batch.client_stats = json_object(sent.stats, "stats")
    batch.sent_at = client_clock(sent.timestamp, "sent_at")
    await received.submit(batch)
    return Done()


@post(
    "/api/sessions/{session_id:str}/end",
    scope="write",
    cors=True,
    error_shape=error_only,
    extra_limit=_LIMIT,
    operation_class=operation(EndRequest, examples.END),
    status_code=200,
    summary="spectra: end a session",
    tags=["spectra"],
)
async def end(request: AnyRequest, session_id: FromPath[str], body: RawBody) -> Done:
    """End a session at `endTime`, else now. A later batch is stored all the same and moves the end.

    404 for a session that was neither started nor sent events.
    """
    received = await read_ingest_request(request, body)
    sent, rest = await run_in_thread_if_large(len(received.text), decode_end, received.text)
    key, fields = session_of(received, session_id, sent.session_id)
    offset = 0
    if received.drop_of(key) is None:
        offset = (await get_bounds(received.services.pool, received.caller.project_id, key)).offset
    fields.metadata = rest
    batch = received.batch(key, fields)
    batch.client_stats = json_object(sent.stats, "stats")
    # By the client's clock: `build_rows` adds the session's clock offset.
    now = received.received_at - offset
    ended = client_clock(sent.end_time, "end_time")
    batch.ended_at = now if ended is None else ended
    await received.submit(batch)
    return Done()


@get(
    "/api/sessions/{session_id:str}/replay",
    scope="read",
    error_shape=error_only,
    extra_limit=_LIMIT,
    summary="spectra: replay a session",
    tags=["spectra"],
    media_type="application/json",
)
async def replay(
    request: AnyRequest, services: NamedDependency[Services], caller: NamedDependency[Caller], session_id: FromPath[str]
) -> Stream:
    """Read a session's rrweb events, custom events and errors, of whichever dialect, streamed.

    `customEvents` are all sent events except errors; `errors` are all errors, also those found in the recording.
    Times are by the client's clock: add `X-Tracker-Clock-Offset` milliseconds for the server's. Sent as zstd or gzip
    to clients that accept it.
    """
    key, _ = session_key(caller.project_id, clean_text(session_id))
    session = await sessions.get_session(services.pool, caller.project_id, key)  # 404 before the answer begins
    await note_replay(services, caller, key, "spectra replay")
    found = Replay(services.pool, caller.project_id, session)
    headers = {"X-Tracker-Clock-Offset": str(session.clock_offset_ms or 0)}
    return stream(request, found.texts(), found.zstd_frames(), headers=headers)


DIALECT = Dialect(
    name="spectra",
    summary="Dialect: rrweb batches packed by pako",
    routes=[
        start_session,
        get_session,
        list_sessions,
        store_batch,
        heartbeat,
        end,
        replay,
        live.watch,
        live.watch_events,
    ],
    examples={
        "POST /api/sessions/start": examples.START,
        "POST /api/sessions/{session_id}/events": examples.BATCH,
        "POST /api/sessions/{session_id}/heartbeat": examples.HEARTBEAT,
        "POST /api/sessions/{session_id}/end": examples.END,
    },
)
