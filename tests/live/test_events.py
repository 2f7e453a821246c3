"""Watching a session by server-sent events, and going on where a stream ended."""

import asyncio
from contextlib import aclosing

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.live.watching import Json, moves, new_session, record, stored_ids, stream, track


async def test_they_are_those_of_the_websocket(web: httpx.AsyncClient) -> None:
    session = new_session()
    await track(web, session, "a", 2)
    await record(web, session, "b", moves(0, 2))
    got: list[Json] = []
    async with aclosing(stream(web, session)) as events:
        async for _, message in events:
            got.append(message)
            if message["type"] == "live":
                await track(web, session, "c", 1)
            if len(got) == 6:
                break
    assert [message["type"] for message in got] == ["event", "event", "rrweb", "rrweb", "live", "event"]
    assert [message["event"] for message in got[2:4]] == moves(0, 2)


async def test_an_unknown_session_is_not_found(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"/api/v1/sessions/{new_session()}/live")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/docs/errors#not-found"


async def test_line_breaks_of_a_client_do_not_break_the_stream(web: httpx.AsyncClient) -> None:
    session = new_session()
    body = '{"session_id": "%s", "events": [{\r\n  "type": 5,\n"data": {"tag": "a\\nb"},\r"timestamp": 1790000000000}]}'
    assert (await web.post("/api/v1/track/recording", content=body % session)).status_code == 201
    async with aclosing(stream(web, session)) as events:
        async for _, message in events:
            if message["type"] == "rrweb":
                assert message["event"] == {"type": 5, "data": {"tag": "a\nb"}, "timestamp": 1790000000000}
                break


async def take(client: httpx.AsyncClient, session: str, last: str | None, count: int) -> tuple[list[Json], str | None]:
    """So many messages from where a stream ended, and where this one did."""
    got: list[Json] = []
    async with aclosing(stream(client, session, last)) as events:
        async for identifier, message in events:
            got.append(message)
            last = identifier
            if len(got) == count:
                break
    return got, last


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_a_stream_goes_on_where_it_ended(web: httpx.AsyncClient, data: st.DataObject) -> None:
    session = new_session()
    await track(web, session, "first", 1)
    ids: list[int] = []
    rrweb: list[Json] = []
    last: str | None = None
    total, recorded = 1, 0
    for number in range(data.draw(st.integers(1, 4))):
        for part in range(data.draw(st.integers(0, 3))):
            if data.draw(st.booleans()):
                count = data.draw(st.integers(1, 6))
                await track(web, session, f"{number}-{part}", count)
                total += count
            else:
                count = data.draw(st.integers(1, 6))
                start = data.draw(st.integers(0, 5))  # they overlap
                await record(web, session, f"r{number}-{part}", moves(start, count))
                recorded += count
        left = total + recorded - len(ids) - len(rrweb)
        got, last = await take(web, session, last, data.draw(st.integers(1, left + 1)))
        ids += [message["event"]["event_id"] for message in got if message["type"] == "event"]
        rrweb += [message["event"] for message in got if message["type"] == "rrweb"]
    while left := total + recorded - len(ids) - len(rrweb):
        got, last = await take(web, session, last, min(left, data.draw(st.integers(1, 5))))
        ids += [message["event"]["event_id"] for message in got if message["type"] == "event"]
        rrweb += [message["event"] for message in got if message["type"] == "rrweb"]
    assert sorted(ids) == await stored_ids(web, session)
    replay = (await web.get(f"/api/v1/sessions/{session}/recording", headers={"accept-encoding": "identity"})).json()
    assert sorted(rrweb, key=str) == sorted(replay, key=str)


@pytest.mark.parametrize("last", ["nonsense", "ffffffffffffffffffff", "1~2~3", "1.0-1-0", ""])
async def test_a_place_that_is_none_is_the_beginning(web: httpx.AsyncClient, last: str) -> None:
    session = new_session()
    await track(web, session, "a", 2)
    got, _ = await take(web, session, last, 3)
    assert [message["type"] for message in got] == ["event", "event", "live"]


async def test_streams_that_break_all_the_time_lose_nothing_among_writers(web: httpx.AsyncClient) -> None:
    session = new_session()
    await track(web, session, "first")
    batches, writers = 20, 4

    async def write(writer: int) -> None:
        for number in range(batches):
            if number % 4 == 3:
                await record(web, session, f"r-{writer}-{number}", moves(1000 * writer + 10 * number, 3))
            else:
                await track(web, session, f"{writer}-{number}", 3)

    recorded = writers * batches // 4 * 3

    async def watch(length: int) -> None:
        ids: list[int] = []
        times: list[int] = []
        last: str | None = None
        while len(times) < recorded or not stored or len(ids) < len(stored):
            left = (recorded - len(times)) + (len(stored) - len(ids) if stored else 1)
            got, last = await take(web, session, last, max(1, min(length, left)))
            ids += [message["event"]["event_id"] for message in got if message["type"] == "event"]
            times += [message["event"]["timestamp"] for message in got if message["type"] == "rrweb"]
        assert sorted(ids) == stored
        assert len(times) == len(set(times)) == recorded

    stored: list[int] = []
    watchers = [asyncio.create_task(watch(length)) for length in (3, 7, 20)]
    await asyncio.gather(*(write(number) for number in range(writers)))
    stored += await stored_ids(web, session)
    await asyncio.gather(*watchers)
