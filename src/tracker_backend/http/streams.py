"""Sends a feed to a subscriber, by WebSocket or as server-sent events, until one side ends the stream."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect
from litestar.types import Receive, Scope, Send

from tracker_backend.errors import Forbidden, NotFound, TrackerError, Unauthorized, Unavailable
from tracker_backend.live.feed import Feed, Item
from tracker_backend.live.hub import Hub
from tracker_backend.live.subscription import SLOW, Ended, Subscription
from tracker_backend.metrics import LIVE_DROPPED, REFUSED

SEND_SECONDS = 20.0
"""A subscriber that takes no message for so long is disconnected."""
CHECK_SECONDS = 15.0
"""How often a subscriber is authorized again, and a comment is sent on a silent stream of events."""
_CLOSE_SECONDS = 20.0
_REASON_BYTES = 120  # a close frame holds 123
_TURN = 100  # messages, after which other tasks run
_CODES: dict[type[TrackerError], int] = {Unauthorized: 4401, Forbidden: 4403, NotFound: 4404, Unavailable: 1013}
_log = logging.getLogger(__name__)

AnySocket = WebSocket[Any, Any, Any]
Format = Callable[[Item], bytes | None]
"""The text of an item's message; None for items that the dialect does not have."""
Check = Callable[[], Awaitable[object]]
"""Raises Unauthorized or Forbidden once the subscriber may not read any more."""


async def run_stream(
    hub: Hub,
    subscription: Subscription,
    feed: Feed,
    send: Callable[[Item], Awaitable[None]],
    gone: Callable[[], Awaitable[None]],
    check: Check,
) -> Ended | None:
    """Sends the feed's items until the stream ends; why it ended, or None when the subscriber has disconnected."""
    parts = {
        asyncio.create_task(part, name="live-stream")
        for part in (_send_items(feed.items(), send), _wait(gone), _recheck(check), _until_ended(subscription))
    }
    try:
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.unsubscribe(subscription)
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
    errors = [error for part in done if (error := part.exception()) is not None]
    return _ended_by(errors[0]) if len(errors) == len(done) else None


def _ended_by(error: BaseException) -> Ended | None:
    if isinstance(error, Ended):
        return error
    if isinstance(error, OSError | WebSocketDisconnect):
        return None  # the connection broke while something was sent
    if isinstance(error, TrackerError):
        return Ended(_CODES.get(type(error), 1011), error.detail)
    _log.error("a live stream failed", exc_info=error)
    return Ended(1011, "this is an error in the server: its log has the details.")


async def _send_items(items: AsyncGenerator[Item], send: Callable[[Item], Awaitable[None]]) -> None:
    number = 0
    async with aclosing(items):
        async for item in items:
            deadline = asyncio.timeout(SEND_SECONDS)
            try:
                async with deadline:
                    await send(item)
            except TimeoutError:
                if not deadline.expired():
                    raise
                LIVE_DROPPED.labels("send").inc()
                raise Ended(SLOW, "too slow: a message was not taken in time. Connect again.") from None
            number += 1
            if not number % _TURN:
                await asyncio.sleep(0)


async def _wait(gone: Callable[[], Awaitable[None]]) -> None:
    await gone()


async def _until_ended(subscription: Subscription) -> None:
    raise await subscription.until_ended()


async def _recheck(check: Check) -> None:
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            await check()
        except (Unauthorized, Forbidden):
            raise
        except Exception as error:
            _log.debug("a subscriber could not be authorized again: %s", error)


async def until_disconnected(socket: AnySocket) -> None:
    """Reads and ignores messages until the client disconnects."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def close(socket: AnySocket, ended: Ended) -> None:
    """Closes with a code and a reason, if the client takes it in time."""
    reason = ended.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
    with suppress(OSError, RuntimeError, WebSocketDisconnect):  # disconnected; a time-out is an OSError
        async with asyncio.timeout(_CLOSE_SECONDS):
            await socket.close(ended.code, reason)


async def refuse(socket: AnySocket, error: TrackerError) -> None:
    """Answers the handshake with the error's status, or with its close code where the server cannot send a status."""
    REFUSED.labels(error.kind).inc()
    extensions: dict[str, Any] = socket.scope["extensions"] or {}
    if "websocket.http.response" not in extensions:
        await close(socket, Ended(_CODES.get(type(error), 1011), error.detail))
        return
    document = {"type": f"/docs/errors#{error.kind}", "title": error.title(), "status": error.status}
    headers = {**error.headers, "content-type": "application/problem+json"}
    start: Any = {
        "type": "websocket.http.response.start",
        "status": error.status,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    body: Any = {
        "type": "websocket.http.response.body",
        "body": msgspec.json.encode({**document, "detail": error.detail}),
    }
    await socket.send(start)
    await socket.send(body)


class EventStream:
    """Server-sent events: each with the id to continue from, a comment on a silent stream, an error at the end."""

    def __init__(self, hub: Hub, start: Callable[[], tuple[Subscription, Feed]], form: Format, check: Check) -> None:
        self._hub = hub
        self._start = start
        self._form = form
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request."""
        subscription, feed = self._start()
        loop = asyncio.get_running_loop()
        sent_at = loop.time()

        async def write(text: bytes, *, more: bool = True) -> None:
            nonlocal sent_at
            sent_at = loop.time()
            await send({"type": "http.response.body", "body": text, "more_body": more})

        async def send_item(item: Item) -> None:
            text = self._form(item)
            if text is not None:
                # Line breaks in JSON stand between its tokens only.
                line = text.replace(b"\n", b" ").replace(b"\r", b" ")
                await write(b"id: %b\ndata: %b\n\n" % (str(feed.position).encode(), line))

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def check() -> None:
            if loop.time() - sent_at >= CHECK_SECONDS - 1:
                await write(b":\n\n")
            await self._check()

        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await write(b"retry: 1000\n\n")
        except BaseException:
            self._hub.unsubscribe(subscription)
            raise
        ended = await run_stream(self._hub, subscription, feed, send_item, gone, check)
        last = b""
        if ended is not None:
            message = msgspec.json.encode({"type": "error", "code": ended.code, "message": ended.reason})
            last = b"event: error\ndata: %b\n\n" % message
        with suppress(OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await write(last, more=False)


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx does not buffer it
]
