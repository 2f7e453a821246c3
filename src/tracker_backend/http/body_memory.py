"""How many bytes of request bodies this process holds: a bound on its memory, whoever sends how much at once."""

import asyncio
from collections import Counter

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from tracker_backend.errors import TooLarge, Unavailable
from tracker_backend.http.request import Connection
from tracker_backend.settings import Settings

SMALL_BODY = 64 * 1024
"""Bytes that the bodies of calls may have that write no tracked data."""
_AT_ONCE = 2  # large bodies that are inflated at the same time: their size is not known before


class BodyMemory(ASGIMiddleware):
    """Counts the bytes of each body while it arrives, and until its request is answered.

    Bodies of more than 64 KiB leave a quarter of the memory to smaller ones, those of one address half of it. Bodies
    whose sender is not known yet, because the key is in them, have a quarter.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, settings: Settings) -> None:
        self.total = settings.resolved_body_bytes
        self.held = 0
        self.of_unknown = 0
        self.of_address: Counter[str] = Counter()
        self.inflating = asyncio.Semaphore(_AT_ONCE)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Runs the request, whose body is counted as it is read."""
        held = HeldBytes(self)
        scope["state"]["held_bytes"] = held

        async def receive_and_count():
            message = await receive()
            if message["type"] == "http.request":
                held.receive(len(message["body"]))
            return message

        try:
            await next_app(scope, receive_and_count, send)
        finally:
            held.release()


class HeldBytes:
    """The bytes that one request holds."""

    __slots__ = ("_address", "_is_known", "_limit", "_memory", "_size")

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self._address = ""
        self._is_known = False
        self._limit = SMALL_BODY
        self._size = 0

    def expect(self, address: str, limit: int, announced: int, *, is_known: bool) -> None:
        """Says whose body it is, how large it may be, and what its `Content-Length` announces.

        Raises TooLarge and Unavailable, before the body is read.
        """
        self._address, self._limit, self._is_known = address, limit, is_known
        if announced > limit:
            raise too_large(limit)
        self._check(announced)

    @property
    def inflating(self) -> asyncio.Semaphore:
        """Hold it while a body is inflated whose size may be large."""
        return self._memory.inflating

    def identify(self) -> None:
        """Says that the sender is known by now."""
        if not self._is_known:
            self._is_known = True
            self._memory.of_unknown -= self._size

    def receive(self, count: int) -> None:
        """Holds more bytes of the body as it is sent. Raises TooLarge and Unavailable."""
        if self._size + count > self._limit:
            raise too_large(self._limit)
        if count:
            self.add(count)

    def add(self, count: int) -> None:
        """Holds more bytes of any kind. Raises Unavailable."""
        self._check(count)
        was_large = self._size > SMALL_BODY
        self._size += count
        memory = self._memory
        memory.held += count
        if not self._is_known:
            memory.of_unknown += count
        if self._size > SMALL_BODY:
            memory.of_address[self._address] += count if was_large else self._size

    def release(self) -> None:
        """Holds none any more."""
        memory = self._memory
        memory.held -= self._size
        if not self._is_known:
            memory.of_unknown -= self._size
        if self._size > SMALL_BODY:
            memory.of_address[self._address] -= self._size
            if not memory.of_address[self._address]:
                del memory.of_address[self._address]
        self._size = 0

    def _check(self, count: int) -> None:
        memory, size = self._memory, self._size + count
        room = memory.total - memory.held
        if size > SMALL_BODY:
            other = memory.of_address.get(self._address, 0)
            room = min(room - memory.total // 4, memory.total // 2 - other)
        if not self._is_known:
            room = min(room, memory.total // 4 - memory.of_unknown)
        if count > room:
            raise Unavailable(
                f"this server process holds {memory.held} bytes of request bodies, and may hold {memory.total}"
                " (TRACKER_BODY_BYTES): send this again later.",
                retry_after=1,
            )


def held_bytes(connection: Connection) -> HeldBytes:
    """What the connection's request holds."""
    return connection.scope["state"]["held_bytes"]


def too_large(limit: int) -> TooLarge:
    """The error for a body over the limit."""
    return TooLarge(f"the body is larger than {limit} bytes: send it in smaller batches.")
