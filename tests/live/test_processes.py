"""Several server processes on one database: a subscriber of one gets what another stores, whatever dies meanwhile."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, suppress

import asyncpg
import httpx
import msgspec
import psutil
import pytest

from tests.live.watching import Watcher, new_session, reachable, stored_ids, stream, track, watching
from tests.processes import Running
from tracker_backend.app import create_app
from tracker_backend.live import hub
from tracker_backend.live.transports import channel_of
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")

_LISTENERS = "from pg_stat_activity where application_name = 'tracker-backend live' and datname = current_database()"


@pytest.fixture
async def only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks into the database but who is told to."""
    monkeypatch.setattr(hub, "CHECK_SECONDS", 3600.0)
    monkeypatch.setattr(hub, "POLL_SECONDS", 3600.0)


async def write_while(client: httpx.AsyncClient, session: str, what: Awaitable[None]) -> None:
    """Stores batch after batch until something is done."""
    done = asyncio.ensure_future(what)
    number = 0
    while not done.done():
        await asyncio.gather(*(track(client, session, f"w{number + part}", 3) for part in range(4)))
        number += 4
    await done


async def gets_all(watcher: Watcher, client: httpx.AsyncClient, session: str) -> None:
    """The watcher gets every stored event once, and the next one after them."""
    stored = await stored_ids(client, session)
    await watcher.until_events(len(stored))
    await track(client, session, "the last of all", 1)
    await watcher.until_events(len(stored) + 1)
    assert sorted(watcher.ids) == await stored_ids(client, session)


@pytest.mark.tiers("plain", "timescale")
@pytest.mark.usefixtures("only_told")
async def test_what_one_server_stores_the_subscriber_of_another_is_told(
    live_settings: Settings, dsn: str, url: str, web: httpx.AsyncClient
) -> None:
    session = new_session()
    await track(web, session, "a")
    async with reachable(create_app(live_settings, dsn)) as other, watching(other, session) as watcher:
        await watcher.until_live()
        await asyncio.gather(*(track(web, session, f"b{number}") for number in range(100)))
        await gets_all(watcher, web, session)


@pytest.mark.tiers("plain", "timescale")
@pytest.mark.usefixtures("only_told")
async def test_a_subscriber_that_comes_while_another_server_writes_misses_nothing(
    live_settings: Settings, dsn: str, web: httpx.AsyncClient
) -> None:
    session = new_session()
    await track(web, session, "a")
    async with reachable(create_app(live_settings, dsn)) as other:

        async def watch() -> None:
            for _ in range(5):
                async with watching(other, session) as watcher:
                    await watcher.until_live()
                    stored = set(await stored_ids(web, session))  # more comes meanwhile
                    await watcher.until_ids(stored)
                    assert len(watcher.ids) == len(set(watcher.ids))

        await write_while(web, session, watch())


async def test_nobody_is_told_where_nobody_watches(
    live_settings: Settings, dsn: str, url: str, web: httpx.AsyncClient
) -> None:
    heard: list[str] = []

    def hear(_connection: object, _process: int, _channel: str, payload: object) -> None:
        heard.append(str(payload))

    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    async with reachable(create_app(live_settings, dsn)) as other:
        while await connection.fetchval(f"select count(*) {_LISTENERS}") < 2:
            pass
        secret: bytes = await connection.fetchval("select secret from tracker.installation")
        await connection.add_listener(channel_of(secret), hear)
        session = new_session()
        await track(web, session, "a")
        async with watching(other, session) as watcher:
            await watcher.until_live()
            while not any('"welcome"' in text for text in heard):
                await connection.fetchval("select 1")
            await track(web, session, "b")
            await watcher.until_events(10)
    await connection.close()
    kinds = [msgspec.json.decode(text)[1] for text in heard]
    assert "batches" in kinds[kinds.index("welcome") :]
    assert "batches" not in kinds[: kinds.index("want")]


