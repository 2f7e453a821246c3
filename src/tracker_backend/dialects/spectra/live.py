"""Live streams as `spectra` has them: its messages, and a WebSocket client that subscribes by a message."""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from litestar import get, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath
from msgspec import Struct

from tracker_backend.dialects.error_shapes import success_and_error
from tracker_backend.dialects.spectra.custom import ERROR, to_custom_event, to_error
from tracker_backend.errors import TrackerError
from tracker_backend.http.live import EVENT_STREAM, Ticket, accept, open_event_stream, stream_to
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.streams import AnySocket, EventStream, Format, close
from tracker_backend.ingest.rows import RRWEB
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.live.batch_reference import Key
from tracker_backend.live.feed import Item
from tracker_backend.live.subscription import Ended

SUBSCRIBE_SECONDS = 30.0
"""How long a WebSocket client has to send its first message."""
_encode = msgspec.json.Encoder().encode


class Subscribe(Struct, rename="camel", tag="subscribe"):
    """The first message of a WebSocket client."""

    session_id: str


_subscribe = msgspec.json.Decoder(Subscribe)


def message_format(session: str) -> Format:
    """Formats rrweb events, custom events and errors as messages. Events that were found in the recording are left out:
    the client finds them itself.
    """
    begin = b',"sessionId":' + _encode(session) + b","

    def format_item(item: Item) -> bytes | None:
        if item.kind == "rrweb":
            return b'{"type":"event"%b"event":%b}' % (begin, item.text)
        if item.event is None or item.event.source == RRWEB:
            return None
        if item.event.event_type == ERROR:
            return b'{"type":"error"%b"error":%b}' % (begin, _encode(to_error(item.event, item.offset)))
        return b'{"type":"customEvent"%b"event":%b}' % (begin, _encode(to_custom_event(item.event, item.offset)))

    return format_item


@websocket("/api/sessions/{session_id:str}/live", scope="read", takes_tickets=True)
async def watch(socket: AnySocket, session_id: FromPath[str], ticket: Ticket = None) -> None:
    """Watch a session, after a subscribe message: what is stored first, then each batch as it is committed."""
    reader = await accept(socket, session_id, ticket)
    if reader is None:
        return
    ended = await _wait_for_subscribe(socket, reader[1])
    if ended is None:
        ended = await stream_to(socket, *reader, message_format(session_id))
    if ended is not None and ended.code:
        message = _encode({"type": "error", "sessionId": session_id, "message": ended.reason}).decode()
        with suppress(OSError, RuntimeError, WebSocketDisconnect):  # it is gone, or too slow for this too
            async with asyncio.timeout(1):
                await socket.send_text(message)
        await close(socket, ended)


@get(
    "/api/sessions/{session_id:str}/live",
    scope="read",
    takes_tickets=True,
    error_shape=success_and_error,
    summary="Watch a session",
    tags=["spectra"],
    responses=EVENT_STREAM,
)
async def watch_events(request: AnyRequest, session_id: FromPath[str], ticket: Ticket = None) -> EventStream:
    """Watch a session as server-sent events, with the messages of the WebSocket of the same address."""
    return await open_event_stream(request, session_id, ticket, message_format(session_id))


async def _wait_for_subscribe(socket: AnySocket, key: Key) -> Ended | None:
    """Waits for the client's first message; the close code and reason if it is not a valid one."""
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
