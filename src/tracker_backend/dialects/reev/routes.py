"""`reev`: one endpoint for the tag, and what its dashboard asks for beside the shared list of sessions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, QueryParameter, RawBody
from litestar.response import Stream

from tracker_backend.accounts import projects
from tracker_backend.dialects.reev.wire import EventsRequest, decode_events, project_in, since_begin
from tracker_backend.dialects.wire import error_text
from tracker_backend.errors import Invalid, NotFound, Unauthorized
from tracker_backend.http.audit import note_replay
from tracker_backend.http.body import off_loop
from tracker_backend.http.cors import HEADERS, OPTION
from tracker_backend.http.encoding import stream
from tracker_backend.http.examples import RECORDING, SESSION_ID, operation
from tracker_backend.http.ingest_request import Received, receive, time_of
from tracker_backend.http.problem import SHAPE
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.queries import stats, timeline
from tracker_backend.recordings import replay

_TAG = "reev"
_EXAMPLE: dict[str, Any] = {
    "sessionId": SESSION_ID,
    "projectId": "tb_w_your-public-write-key",
    "events": RECORDING["events"],
}


@post(
    "/events",
    status_code=204,
    operation_class=operation(EventsRequest, _EXAMPLE),
    opt={OPTION: True, SHAPE: error_text},
    response_headers=HEADERS,
    summary="Store a batch of rrweb events (reev)",
    tags=[_TAG],
)
async def store_events(request: AnyRequest, body: RawBody) -> None:
    """Store a batch of rrweb events, at most 10 MiB inflated, as they come. An unknown project is 404."""
    received = await _receive(request, body)
    size = len(received.text)
    sent, fields = await off_loop(size, decode_events, received.text)
    try:
        session_id = UUID(sent.session_id)
    except ValueError as error:
        raise Invalid(f"`$.sessionId` is {sent.session_id!r}: send a UUID.") from error
    batch = received.batch(session_id, fields)
    batch.rrweb = sent.events
    batch.name = sent.batch_id
    batch.sent_at = None if sent.sent_at is None else time_of(sent.sent_at, "sentAt")
    await received.submit(batch)


@get(
    "/api/sessions/{session_id:str}/events",
    opt={SHAPE: error_text},
    summary="Read a session's rrweb events (reev)",
    tags=[_TAG],
    media_type="application/json",
)
async def get_events(request: AnyRequest, session_id: FromPath[str]) -> Stream:
    """Read all rrweb events of a session in order of time, streamed.

    `timestamp` is in milliseconds since the session began; other members are those that were sent.
    """
    services = services_of(request)
    caller = await services.access.check(request, "read")
    key, _ = session_key(caller.project_id, session_id)
    began = await timeline.timeline_start(services.pool, caller.project_id, key)  # 404 before the answer begins
    await note_replay(services, caller, key, "reev events")
    return stream(request, _texts(replay.replay(services.pool, caller.project_id, key), began))


@get("/api/stats/today", opt={SHAPE: error_text}, summary="Count today's sessions (reev)", tags=[_TAG])
async def get_today(
    request: AnyRequest,
    tz: Annotated[
        str | None, QueryParameter(description="Whose day: a name such as Europe/Berlin (the project's)")
    ] = None,
) -> stats.SessionsToday:
    """Count the sessions that began today, and the mean of their durations in seconds."""
    services = services_of(request)
    caller = await services.access.check(request, "read")
    return await stats.count_today(services.pool, caller.project_id, tz)


async def _receive(request: AnyRequest, body: bytes) -> Received:
    """`receive`, with the project of the body: by its public key, or its id where a key elsewhere or the open mode of a
    local server says who calls.
    """
    named: list[str] = []

    def key_in(text: bytes) -> str | None:
        named.append(project_in(text))
        return None if named[0].isdecimal() else named[0]

    has_key = any(name in request.headers for name in ("x-api-key", "authorization")) or "key" in request.query_params
    try:
        received = await receive(request, body, key_in)
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
        yield separator + await asyncio.to_thread(since_begin, part, began)
        separator = b","
    yield b"]}"
