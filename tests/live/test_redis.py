"""Several servers that tell each other by Redis, which may go and come back."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.live.watching import new_session, reachable, stored_ids, track, watching
from tests.redis_server import PROGRAM, RedisServer
from tracker_backend.app import create_app
from tracker_backend.live import hub
from tracker_backend.settings import Settings

pytestmark = [pytest.mark.tiers("plain"), pytest.mark.skipif(PROGRAM is None, reason="no redis-server on this machine")]


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="tracker-redis-") as folder:
        made = RedisServer(Path(folder))
        yield made
        made.kill()


@pytest.fixture
async def live_settings(settings: Settings, dsn: str, redis_server: RedisServer) -> Settings:
    await redis_server.start()
    return msgspec.structs.replace(settings, database_url=dsn, redis_url=redis_server.url)


@pytest.fixture
async def other(live_settings: Settings, dsn: str) -> AsyncIterator[str]:
    """The address of a second server."""
    async with reachable(create_app(live_settings, dsn)) as made:
        yield made


async def health(client: httpx.AsyncClient, state: str) -> str:
    """The server's status once Redis is in a state."""
    while True:
        answer = (await client.get("/health")).json()
        if answer["redis"] == state:
            return answer["status"]
        await asyncio.sleep(0.02)


async def test_what_one_server_stores_the_subscriber_of_another_is_told(
    monkeypatch: pytest.MonkeyPatch, web: httpx.AsyncClient, other: str
) -> None:
    monkeypatch.setattr(hub, "CHECK_SECONDS", 3600.0)  # by Redis alone
    monkeypatch.setattr(hub, "POLL_SECONDS", 3600.0)
    session = new_session()
    await track(web, session, "a")
    async with watching(other, session) as watcher:
        await watcher.until_live()
        await asyncio.gather(*(track(web, session, f"b{number}") for number in range(100)))
        await watcher.until_events(505)
        assert sorted(watcher.ids) == await stored_ids(web, session)
        assert await health(web, "connected") == "healthy"


async def test_a_redis_that_is_killed_and_comes_back_costs_nothing(
    web: httpx.AsyncClient, other: str, redis_server: RedisServer
) -> None:
    session = new_session()
    await track(web, session, "a")

    async def kill() -> None:
        async with httpx.AsyncClient(base_url=other, timeout=None) as second:
            for _ in range(2):
                redis_server.kill()
                assert await health(web, "disconnected") == "degraded"
                assert await health(second, "disconnected") == "degraded"
                await watcher_got_more.wait()
                await redis_server.start()
                await health(web, "connected")
                await health(second, "connected")

    watcher_got_more = asyncio.Event()
    async with watching(other, session) as watcher:
        await watcher.until_live()
        killing = asyncio.create_task(kill())
        number = 0
        while not killing.done():
            await asyncio.gather(*(track(web, session, f"b{number + part}", 3) for part in range(4)))
            number += 4
            await watcher.until_events(5 + 3 * number)  # also while it is away
            watcher_got_more.set()
        await killing
        await track(web, session, "last", 1)
        await watcher.until_events(5 + 3 * number + 1)
        assert sorted(watcher.ids) == await stored_ids(web, session)


async def test_a_redis_that_is_not_there_stops_no_server(live_settings: Settings, dsn: str) -> None:
    gone = msgspec.structs.replace(live_settings, redis_url="redis://127.0.0.1:1")
    session = new_session()
    async with (
        reachable(create_app(gone, dsn)) as one,
        reachable(create_app(gone, dsn)) as two,
        httpx.AsyncClient(base_url=one) as web,
    ):
        await track(web, session, "a")
        async with watching(two, session) as watcher:
            await watcher.until_live()
            await track(web, session, "b")
            await watcher.until_events(10)
