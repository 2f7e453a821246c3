"""Sessions: start, list, look at, delete; and the events of one."""

from typing import Annotated
from uuid import UUID, uuid4

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter, RawBody
from msgspec import Meta, Struct

from tracker_backend.errors import NotFound, Unavailable
from tracker_backend.http import examples
from tracker_backend.http.caller import Caller
from tracker_backend.http.ingest_request import read_ingest_request
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.http.session_filters import V1_FILTERS, SessionFilters
from tracker_backend.http.visitors import erase
from tracker_backend.ingest.agent import AGENT_LENGTH
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.ingest.wire import SessionRequest, decode_session
from tracker_backend.queries import events, sessions
from tracker_backend.queries.filters import time_parameter
from tracker_backend.storage.session_bounds import get_bounds
from tracker_backend.threads import run_in_thread_if_large
from tracker_backend.times import to_datetime

From = Annotated[str | None, QueryParameter(name="from", description="ISO 8601, epoch milliseconds or seconds")]
To = Annotated[str | None, QueryParameter(name="to", description="ISO 8601, epoch milliseconds or seconds")]


class Started(Struct, frozen=True):
    """The session is stored."""

    session_id: UUID
    started_at: Annotated[str, Meta(description="ISO 8601")]


@post(
    "/sessions",
    scope="write",
    cors=True,
    operation_class=examples.operation(SessionRequest, examples.SESSION),
    summary="Start a session",
    tags=["write"],
)
async def create_session(request: AnyRequest, body: RawBody) -> Response[Started]:
    """Start a session, or add missing properties to an existing one.

    201 for a new session, 200 for an existing one. A batch of an unknown session also starts it.
    """
    received = await read_ingest_request(request, body)
    sent = await run_in_thread_if_large(len(received.text), decode_session, received.text)
    session_id = sent.session_id or uuid4()
    fields = SessionFields(
        **{name: getattr(sent, name) for name in SessionFields.__struct_fields__ if name in _COPIED},
        user_agent=(sent.user_agent or received.user_agent)[:AGENT_LENGTH],
        metadata=msgspec.json.encode(sent.metadata) if sent.metadata else None,
    )
    outcome = await received.submit(received.batch(session_id, fields))
    started_at = outcome.started_at or to_datetime(received.received_at)
    return Response(
        Started(session_id, msgspec.to_builtins(started_at)),
        status_code=201 if outcome.created else 200,
    )


_COPIED = set(SessionFields.__struct_fields__) & set(SessionRequest.__struct_fields__) - {"user_agent", "metadata"}


@get("/sessions", scope="read", dependencies=V1_FILTERS, summary="List sessions", tags=["read"])
async def list_sessions(
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    filters: SessionFilters,
    sort: Annotated[str, QueryParameter(description="A column, with - in front for the largest first")] = "-started_at",
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 20,
    offset: Annotated[int, QueryParameter(ge=0, le=1_000_000)] = 0,
    cursor: Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")] = None,
) -> sessions.SessionPage:
    """List sessions, newest first.

    `total` is exact without a filter. With one it is exact up to 10,000; above, it is an estimate, and
    `total_estimated` is true.
    """
    return await sessions.list_sessions(
        services.pool, caller.project_id, filters, sort=sort, limit=limit, offset=offset, cursor=cursor
    )


@get("/sessions/{session_id:str}", scope="read", summary="Look at a session", tags=["read"])
async def get_session(
    services: NamedDependency[Services], caller: NamedDependency[Caller], session_id: FromPath[str]
) -> sessions.Session:
    """Look at a session: every column and its counters."""
    return await sessions.get_session(services.pool, caller.project_id, session_key(caller.project_id, session_id)[0])


@get("/sessions/{session_id:str}/events", scope="read", summary="Read a session's events", tags=["read"])
async def list_events(
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    session_id: FromPath[str],
    from_: From = None,
    to: To = None,
    event_type: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=10_000)] = 1000,
    cursor: Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")] = None,
) -> events.EventPage:
    """Read a session's events in order of time."""
    return await events.list_events(
        services.pool,
        caller.project_id,
        session_key(caller.project_id, session_id)[0],
        limit=limit,
        time_from=time_parameter(from_, "from"),
        time_to=time_parameter(to, "to"),
        event_type=event_type,
        cursor=cursor,
    )


@delete("/sessions/{session_id:str}", scope="edit", summary="Delete a session", tags=["delete"])
async def delete_session(
    services: NamedDependency[Services], caller: NamedDependency[Caller], session_id: FromPath[str]
) -> None:
    """Delete a session with every row of it, in every table. For editors, owners and admin keys.

    What is sent of it later is dropped. Hourly numbers of past hours are right again within five minutes.
    """
    key, _ = session_key(caller.project_id, session_id)
    try:
        await get_bounds(services.pool, caller.project_id, key)
    except NotFound:
        raise NotFound(f"there is no session {session_id} in this project.") from None
    receipt = await erase(services, caller, "session", str(key), "session deleted")
    if receipt.finished_at is None:
        raise Unavailable("this session is being deleted: that takes some minutes.", retry_after=60)