async def kill_listeners(dsn: str, times: int) -> None:
    """Ends the listening connections, each time that they are back."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    for _ in range(times):
        while not await connection.fetchval(f"select count(pg_terminate_backend(pid)) {_LISTENERS}"):
            pass
    await connection.close()


async def test_a_listening_connection_that_is_killed_costs_nothing(
    live_settings: Settings, dsn: str, url: str, web: httpx.AsyncClient
) -> None:
    session = new_session()
    await track(web, session, "a")
    async with reachable(create_app(live_settings, dsn)) as other, watching(other, session) as watcher:
        await watcher.until_live()
        await write_while(web, session, kill_listeners(dsn, 6))
        await gets_all(watcher, web, session)


async def test_connections_that_are_all_killed_cost_nothing(
    live_settings: Settings, dsn: str, url: str, web: httpx.AsyncClient
) -> None:
    session = new_session()
    await track(web, session, "a")

    async def kill() -> None:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
        for _ in range(3):
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            await track(web, session, "b")
        await connection.close()

    async with reachable(create_app(live_settings, dsn)) as other, watching(other, session) as watcher:
        await watcher.until_live()
        await write_while(web, session, kill())
        await gets_all(watcher, web, session)


async def test_a_server_that_is_killed_costs_the_subscriber_of_another_nothing(dsn: str) -> None:
    session = new_session()
    with Running(DATABASE_URL=dsn) as one, Running(DATABASE_URL=dsn) as other:
        urls = [one.url, other.url]

        async def write(client: httpx.AsyncClient, writer: int) -> None:
            for number in range(60):
                while True:
                    try:
                        await track(client, session, f"{writer}-{number}", 3)
                        break
                    except httpx.TransportError:
                        client.base_url = urls[1]  # as a balancer sends it to another one
                if (writer, number) == (0, 20):
                    one.process.send_signal(signal.SIGKILL)

        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(httpx.AsyncClient(base_url=urls[number % 2], timeout=None))
                for number in range(4)
            ]
            await track(clients[1], session, "a")
            watcher = await stack.enter_async_context(watching(other.url, session))
            await watcher.until_live()
            await asyncio.gather(*(write(client, number) for number, client in enumerate(clients)))
            await gets_all(watcher, clients[1], session)
            assert len(watcher.ids) == 5 + 4 * 60 * 3 + 1


async def followed(client: httpx.AsyncClient, session: str, is_enough: Callable[[list[int]], bool]) -> list[int]:
    """Ids of events that a browser gets, which connects again with the last id that it saw."""
    ids: list[int] = []
    last: str | None = None
    while not is_enough(ids):
        with suppress(httpx.TransportError):
            async with aclosing(stream(client, session, last)) as events:
                async for identifier, message in events:
                    last = identifier
                    if message["type"] == "event":
                        ids.append(message["event"]["event_id"])
                    if is_enough(ids):
                        break
    return ids


@pytest.fixture
async def clients() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_a_worker_that_is_killed_costs_nothing(dsn: str, clients: AsyncExitStack) -> None:
    session = new_session()
    with Running(DATABASE_URL=dsn, TRACKER_WORKERS="2") as server:

        def workers() -> list[psutil.Process]:
            """Those that listen to the server's address, not the one that looks after them."""
            return [
                child
                for child in psutil.Process(server.process.pid).children()
                if "multiprocessing.spawn" in " ".join(child.cmdline())
            ]

        async def client() -> httpx.AsyncClient:
            return await clients.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=None))

        async def write(writer: httpx.AsyncClient, name: int) -> None:
            for number in range(50):
                while True:
                    with suppress(httpx.TransportError):
                        await track(writer, session, f"{name}-{number}", 3)
                        break
                    await asyncio.sleep(0.02)
                if (name, number) == (0, 15):
                    os.kill(workers()[0].pid, signal.SIGKILL)

        total = 5 + 4 * 50 * 3
        await track(await client(), session, "a")
        watchers = [
            asyncio.create_task(followed(await client(), session, lambda ids: len(ids) >= total)) for _ in range(8)
        ]
        await asyncio.gather(*[write(await client(), name) for name in range(4)])
        stored = await stored_ids(await client(), session)
        assert len(stored) == total
        for ids in await asyncio.gather(*watchers):
            assert sorted(ids) == stored


async def test_a_server_with_subscribers_stops_at_once(dsn: str, clients: AsyncExitStack) -> None:
    session = new_session()
    with Running(DATABASE_URL=dsn, TRACKER_WORKERS="2") as server:
        web = await clients.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=None))
        await track(web, session, "a")
        streams = [stream(web, session) for _ in range(6)]
        for each in streams:
            assert (await anext(each))[1]["type"] == "event"
        stopped = asyncio.create_task(asyncio.to_thread(server.end))
        for each in streams:
            got = [message async for _, message in each]
            assert (got[-1]["type"], got[-1]["code"]) == ("error", 1012)
        errors = await stopped
        assert server.process.returncode == 0
        assert "graceful shutdown exceeded" not in errors
