"""`reev`: one endpoint for the tag, and what its dashboard asks for beside the shared list of sessions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, RawBody
from litestar.response import Stream

from tracker_backend.accounts import projects
from tracker_backend.dialects.dialect import Dialect
from tracker_backend.dialects.error_shapes import error_only
from tracker_backend.dialects.reev import examples
from tracker_backend.dialects.reev.wire import EventsRequest, decode_events, read_project, with_relative_times
from tracker_backend.dialects.sessions import get_session, list_sessions
from tracker_backend.errors import Invalid, NotFound, Unauthorized
from tracker_backend.http.audit import note_replay
from tracker_backend.http.caller import Caller
from tracker_backend.http.encoding import stream
from tracker_backend.http.examples import operation
from tracker_backend.http.ingest_request import IngestRequest, client_clock, read_ingest_request
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.queries import stats, timeline
from tracker_backend.recordings import replay
from tracker_backend.threads import run_in_thread_if_large

_TAG = "reev"


@post(
    "/events",
    scope="write",
    key_in_body=True,
    cors=True,
    error_shape=error_only,
    status_code=204,
    operation_class=operation(EventsRequest, examples.EVENTS),
    summary="Store a batch of rrweb events (reev)",
    tags=[_TAG],
)
async def store_events(request: AnyRequest, body: RawBody) -> None:
    """Store a batch of rrweb events, at most 10 MiB inflated, as they come. An unknown project is 404."""
    received = await _read_ingest_request(request, body)
    size = len(received.text)
    sent, fields = await run_in_thread_if_large(size, decode_events, received.text)
    try:
        session_id = UUID(sent.session_id)
    except ValueError as error:
        raise Invalid(f"`$.sessionId` is {sent.session_id!r}: send a UUID.") from error
    batch = received.batch(session_id, fields)
    batch.rrweb = await received.recorded(sent.events, lambda text: decode_events(text)[0].events)
    batch.name = sent.batch_id
    batch.sent_at = client_clock(sent.sent_at, "sent_at")
    await received.submit(batch)


@get(
    "/api/sessions/{session_id:str}/events",
    scope="read",
    error_shape=error_only,
    summary="Read a session's rrweb events (reev)",
    tags=[_TAG],
    media_type="application/json",
)
async def get_events(
    request: AnyRequest, services: NamedDependency[Services], caller: NamedDependency[Caller], session_id: FromPath[str]
) -> Stream:
    """Read all rrweb events of a session in order of time, streamed.

    `timestamp` is in milliseconds since the session began; other members are those that were sent.
    """
    key, _ = session_key(caller.project_id, session_id)
    began = await timeline.timeline_start(services.pool, caller.project_id, key)  # 404 before the answer begins
    await note_replay(services, caller, key, "reev events")
    return stream(request, _texts(replay.replay(services.pool, caller.project_id, key), began))


@get("/api/stats/today", scope="read", error_shape=error_only, summary="Count today's sessions (reev)", tags=[_TAG])
async def get_today(
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    tz: Annotated[
        str | None, QueryParameter(description="Whose day: a name such as Europe/Berlin (the project's)")
    ] = None,
) -> stats.SessionsToday:
    """Count the sessions that began today, and the mean of their durations in seconds."""
    return await stats.count_today(services.pool, caller.project_id, tz)


async def _read_ingest_request(request: AnyRequest, body: bytes) -> IngestRequest:
    """`read_ingest_request`, where the body names the project by its public key; or by its id, where another key or the
    open mode of a local server authenticates the caller.
    """
    named: list[str] = []

    def read_key(text: bytes) -> str | None:
        named.append(read_project(text))
        return None if named[0].isdecimal() else named[0]

    has_key = any(name in request.headers for name in ("x-api-key", "authorization")) or "key" in request.query_params
    try:
        received = await read_ingest_request(request, body, read_key)
    except Unauthorized as error:
        if has_key or not named:
            raise
        raise NotFound(f"there is no project {named[0]} that this call may write to: {error.detail}") from error
    is_checked = not has_key and not named[0].isdecimal()  # it was the key
    project_id = received.caller.project_id
    if not is_checked and not await projects.identifies_project(received.services.pool, project_id, named[0]):
        raise NotFound(f"there is no project {named[0]} that this call may write to.")
    return received


async def _texts(parts: AsyncIterator[replay.Part], began: int) -> AsyncIterator[bytes]:
    yield b'{"events":['
    separator = b""
    async for part in parts:
        yield separator + await asyncio.to_thread(with_relative_times, part, began)
        separator = b","
    yield b"]}"


DIALECT = Dialect(
    name=_TAG,
    summary="Dialect: one tag, one call, `projectId` in the body",
    routes=[store_events, get_session, list_sessions, get_events, get_today],
    examples={"POST /events": examples.EVENTS},
)
