"""A load generator that costs little: requests made before, 32 connections that are kept, answers barely read."""

import asyncio
import time
from collections import deque

from msgspec import Struct


class Load(Struct, frozen=True):
    """What a load found. Latencies in seconds, in order."""

    seconds: float
    latencies: list[float]
    refused: int


def request(path: str, host: str, body: bytes) -> bytes:
    """A whole HTTP request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Client(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last one is there."""

    def __init__(self, requests: deque[bytes], latencies: list[float], done: asyncio.Future[int]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._done = done
        self._refused = 0
        self._sent = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
        if len(body) < length:
            return
        self._latencies.append(time.perf_counter() - self._sent)
        self._refused += not self._buffer.startswith(b"HTTP/1.1 201")
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        if not self._requests:
            self._done.set_result(self._refused)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._requests.popleft())


async def run(host: str, port: int, requests: list[bytes], connections: int) -> Load:
    """Sends the requests over so many connections at once and waits for every answer."""
    loop = asyncio.get_running_loop()
    waiting = deque(requests)
    latencies: list[float] = []
    ends: list[asyncio.Future[int]] = [loop.create_future() for _ in range(connections)]
    started = time.perf_counter()
    for done in ends:
        await loop.create_connection(lambda done=done: _Client(waiting, latencies, done), host, port)
    refused = sum(await asyncio.gather(*ends))
    return Load(time.perf_counter() - started, sorted(latencies), refused)
