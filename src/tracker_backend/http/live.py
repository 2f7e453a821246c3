"""Live: the events of a session as they are committed, by WebSocket and as server-sent events."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import get, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from tracker_backend.dialects.spectra.custom import ERROR, give_custom, give_error
from tracker_backend.dialects.wire import refusal
from tracker_backend.errors import TrackerError, Unavailable
from tracker_backend.http.audit import note_replay
from tracker_backend.http.auth.access import Caller
from tracker_backend.http.ingest_request import session_key
from tracker_backend.http.problem import SHAPE
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of
from tracker_backend.http.streams import (
    AnySocket,
    EventStream,
    Format,
    close,
    pump,
    refuse,
    until_disconnected,
)
from tracker_backend.http.tickets import reader_of
from tracker_backend.ingest.rows import RRWEB
from tracker_backend.live.batch_reference import Key
from tracker_backend.live.feed import Feed, Item
from tracker_backend.live.reader import UNAVAILABLE_ERRORS
from tracker_backend.live.stream_position import read_position
from tracker_backend.live.subscription import Ended, Subscription
from tracker_backend.queries import sessions

SUBSCRIBE_SECONDS = 30.0
Ticket = Annotated[str | None, QueryParameter(description="In place of a key or a cookie; opens one stream")]
_STREAM = {200: ResponseSpec(str, description="Server-sent events without an end", media_type="text/event-stream")}
_encode = msgspec.json.Encoder().encode


def native_text(item: Item) -> bytes:
    """An item as `v1` has it."""
    if item.kind == "live":
        return b'{"type":"live"}'
    return b'{"type":"%b","event":%b}' % (item.kind.encode(), item.text)


def spectra_form(session: str) -> Format:
    """Items as `spectra` has them: rrweb events (what was found in them is left out), custom events, errors."""
    begin = b',"sessionId":' + _encode(session) + b","

    def form(item: Item) -> bytes | None:
        if item.kind == "rrweb":
            return b'{"type":"event"%b"event":%b}' % (begin, item.text)
        if item.event is None or item.event.source == RRWEB:
            return None
        if item.event.event_type == ERROR:
            return b'{"type":"error"%b"error":%b}' % (begin, _encode(give_error(item.event, item.offset)))
        return b'{"type":"customEvent"%b"event":%b}' % (begin, _encode(give_custom(item.event, item.offset)))

    return form


class Subscribe(Struct, rename="camel", tag="subscribe"):
    """The first message of a `spectra` client."""

    session_id: str


_subscribe = msgspec.json.Decoder(Subscribe)


@websocket("/sessions/{session_id:str}/live")
async def watch(socket: AnySocket, session_id: FromPath[str]) -> None:
    """Watch a session: what is stored first, then each batch as it is committed."""
    reader = await _accept(socket, session_id)
    if reader is not None:
        ended = await _stream(socket, *reader, native_text)
        if ended is not None:
            await close(socket, ended)


@websocket("/api/sessions/{session_id:str}/live")
async def watch_spectra(socket: AnySocket, session_id: FromPath[str]) -> None:
    """The same for clients of `spectra`, who subscribe by a message."""
    reader = await _accept(socket, session_id)
    if reader is None:
        return
    ended = await _subscribed(socket, reader[1])
    if ended is None:
        ended = await _stream(socket, *reader, spectra_form(session_id))
    if ended is not None and ended.code:
        told = _encode({"type": "error", "sessionId": session_id, "message": ended.reason}).decode()
        with suppress(OSError, RuntimeError, WebSocketDisconnect):  # it is gone, or too slow for this too
            async with asyncio.timeout(1):
                await socket.send_text(told)
        await close(socket, ended)


async def _subscribed(socket: AnySocket, key: Key) -> Ended | None:
    """Waits for the client's first message; what to close with if it is not as it must be."""
    try:
        async with asyncio.timeout(SUBSCRIBE_SECONDS):
            message: Any = await socket.receive()
    except TimeoutError:
        return Ended(4408, 'no message came: send {"type": "subscribe", "sessionId": …} first.')
    if message["type"] == "websocket.disconnect":
        return Ended(0, "gone")
    try:
        wanted = _subscribe.decode(message.get("text") or message.get("bytes") or b"").session_id
        if session_key(key[0], wanted)[0] == key[1]:
            return None
        return Ended(4400, "`sessionId` is not the session of this address: connect to its own.")
    except msgspec.MsgspecError as error:
        return Ended(4400, f'send {{"type": "subscribe", "sessionId": …}} first: {error}.')
    except TrackerError as error:
        return Ended(4400, error.detail)


@get(
    "/sessions/{session_id:str}/live",
    summary="Watch a session",
    tags=["read"],
    responses=_STREAM,
)
async def watch_events(request: AnyRequest, session_id: FromPath[str], ticket: Ticket = None) -> EventStream:
    """Watch a session: what is stored first, then each batch as it is committed, as server-sent events.

    The same address takes WebSockets. `Last-Event-ID` goes on where a stream ended.
    """
    return await _events(request, session_id, ticket, native_text)


@get(
    "/api/sessions/{session_id:str}/live",
    summary="Watch a session",
    tags=["spectra"],
    opt={SHAPE: refusal},
    responses=_STREAM,
)
async def watch_spectra_events(request: AnyRequest, session_id: FromPath[str], ticket: Ticket = None) -> EventStream:
    """Watch a session as server-sent events, with the messages of the WebSocket of the same address."""
    return await _events(request, session_id, ticket, spectra_form(session_id))


async def _events(request: AnyRequest, session_id: str, ticket: str | None, form: Format) -> EventStream:
    services = services_of(request)
    caller, key = await reader_of(request, session_id, ticket)
    await sessions.get_bounds(services.pool, *key)  # 404 before the answer begins
    await note_replay(services, caller, key[1], "live")
    cursor = read_position(request.headers.get("last-event-id"))

    def start() -> tuple[Subscription, Feed]:
        subscription = services.hub.subscribe(key)
        return subscription, Feed(subscription, services.hub.reader, cursor)

    return EventStream(services.hub, start, form, partial(services.access.check_again, caller))


async def _accept(socket: AnySocket, session_id: str) -> tuple[Caller, Key] | None:
    """Accepts a WebSocket of who may read; None for others, who were answered."""
    try:
        reader = await reader_of(socket, session_id, socket.query_params.get("ticket"))
        await note_replay(services_of(socket), reader[0], reader[1][1], "live")
    except TrackerError as error:
        await refuse(socket, error)
        return None
    except UNAVAILABLE_ERRORS:
        await refuse(socket, Unavailable("the database did not answer in time: connect again."))
        return None
    await socket.accept()
    return reader


async def _stream(socket: AnySocket, caller: Caller, key: Key, form: Format) -> Ended | None:
    hub, access = services_of(socket).hub, services_of(socket).access
    try:
        subscription = hub.subscribe(key)
    except Unavailable as error:
        return Ended(1013, error.detail)

    async def send(item: Item) -> None:
        text = form(item)
        if text is not None:
            await socket.send_text(text.decode())

    feed = Feed(subscription, hub.reader)
    gone, check = partial(until_disconnected, socket), partial(access.check_again, caller)
    return await pump(hub, subscription, feed, send, gone, check)
