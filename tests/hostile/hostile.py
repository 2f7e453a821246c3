"""A hostile request: what is sent, and what must come back. `requests.py` lists them, the test and the bench send them.

It is sent over a socket of its own, piece by piece: what no HTTP library would send must be possible.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import uuid4

from msgspec import Struct

CLOSED = 0
"""In place of a status: the connection is closed without an answer."""
Pieces = Iterable[bytes]


class Target(Struct, frozen=True):
    """The server, and the public write key of its first project."""

    host: str
    port: int
    key: str


class Hostile(Struct, frozen=True):
    """What somebody with a public key, or with none, may send."""

    name: str
    send: Callable[[Target], Pieces]
    """The bytes of one connection. The next piece is sent when the last one is on its way; after the last one the
    connection stays open until the server answers or closes it."""
    answers: frozenset[int]
    """The statuses that may come back first; `CLOSED` for none."""
    connections: int = 1
    """How many do it at once."""


def head(target: Target, method: str, path: str, **headers: object) -> bytes:
    """A request's first line and headers. `x_api_key="…"` becomes `x-api-key`."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {target.host}:{target.port}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def post(path: str, body: bytes, **headers: object) -> Callable[[Target], Pieces]:
    """Sends a whole POST with the public key. `content_encoding="gzip"` and the like are further headers."""

    def send(target: Target) -> Pieces:
        yield head(target, "POST", path, x_api_key=target.key, content_length=len(body), **headers)
        yield body

    return send


def track(**event: object) -> Callable[[Target], Pieces]:
    """Sends a batch of one event with these fields. Use it for a value that is costly to read or to mask."""
    sent = {"timestamp": 1795255200000, "event_type": "click", "page_url": "https://shop.example/", **event}
    return post("/api/v1/track", json.dumps({"session_id": str(uuid4()), "events": [sent]}).encode())


def recording(*events: object) -> Callable[[Target], Pieces]:
    """Sends a batch of these rrweb events."""
    return post("/api/v1/track/recording", json.dumps({"session_id": str(uuid4()), "events": events}).encode())


async def answer(target: Target, hostile: Hostile) -> int:
    """Sends it over one connection. Returns the first status that comes back, or CLOSED."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    sending = asyncio.create_task(_send(writer, hostile.send(target)))
    try:
        line = await _first_line(reader)
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        writer.transport.abort()
    return int(line.split()[1]) if line else CLOSED


async def answers(target: Target, hostile: Hostile) -> list[int]:
    """Sends it over all its connections at once. Returns what came back on each."""
    return list(await asyncio.gather(*(answer(target, hostile) for _ in range(hostile.connections))))


async def _first_line(reader: asyncio.StreamReader) -> bytes:
    with suppress(ConnectionError):
        while line := await reader.readline():
            if not line.startswith(b"HTTP/1.1 100") and line.startswith(b"HTTP/"):
                return line
    return b""


async def _send(writer: asyncio.StreamWriter, pieces: Pieces) -> None:
    with suppress(ConnectionError):  # the server has closed it
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
