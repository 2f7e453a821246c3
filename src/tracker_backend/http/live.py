"""Live: the events of a session as they are committed, by WebSocket and as server-sent events."""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from litestar import get, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.openapi import ResponseSpec
from litestar.params import FromPath
from msgspec import Struct

from tracker_backend.dialects.spectra.custom import ERROR, give_custom, give_error
from tracker_backend.dialects.wire import refusal
from tracker_backend.errors import TrackerError, Unavailable
from tracker_backend.http.problem import SHAPE
from tracker_backend.http.received import session_key
from tracker_backend.http.request import AnyRequest, Connection
from tracker_backend.http.streams import (
    AnySocket,
    EventStream,
    Format,
    close,
    pump,
    refuse,
    until_disconnected,
)
from tracker_backend.ingest.steps import RRWEB
from tracker_backend.live.cursor import read_cursor
from tracker_backend.live.feed import Feed, Item
from tracker_backend.live.reader import AWAY
from tracker_backend.live.reference import Key
from tracker_backend.live.subscription import Ended, Subscription
from tracker_backend.queries import sessions
from tracker_backend.services import services_of

SUBSCRIBE_SECONDS = 30.0
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
    key = await _accept(socket, session_id)
    if key is not None:
        ended = await _stream(socket, key, native_text)
        if ended is not None:
            await close(socket, ended)


@websocket("/api/sessions/{session_id:str}/live")
async def watch_spectra(socket: AnySocket, session_id: FromPath[str]) -> None:
    """The same for clients of `spectra`, who subscribe by a message."""
    key = await _accept(socket, session_id)
    if key is None:
        return
    ended = await _subscribed(socket, key)
    if ended is None:
        ended = await _stream(socket, key, spectra_form(session_id))
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
async def watch_events(request: AnyRequest, session_id: FromPath[str]) -> EventStream:
    """Watch a session: what is stored first, then each batch as it is committed, as server-sent events.

    The same address takes WebSockets. `Last-Event-ID` goes on where a stream ended.
    """
    return await _events(request, session_id, native_text)


@get(
    "/api/sessions/{session_id:str}/live",
    summary="Watch a session",
    tags=["spectra"],
    opt={SHAPE: refusal},
    responses=_STREAM,
)
async def watch_spectra_events(request: AnyRequest, session_id: FromPath[str]) -> EventStream:
    """Watch a session as server-sent events, with the messages of the WebSocket of the same address."""
    return await _events(request, session_id, spectra_form(session_id))


async def _events(request: AnyRequest, session_id: str, form: Format) -> EventStream:
    services = services_of(request)
    caller = await services.access.check(request, "read")
    key, _ = session_key(caller.project_id, session_id)
    await sessions.get_bounds(services.pool, caller.project_id, key)  # 404 before the answer begins
    cursor = read_cursor(request.headers.get("last-event-id"))

    def start() -> tuple[Subscription, Feed]:
        subscription = services.hub.subscribe((caller.project_id, key))
        return subscription, Feed(subscription, services.hub.reader, cursor)

    return EventStream(services.hub, start, form, lambda: _check(request))


async def _accept(socket: AnySocket, session_id: str) -> Key | None:
    """Accepts a WebSocket of who may read; None for others, who were answered."""
    services = services_of(socket)
    try:
        caller = await services.access.check(socket, "read")
        key, _ = session_key(caller.project_id, session_id)
    except TrackerError as error:
        await refuse(socket, error)
        return None
    except AWAY:
        await refuse(socket, Unavailable("the database did not answer in time: connect again."))
        return None
    await socket.accept()
    return caller.project_id, key


async def _stream(socket: AnySocket, key: Key, form: Format) -> Ended | None:
    hub = services_of(socket).hub
    try:
        subscription = hub.subscribe(key)
    except Unavailable as error:
        return Ended(1013, error.detail)

    async def send(item: Item) -> None:
        text = form(item)
        if text is not None:
            await socket.send_text(text.decode())

    feed = Feed(subscription, hub.reader)
    return await pump(hub, subscription, feed, send, lambda: until_disconnected(socket), lambda: _check(socket))


async def _check(connection: Connection) -> object:
    return await services_of(connection).access.check(connection, "read", limited=False)
