"""Watching a session as clients of `spectra` do."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.live.watching import Json, Watcher, moves, new_session, record, socket_url, stream

pytestmark = pytest.mark.tiers("plain")


async def send(client: httpx.AsyncClient, session: str) -> None:
    """Native events, which `spectra` sees as custom events and errors, and two rrweb events."""
    common = {"page_url": "https://shop.example/", "timestamp": 1_790_000_000_000}
    events = [
        {**common, "event_type": "checkout", "event_data": {"total": 17}},
        {**common, "event_type": "error", "event_data": {"message": "boom", "stack": "at x"}},
    ]
    answer = await client.post("/api/v1/track", json={"session_id": session, "events": events})
    assert answer.status_code == 201, answer.text
    await record(client, session, "r", moves(0, 2))


@asynccontextmanager
async def subscribed(url: str, session: str, first: Any) -> AsyncGenerator[Watcher]:
    """A subscriber after its first message."""
    async with connect(socket_url(url, session, "/api")) as connection:
        await connection.send(first if isinstance(first, str | bytes) else json.dumps(first))
        yield Watcher(connection)


def check(got: list[Json], session: str) -> None:
    assert [message["type"] for message in got] == ["customEvent", "error", "event", "event"]
    assert {message["sessionId"] for message in got} == {session}
    assert got[0]["event"]["eventType"] == "checkout"
    assert got[0]["event"]["data"]["total"] == 17
    assert (got[1]["error"]["message"], got[1]["error"]["stack"]) == ("boom", "at x")
    assert [message["event"] for message in got[2:]] == moves(0, 2)


@pytest.mark.parametrize("is_text", [False, True])
async def test_one_message_an_event_after_subscribing(web: httpx.AsyncClient, url: str, is_text: bool) -> None:
    session = new_session()
    await send(web, session)
    message: Any = json.dumps({"type": "subscribe", "sessionId": session, "more": 1})
    async with subscribed(url, session, message if is_text else message.encode()) as watcher:
        await watcher.until(lambda it: len(it.got) == 4)
    check(watcher.got, session)


async def test_the_same_as_server_sent_events(web: httpx.AsyncClient) -> None:
    session = new_session()
    await send(web, session)
    got: list[Json] = []
    async with aclosing(stream(web, session, prefix="/api")) as events:
        async for _, message in events:
            got.append(message)
            if len(got) == 4:
                break
    check(got, session)


@pytest.mark.parametrize(
    "first",
    ["hello", "[]", {"type": "subscribe"}, {"type": "leave"}, {"type": "subscribe", "sessionId": "another"}, b"\xff"],
)
async def test_any_other_first_message_is_told_and_closed(web: httpx.AsyncClient, url: str, first: Any) -> None:
    session = new_session()
    await send(web, session)
    async with subscribed(url, session, first) as watcher:
        assert (await watcher.until_closed())[0] == 4400
    assert [(message["type"], message["sessionId"]) for message in watcher.got] == [("error", session)]
    assert "sessionId" in watcher.got[0]["message"]


async def test_an_unknown_session_is_told(web: httpx.AsyncClient, url: str) -> None:
    session = new_session()
    async with subscribed(url, session, {"type": "subscribe", "sessionId": session}) as watcher:
        assert (await watcher.until_closed())[0] == 4404
    assert [message["type"] for message in watcher.got] == ["error"]
    answer = await web.get(f"/api/sessions/{session}/live")
    assert answer.status_code == 404
    assert answer.json()["success"] is False
