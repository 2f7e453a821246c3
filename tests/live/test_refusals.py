"""Who may not watch, who watches too slowly, and the server's end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.http.api import public_key
from tests.live.watching import Json, new_session, reachable, record, socket_url, stored_ids, stream, track, watching
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.http import streams
from tracker_backend.http.services import Services
from tracker_backend.live import subscription
from tracker_backend.metrics import LIVE_DROPPED
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")


@pytest.fixture
async def guarded(live_settings: Settings, dsn: str) -> AsyncIterator[tuple[Litestar, str]]:
    """A server where every call needs a key, for two subscribers at most."""
    app = create_app(msgspec.structs.replace(live_settings, auth="required", live_subscribers=2), dsn)
    async with reachable(app) as url:
        yield app, url


async def make_key(services: Services, kind: Any) -> dict[str, str]:
    return {"x-api-key": await keys.create_key(services.pool, 1, kind)}


async def begun(url: str, services: Services) -> str:
    """A session with an event."""
    session = new_session()
    async with httpx.AsyncClient(base_url=url, headers=await make_key(services, "write")) as client:
        await track(client, session, "a", 1)
    return session


async def status(url: str, session: str, query: str = "", **options: Any) -> int:
    """How the handshake is answered."""
    try:
        async with connect(socket_url(url, session) + query, **options):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_only_keys_that_read_may_watch(guarded: tuple[Litestar, str]) -> None:
    app, url = guarded
    services: Services = app.state["services"]
    session = await begun(url, services)
    write, read, admin = [await make_key(services, kind) for kind in ("write", "read", "admin")]
    assert await status(url, session) == 401
    assert await status(url, session, additional_headers=write) == 403
    assert await status(url, session, query=f"?key={await public_key(services)}") == 403
    assert await status(url, session, query=f"?key={read['x-api-key']}") == 401
    assert await status(url, session, additional_headers={"x-api-key": "tb_r_unknown"}) == 401
    assert await status(url, session, additional_headers=read) == 101
    bearer = {"authorization": f"Bearer {admin['x-api-key']}"}
    assert await status(url, session, additional_headers=bearer, origin="https://dashboard.example") == 101
    async with httpx.AsyncClient(base_url=url) as client:
        path = f"/api/v1/sessions/{session}/live"
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=write)).status_code == 403
        assert (await client.get(path, params={"key": await public_key(services)})).status_code == 403
        assert (await client.get(path, params={"key": read["x-api-key"]})).status_code == 401


async def test_a_session_of_another_project_is_unknown(guarded: tuple[Litestar, str]) -> None:
    app, url = guarded
    services: Services = app.state["services"]
    session = await begun(url, services)
    other = await make_project(services.pool, "other")
    key = {"x-api-key": await keys.create_key(services.pool, other, "read")}
    async with watching(url, session, additional_headers=key) as watcher:
        assert (await watcher.until_closed())[0] == 4404


async def test_a_revoked_key_ends_what_it_began(guarded: tuple[Litestar, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.1)
    app, url = guarded
    services: Services = app.state["services"]
    session = await begun(url, services)
    key = await make_key(services, "read")
    async with watching(url, session, additional_headers=key) as watcher:
        await watcher.until_live()
        await services.pool.execute("update tracker.api_keys set revoked_at = now() where kind = 'read'")
        code, reason = await watcher.until_closed()
    assert code == 4401
    assert "revoked" in reason


async def test_more_subscribers_than_there_may_be_are_turned_away(guarded: tuple[Litestar, str]) -> None:
    app, url = guarded
    services: Services = app.state["services"]
    session = await begun(url, services)
    key = await make_key(services, "read")
    async with watching(url, session, additional_headers=key) as first:
        await first.until_live()
        async with watching(url, session, additional_headers=key) as second:
            await second.until_live()
            async with watching(url, session, additional_headers=key) as one_more:
                code, reason = await one_more.until_closed()
            assert code == 1013
            assert "TRACKER_LIVE_SUBSCRIBERS" in reason
            async with httpx.AsyncClient(base_url=url, headers=key) as client:
                assert (await client.get(f"/api/v1/sessions/{session}/live")).status_code == 503
        async with AsyncExitStack() as stack, httpx.AsyncClient(base_url=url) as web:
            # The place is free once the server has seen it go.
            while services.hub.is_full:
                assert (await web.get("/health")).status_code == 200
            third = await stack.enter_async_context(watching(url, session, additional_headers=key))
            await third.until_live()


def large(number: int) -> list[Json]:
    return [{"type": 5, "data": {"tag": "x", "payload": "y" * 400_000}, "timestamp": 1_790_000_000_000 + number}]


@pytest.mark.parametrize(("reason", "backlog", "seconds"), [("backlog", 3, 60.0), ("send", 1000, 0.3)])
async def test_a_slow_subscriber_is_dropped_and_told_while_others_go_on(
    web: httpx.AsyncClient, url: str, monkeypatch: pytest.MonkeyPatch, reason: str, backlog: int, seconds: float
) -> None:
    monkeypatch.setattr(subscription, "BACKLOG", backlog)
    monkeypatch.setattr(streams, "SEND_SECONDS", seconds)
    session = new_session()
    await track(web, session, "a", 1)
    dropped = LIVE_DROPPED.labels(reason)
    before = value(dropped)
    async with (
        watching(url, session, max_queue=1, compression=None) as slow,
        watching(url, session, compression=None) as quick,
    ):
        await slow.until_live()
        number = 0
        while value(dropped) == before:  # it takes nothing meanwhile
            await record(web, session, f"r{number}", large(number))
            number += 1
            await quick.until_rrweb(number)
        code, told = await slow.until_closed()
        assert (code, told.startswith("too slow")) == (4008, True)
        await track(web, session, "b", 1)
        await quick.until_events(2)
        assert sorted(quick.ids) == await stored_ids(web, session)


async def test_a_slow_stream_of_events_ends_with_an_error(
    web: httpx.AsyncClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "SEND_SECONDS", 0.3)
    session = new_session()
    await track(web, session, "a", 1)
    before = value(LIVE_DROPPED.labels("send"))
    async with aclosing(stream(web, session)) as events:
        assert (await anext(events))[1]["type"] == "event"
        number = 0
        while value(LIVE_DROPPED.labels("send")) == before:
            await record(web, session, f"r{number}", large(number))
            number += 1
        got = [message async for _, message in events]
    assert (got[-1]["type"], got[-1]["code"]) == ("error", 4008)


def value(counter: Any) -> float:
    return counter._value.get()


async def test_silent_streams_say_that_they_are_there(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.05)
    session = new_session()
    await track(web, session, "a", 1)
    async with web.stream("GET", f"/api/v1/sessions/{session}/live") as answer:
        async for line in answer.aiter_lines():
            if line == ":":
                break


async def test_the_end_of_the_server_ends_its_streams(live_settings: Settings, dsn: str) -> None:
    session = new_session()
    async with AsyncExitStack() as server, AsyncExitStack() as clients:
        url = await server.enter_async_context(reachable(create_app(live_settings, dsn)))
        web = await clients.enter_async_context(httpx.AsyncClient(base_url=url))
        await track(web, session, "a", 1)
        watcher = await clients.enter_async_context(watching(url, session))
        await watcher.until_live()
        events = await clients.enter_async_context(aclosing(stream(web, session)))
        assert (await anext(events))[1]["type"] == "event"

        async def rest() -> list[Json]:
            return [message async for _, message in events]

        (code, _), last, _ = await asyncio.gather(watcher.until_closed(), rest(), server.aclose())
        assert (code, last[-1]["code"]) == (1012, 1012)
