"""Live: the events of a session as they are committed, by WebSocket and as server-sent events."""

from functools import partial
from typing import Annotated

from litestar import get, websocket
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, QueryParameter

from tracker_backend.errors import TrackerError, Unavailable
from tracker_backend.http.audit import note_replay
from tracker_backend.http.caller import Caller
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of
from tracker_backend.http.streams import (
    AnySocket,
    EventStream,
    Format,
    close,
    refuse,
    run_stream,
    until_disconnected,
)
from tracker_backend.http.tickets import authorize_stream
from tracker_backend.live.batch_reference import Key
from tracker_backend.live.feed import Feed, Item
from tracker_backend.live.reader import UNAVAILABLE_ERRORS
from tracker_backend.live.stream_position import read_position
from tracker_backend.live.subscription import Ended, Subscription
from tracker_backend.storage.session_bounds import get_bounds

Ticket = Annotated[str | None, QueryParameter(description="In place of a key or a cookie; opens one stream")]
EVENT_STREAM = {200: ResponseSpec(str, description="Server-sent events without an end", media_type="text/event-stream")}


@websocket("/sessions/{session_id:str}/live", scope="read", takes_tickets=True)
async def watch(socket: AnySocket, session_id: FromPath[str], ticket: Ticket = None) -> None:
    """Watch a session: what is stored first, then each batch as it is committed."""
    reader = await accept(socket, session_id, ticket)
    if reader is not None:
        ended = await stream_to(socket, *reader, _format_item)
        if ended is not None:
            await close(socket, ended)


@get(
    "/sessions/{session_id:str}/live",
    scope="read",
    takes_tickets=True,
    summary="Watch a session",
    tags=["read"],
    responses=EVENT_STREAM,
)
async def watch_events(request: AnyRequest, session_id: FromPath[str], ticket: Ticket = None) -> EventStream:
    """Watch a session: what is stored first, then each batch as it is committed, as server-sent events.

    The same address takes WebSockets. `Last-Event-ID` goes on where a stream ended.
    """
    return await open_event_stream(request, session_id, ticket, _format_item)


async def open_event_stream(
    request: AnyRequest, session_id: str, ticket: str | None, format_item: Format
) -> EventStream:
    """The session's items as server-sent events, each formatted; TrackerError for callers who may not read them."""
    services = services_of(request)
    caller, key = await authorize_stream(request, session_id, ticket)
    await get_bounds(services.pool, *key)  # 404 before the answer begins
    await note_replay(services, caller, key[1], "live")
    cursor = read_position(request.headers.get("last-event-id"))

    def start() -> tuple[Subscription, Feed]:
        subscription = services.hub.subscribe(key)
        return subscription, Feed(subscription, services.hub.reader, cursor)

    return EventStream(services.hub, start, format_item, partial(services.access.authentication.recheck_reader, caller))


async def accept(socket: AnySocket, session_id: str, ticket: str | None) -> tuple[Caller, Key] | None:
    """Accepts a WebSocket whose caller may read the session. Refuses others, and returns None."""
    try:
        reader = await authorize_stream(socket, session_id, ticket)
        await note_replay(services_of(socket), reader[0], reader[1][1], "live")
    except TrackerError as error:
        await refuse(socket, error)
        return None
    except UNAVAILABLE_ERRORS:
        await refuse(socket, Unavailable("the database did not answer in time: connect again."))
        return None
    await socket.accept()
    return reader


async def stream_to(socket: AnySocket, caller: Caller, key: Key, format_item: Format) -> Ended | None:
    """Sends the session's items until the stream ends; the reason, or None when the client has disconnected."""
    hub, access = services_of(socket).hub, services_of(socket).access
    try:
        subscription = hub.subscribe(key)
    except Unavailable as error:
        return Ended(1013, error.detail)

    async def send(item: Item) -> None:
        text = format_item(item)
        if text is not None:
            await socket.send_text(text.decode())

    feed = Feed(subscription, hub.reader)
    gone, check = partial(until_disconnected, socket), partial(access.authentication.recheck_reader, caller)
    return await run_stream(hub, subscription, feed, send, gone, check)


def _format_item(item: Item) -> bytes:
    """An item as `v1` has it."""
    if item.kind == "live":
        return b'{"type":"live"}'
    return b'{"type":"%b","event":%b}' % (item.kind.encode(), item.text)
