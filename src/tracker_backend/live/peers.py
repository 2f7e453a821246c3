"""The other server processes: who of them wants to be told of batches, and telling them.

A process tells nobody unless another one has subscribers, so one alone pays nothing. Who gets its first subscriber
says so (`want`) and once more now and then; each that hears it for the first time answers `welcome`, on which the
other looks into the database once: what was committed before is there, what comes later is told. What cannot be sent
waits, and if too much waits the others are told to look for themselves (`resync`).
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

import msgspec

from tracker_backend.live.reference import Message, Reference, decode, encode, pack

WANT_SECONDS = 30
"""How often a process repeats that it wants batches; three times silent, it is forgotten."""
_WAITING = 10_000  # references that wait to be sent: 2 MB
_PART = 1000
_BACKOFF = (0.1, 0.5, 1, 2, 5)
_FLUSH_SECONDS = 2
_log = logging.getLogger(__name__)


class Transport(Protocol):
    """A way to all other processes: what one sends all hear, itself included."""

    async def hear(self, ready: Callable[[], None], heard: Callable[[str | bytes], None]) -> None:
        """Connects, calls `ready`, and `heard` with each text; raises when the connection is lost."""
        ...

    async def send(self, text: str) -> None:
        """Sends a text; raises when it may not have been heard."""
        ...

    async def close(self) -> None:
        """Gives back what `send` holds."""
        ...


class Listener(Protocol):
    """Who is told what the others say."""

    def take(self, references: list[Reference]) -> None:
        """Batches that another process committed."""
        ...

    def look_back(self, since: int | None = None) -> None:
        """Batches may have been missed: those above an id, or of the last two minutes."""
        ...

    def link_changed(self) -> None:
        """The connection was lost or is back."""
        ...


class Peers:
    """`start`, then `tell` and `want` at any time without waiting, then `stop`, which sends what waits."""

    def __init__(self, transport: Transport | None, listener: Listener, *, alone: bool = False) -> None:
        self.name = secrets.token_hex(6)
        self.is_up = alone
        """Whether the others are heard. There are none for one alone."""
        self._transport = transport
        self._listener = listener
        self._wanting = False
        self._wanted: dict[str, float] = {}
        self._control: deque[Message] = deque()
        self._references: deque[Reference] = deque()
        self._lost_since = 0
        self._wake = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to hear and to send."""
        if self._transport is not None:
            self._tasks = [
                asyncio.create_task(self._hear(self._transport), name="live-hear"),
                asyncio.create_task(self._send(self._transport), name="live-send"),
            ]

    async def stop(self) -> None:
        """Sends what waits, if that is quick, and ends."""
        if self._tasks and (self._references or self._control):
            with suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await self._is_idle.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            await self._transport.close()

    @property
    def want_batches(self) -> bool:
        """Whether another process wants to be told."""
        if self._wanted and self.is_up:  # while nobody is heard, nobody is forgotten
            limit = time.monotonic() - 3 * WANT_SECONDS
            self._wanted = {name: heard for name, heard in self._wanted.items() if heard > limit}
        return bool(self._wanted)

    def tell(self, references: list[Reference]) -> None:
        """Tells the others of committed batches."""
        self._references += references
        while len(self._references) > _WAITING:
            self.lose(self._references.popleft().lowest)
        self._awake()

    def lose(self, since: int) -> None:
        """Tells the others that batches from an id on may be there without having been told."""
        self._lost_since = min(self._lost_since or since, since)
        self._awake()

    def want(self, wanting: bool) -> None:
        """Says whether this process has subscribers."""
        if wanting != self._wanting:
            self._wanting = wanting
            self._say("want" if wanting else "rest")

    def _say(self, kind: Literal["hello", "want", "rest", "welcome"], to: str = "") -> None:
        if self._transport is not None:
            self._control.append(Message(self.name, kind, to))
            self._awake()

    def _awake(self) -> None:
        self._is_idle.clear()
        self._wake.set()

    async def _hear(self, transport: Transport) -> None:
        failures = 0
        while True:
            try:
                await transport.hear(self._ready, self._heard)
            except Exception as error:
                if self.is_up or not failures:
                    _log.warning("other server processes are not heard, the database is asked each second: %s", error)
                failures = 1 if self.is_up else failures + 1
            if self.is_up:
                self.is_up = False
                self._listener.link_changed()
            await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF)) - 1])

    def _ready(self) -> None:
        self.is_up = True
        self._say("hello")
        if self._wanting:
            self._say("want")
        self._listener.link_changed()
        self._listener.look_back()

    def _heard(self, text: str | bytes) -> None:
        try:
            message = decode(text)
        except msgspec.MsgspecError:
            return  # of another version
        if message.sender == self.name or (message.to and message.to != self.name):
            return
        if message.kind == "batches":
            self._listener.take(message.references)
        elif message.kind in ("welcome", "resync"):
            self._listener.look_back(message.since or None)
        else:
            self._learn(message)

    def _learn(self, message: Message) -> None:
        """Keeps in mind who wants to be told."""
        if message.kind == "hello" and self._wanting:
            self._say("want")
        elif message.kind == "want":
            is_new = message.sender not in self._wanted
            self._wanted[message.sender] = time.monotonic()
            if is_new:
                self._say("welcome", message.sender)
        elif message.kind == "rest":
            self._wanted.pop(message.sender, None)

    async def _send(self, transport: Transport) -> None:
        failures = 0
        while True:
            try:
                await self._send_waiting(transport)
                failures = 0
            except Exception as error:
                if not failures:
                    _log.warning("other server processes cannot be told of batches: %s", error)
                failures += 1
                await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF)) - 1])
                continue
            self._is_idle.set()
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(WANT_SECONDS):
                    await self._wake.wait()
                continue
            if self._wanting:
                self._say("want")

    async def _send_waiting(self, transport: Transport) -> None:
        while self._control:
            await transport.send(encode(self._control[0]))
            self._control.popleft()
        while self._lost_since:
            since, self._lost_since = self._lost_since, 0
            try:
                await transport.send(encode(Message(self.name, "resync", since=since)))
            except BaseException:
                self.lose(since)
                raise
        while self._references:
            part = [self._references.popleft() for _ in range(min(len(self._references), _PART))]
            sent = 0
            try:
                for text, count in pack(self.name, part):
                    await transport.send(text)
                    sent += count
            finally:
                self._references.extendleft(reversed(part[sent:]))
