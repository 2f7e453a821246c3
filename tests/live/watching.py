"""Subscribers of live sessions, and a server that they can reach."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn
from litestar import Litestar
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]
START = 1_790_000_000_000


class _Server(uvicorn.Server):
    """In the test's own loop, whose signals are the test run's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def serve_on(self, listening: socket.socket) -> None:
        await self._serve([listening])


@asynccontextmanager
async def reachable(app: Litestar) -> AsyncGenerator[str]:
    """The address of an app that listens; stopped afterwards as by a signal."""
    listening = socket.create_server(("127.0.0.1", 0))
    asgi: Any = app
    server = _Server(uvicorn.Config(asgi, log_level="warning", access_log=False, timeout_graceful_shutdown=15))
    task = asyncio.create_task(server.serve_on(listening))
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        task.result()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        app.state["services"].hub.end()  # as at a signal
        server.should_exit = True
        await task


def socket_url(url: str, session: str, prefix: str = "/api/v1") -> str:
    """Where a session is watched."""
    return f"{url.replace('http://', 'ws://')}{prefix}/sessions/{session}/live"


class Watcher:
    """A subscriber by WebSocket that keeps what it gets."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.got: list[Json] = []

    async def until(self, is_enough: Callable[["Watcher"], bool]) -> None:
        """Takes messages until it has what the test waits for."""
        while not is_enough(self):
            self.got.append(json.loads(await self.connection.recv()))

    async def until_live(self) -> None:
        """Until what was stored has been given."""
        await self.until(lambda it: {"type": "live"} in it.got)

    async def until_events(self, count: int) -> None:
        """Until it has so many events."""
        await self.until(lambda it: len(it.ids) >= count)

    async def until_rrweb(self, count: int) -> None:
        """Until it has so many rrweb events."""
        await self.until(lambda it: len(it.rrweb) >= count)

    async def until_ids(self, wanted: set[int]) -> None:
        """Until it has these events."""
        await self.until(lambda it: len(it.ids) >= len(wanted) and wanted <= set(it.ids))

    async def until_closed(self) -> tuple[int, str]:
        """Close code and reason; what comes before is kept."""
        with pytest.raises(ConnectionClosed) as closed:
            await self.until(lambda _: False)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, closed.value.rcvd.reason

    @property
    def ids(self) -> list[int]:
        """Of the events it got, in their order."""
        return [message["event"]["event_id"] for message in self.got if message["type"] == "event"]

    @property
    def rrweb(self) -> list[Json]:
        """The rrweb events it got, in their order."""
        return [message["event"] for message in self.got if message["type"] == "rrweb"]


@asynccontextmanager
async def watching(url: str, session: str, **options: Any) -> AsyncGenerator[Watcher]:
    """A subscriber of a session."""
    async with connect(socket_url(url, session), max_size=None, **options) as connection:
        yield Watcher(connection)


async def stream(
    client: httpx.AsyncClient, session: str, last: str | None = None, prefix: str = "/api/v1"
) -> AsyncGenerator[tuple[str, Json]]:
    """Server-sent events of a session with their ids."""
    headers = {"accept": "text/event-stream", **({} if last is None else {"last-event-id": last})}
    async with client.stream("GET", f"{prefix}/sessions/{session}/live", headers=headers, timeout=None) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        identifier = ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                identifier = value
            elif name == "data":
                yield identifier, json.loads(value)


def new_session() -> str:
    """A session id that nobody has used."""
    return str(uuid4())


def clicks(count: int) -> list[Json]:
    """So many events."""
    return [
        {"timestamp": 1000 * number, "event_type": "click", "page_url": "https://shop.example/"}
        for number in range(count)
    ]


def moves(first: int, count: int) -> list[Json]:
    """rrweb events that can be told apart."""
    return [
        {"type": 3, "data": {"source": 1, "positions": [{"x": number, "y": 1, "id": 1}]}, "timestamp": START + number}
        for number in range(first, first + count)
    ]


async def track(client: httpx.AsyncClient, session: str, name: str, count: int = 5) -> None:
    """Stores a batch; sent again as a tracker does until it is acknowledged."""
    body = {"session_id": session, "batch_id": name, "events": clicks(count)}
    while (answer := await client.post("/api/v1/track", json=body)).status_code != 201:
        assert answer.status_code == 503, answer.text


async def record(client: httpx.AsyncClient, session: str, name: str, events: list[Json]) -> None:
    """Stores a batch of rrweb events."""
    body = {"session_id": session, "batch_id": name, "events": events}
    answer = await client.post("/api/v1/track/recording", json=body)
    assert answer.status_code == 201, answer.text


async def stored_ids(client: httpx.AsyncClient, session: str) -> list[int]:
    """Ids of all events that are stored of a session, sorted."""
    answer = await client.get(f"/api/v1/sessions/{session}/events", params={"limit": 10000})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found.get("next_cursor") is None
    return sorted(event["event_id"] for event in found["data"])
