"""The other server processes: which of them have subscribers, and announcements of committed batches to them.

A process announces batches only if another process has subscribers, so a single process has no cost. When a process
gets its first subscriber, it sends `want`, and repeats it from time to time. Each process that receives it for the
first time answers `welcome`. Then the subscriber's process checks the database once: earlier batches are stored there,
later ones are announced. Messages that cannot be sent wait. If too many wait, `resync` makes the others check the
database.
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

from tracker_backend.live.batch_reference import BatchReference, PeerMessage, decode, encode, pack

INTEREST_SECONDS = 30
"""How often a process repeats `want`. After three missing repeats it is forgotten."""
_MAX_WAITING = 10_000  # references to send: 2 MB
_PART = 1000
_BACKOFF = (0.1, 0.5, 1, 2, 5)
_FLUSH_SECONDS = 2
_log = logging.getLogger(__name__)


class Transport(Protocol):
    """A broadcast between processes. A sender receives its own messages, too."""

    async def listen(self, on_ready: Callable[[], None], on_message: Callable[[str | bytes], None]) -> None:
        """Connect, call `on_ready`, then `on_message` with each text. Raises when the connection is lost."""
        ...

    async def send(self, text: str) -> None:
        """Send a text. Raises if it may not have been received."""
        ...

    async def close(self) -> None:
        """Close the connection that `send` uses."""
        ...


class Listener(Protocol):
    """Receives what other processes announce."""

    def deliver(self, references: list[BatchReference]) -> None:
        """Another process has committed these batches."""
        ...

    def recheck(self, since: int | None = None) -> None:
        """Batches may have been missed: those above `since`, or those of the last two minutes."""
        ...

    def connection_changed(self) -> None:
        """The connection was lost or restored."""
        ...


class Peers:
    """Call `start` first, then `announce` and `set_interest`, which never wait; `stop` sends what is waiting."""

    def __init__(self, transport: Transport | None, listener: Listener, *, alone: bool = False) -> None:
        self.name = secrets.token_hex(6)
        self.is_up = alone
        """Whether this process receives messages. Always true if it is the only one."""
        self._transport = transport
        self._listener = listener
        self._has_subscribers = False
        self._interested: dict[str, float] = {}
        self._control: deque[PeerMessage] = deque()
        self._references: deque[BatchReference] = deque()
        self._resync_since = 0
        self._wake = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to listen and to send."""
        if self._transport is not None:
            self._tasks = [
                asyncio.create_task(self._listen(self._transport), name="live-listen"),
                asyncio.create_task(self._send(self._transport), name="live-send"),
            ]

    async def stop(self) -> None:
        """Send what is waiting, for at most two seconds, and stop."""
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
    def is_wanted(self) -> bool:
        """Whether another process has subscribers."""
        if self._interested and self.is_up:  # without a connection no repeats arrive, so nobody is forgotten
            limit = time.monotonic() - 3 * INTEREST_SECONDS
            self._interested = {name: moment for name, moment in self._interested.items() if moment > limit}
        return bool(self._interested)

    def announce(self, references: list[BatchReference]) -> None:
        """Announce committed batches to the other processes."""
        self._references += references
        while len(self._references) > _MAX_WAITING:
            self.request_resync(self._references.popleft().lowest)
        self._wake_sender()

    def request_resync(self, since: int) -> None:
        """Let the other processes check the database for batches above an id that could not be announced."""
        self._resync_since = min(self._resync_since or since, since)
        self._wake_sender()

    def set_interest(self, has_subscribers: bool) -> None:
        """Announce whether this process has subscribers."""
        if has_subscribers != self._has_subscribers:
            self._has_subscribers = has_subscribers
            self._queue_message("want" if has_subscribers else "rest")

    def _queue_message(self, kind: Literal["hello", "want", "rest", "welcome"], to: str = "") -> None:
        if self._transport is not None:
            self._control.append(PeerMessage(self.name, kind, to))
            self._wake_sender()

    def _wake_sender(self) -> None:
        self._is_idle.clear()
        self._wake.set()

    async def _listen(self, transport: Transport) -> None:
        failures = 0
        while True:
            try:
                await transport.listen(self._on_ready, self._on_message)
            except Exception as error:
                if self.is_up or not failures:
                    _log.warning(
                        "no messages from other server processes, polling the database every second: %s", error
                    )
                failures = 1 if self.is_up else failures + 1
            if self.is_up:
                self.is_up = False
                self._listener.connection_changed()
            await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF)) - 1])

    def _on_ready(self) -> None:
        self.is_up = True
        self._queue_message("hello")
        if self._has_subscribers:
            self._queue_message("want")
        self._listener.connection_changed()
        self._listener.recheck()

    def _on_message(self, text: str | bytes) -> None:
        try:
            message = decode(text)
        except msgspec.MsgspecError:
            return  # sent by another version
        if message.sender == self.name or (message.to and message.to != self.name):
            return
        if message.kind == "batches":
            self._listener.deliver(message.references)
        elif message.kind in ("welcome", "resync"):
            self._listener.recheck(message.since or None)
        else:
            self._update_interest(message)

    def _update_interest(self, message: PeerMessage) -> None:
        """Remember which processes have subscribers."""
        if message.kind == "hello" and self._has_subscribers:
            self._queue_message("want")
        elif message.kind == "want":
            is_new = message.sender not in self._interested
            self._interested[message.sender] = time.monotonic()
            if is_new:
                self._queue_message("welcome", message.sender)
        elif message.kind == "rest":
            self._interested.pop(message.sender, None)

    async def _send(self, transport: Transport) -> None:
        failures = 0
        while True:
            try:
                await self._send_waiting(transport)
                failures = 0
            except Exception as error:
                if not failures:
                    _log.warning("committed batches cannot be announced to other server processes: %s", error)
                failures += 1
                await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF)) - 1])
                continue
            self._is_idle.set()
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(INTEREST_SECONDS):
                    await self._wake.wait()
                continue
            if self._has_subscribers:
                self._queue_message("want")

    async def _send_waiting(self, transport: Transport) -> None:
        while self._control:
            await transport.send(encode(self._control[0]))
            self._control.popleft()
        while self._resync_since:
            since, self._resync_since = self._resync_since, 0
            try:
                await transport.send(encode(PeerMessage(self.name, "resync", since=since)))
            except BaseException:
                self.request_resync(since)
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
