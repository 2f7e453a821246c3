"""Watching a session by WebSocket: what is stored, then what comes, each once."""

import asyncio
import json

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.live.watching import Json, moves, new_session, record, socket_url, stored_ids, track, watching


async def test_what_is_stored_comes_first_and_then_what_is_committed(web: httpx.AsyncClient, url: str) -> None:
    session = new_session()
    await track(web, session, "a")
    await record(web, session, "b", moves(0, 10))
    async with watching(url, session) as watcher:
        await watcher.until_live()
        assert len(watcher.ids) == 5
        assert watcher.rrweb == moves(0, 10)
        await track(web, session, "c", 3)
        await record(web, session, "d", moves(10, 4))
        await watcher.until_events(8)
        await watcher.until_rrweb(14)
        assert watcher.rrweb == moves(0, 14)
        assert sorted(watcher.ids) == await stored_ids(web, session)
        listed = (await web.get(f"/api/v1/sessions/{session}/events")).json()["data"]
        given = [message["event"] for message in watcher.got if message["type"] == "event"]
        assert sorted(given, key=lambda it: it["event_id"]) == sorted(listed, key=lambda it: it["event_id"])


async def test_a_repeated_batch_is_not_given_again(web: httpx.AsyncClient, url: str) -> None:
    session = new_session()
    await track(web, session, "a")
    async with watching(url, session) as watcher:
        await watcher.until_live()
        for name in ("b", "b", "a", "b", "c"):
            await track(web, session, name, 1 if name != "a" else 5)
        await watcher.until_events(7)
        await track(web, session, "d", 1)
        await watcher.until_events(8)
        assert sorted(watcher.ids) == await stored_ids(web, session)


async def test_subscribers_that_come_among_many_writers_miss_nothing_and_get_nothing_twice(
    web: httpx.AsyncClient, url: str
) -> None:
    session = new_session()
    await track(web, session, "first")
    batches, writers = 30, 6

    async def write(writer: int) -> None:
        for number in range(batches):
            if number % 5 == 4:
                await record(web, session, f"r-{writer}-{number}", moves(1000 * writer + 10 * number, 3))
            else:
                await track(web, session, f"{writer}-{number}", 1 + number % 7)

    async def watch(delay: asyncio.Task[None] | None) -> tuple[list[int], list[Json]]:
        if delay is not None:
            await delay
        async with watching(url, session) as watcher:
            await everything.wait()
            total = len(await stored_ids(web, session))
            await watcher.until_events(total)
            await watcher.until_rrweb((writers + 1) * batches // 5 * 3)
            await track(web, session, "last", 1)  # what is too much would have come before
            await watcher.until(lambda it: any(number not in before for number in it.ids))
            return watcher.ids, watcher.rrweb

    everything = asyncio.Event()
    written = [asyncio.create_task(write(number)) for number in range(writers)]
    some = asyncio.create_task(write(writers))
    watchers = [asyncio.create_task(watch(some if number > 4 else None)) for number in range(8)]
    await asyncio.gather(*written, some)
    before = set(await stored_ids(web, session))
    everything.set()
    for ids, rrweb in await asyncio.gather(*watchers):
        assert len(ids) == len(set(ids))
        assert before <= set(ids)
        times = [event["timestamp"] for event in rrweb]
        assert len(times) == len(set(times)) == (writers + 1) * batches // 5 * 3


async def test_an_unknown_session_is_told_by_the_close_code(url: str) -> None:
    async with watching(url, new_session()) as watcher:
        assert (await watcher.until_closed())[0] == 4404
    assert watcher.got == []


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:1", "null"])
async def test_a_page_of_another_site_is_refused(web: httpx.AsyncClient, url: str, origin: str) -> None:
    session = new_session()
    await track(web, session, "a")
    with pytest.raises(InvalidStatus) as refused:
        async with connect(socket_url(url, session), origin=Origin(origin)):
            pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["type"] == "/docs/errors#forbidden"
    async with connect(socket_url(url, session), origin=Origin(url)) as connection:
        assert json.loads(await connection.recv())["type"] == "event"
