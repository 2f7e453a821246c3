"""A batch is stored once, however often, from wherever and in whatever order it is sent."""

import asyncio
import base64
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest
from litestar import Litestar
from PIL import Image

from tests.conftest import running
from tests.http.api import (
    API,
    PAGE,
    Json,
    batch,
    check_problem,
    event,
    events_of,
    get,
    local,
    new_session,
    now,
    row_counts,
    track,
)
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings


@pytest.fixture
async def second(app: Litestar, settings: Settings, dsn: str) -> AsyncIterator[Litestar]:
    """A second server process on the same database."""
    async with running(create_app(settings, dsn)) as made:
        assert len({it.state["services"].database.node.number for it in (app, made)}) == 2
        yield made


@pytest.fixture
async def other(second: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the second process."""
    async with local(second) as client:
        yield client


def _named(session_id: str, index: int) -> Json:
    kinds = ("click", "scroll", "error", "pageview", "rage_click")
    events = [event(event_type=kind, event_data={"batch": index, "n": n}) for n, kind in enumerate(kinds)]
    return batch(*events, session_id=session_id, batch_id=f"b{index}")


def _unnamed(session_id: str, index: int) -> Json:
    return {name: value for name, value in _named(session_id, index).items() if name != "batch_id"}


Make = Callable[[str, int], Json]


@pytest.mark.parametrize("make", [_named, _unnamed], ids=["named", "unnamed"])
async def test_a_retried_batch_is_stored_once(client: httpx.AsyncClient, make: Make) -> None:
    session = new_session()
    body = make(session, 0)
    for attempt in range(3):
        answer = await client.post(f"{API}/track", json={**body, "sent_at": 1_700_000_000_000 + attempt})
        assert answer.status_code == 201
        assert answer.json() == {"message": "5 events stored", "count": 5}
    stored = await get(client, f"/sessions/{session}")
    assert stored["event_count"] == 5
    assert stored["click_count"] == stored["error_count"] == stored["page_count"] == stored["rage_click_count"] == 1
    assert len(await events_of(client, session)) == 5


async def test_another_spelling_of_the_same_json_is_the_same_batch(client: httpx.AsyncClient) -> None:
    session = new_session()
    stamp = now().isoformat()
    first = (
        f'{{"session_id":"{session}","events":[{{"timestamp":"{stamp}","event_type":"click","page_url":"{PAGE}"}}]}}'
    )
    second = (
        f'{{ "events": [ {{"page_url": "{PAGE.replace("shop", chr(92) + "u0073hop")}", "event_type": "click",'
        f' "timestamp": "{stamp}"}} ], "session_id": "{session.upper()}" }}'
    )
    for text in (first, second):
        assert (await client.post(f"{API}/track", content=text)).status_code == 201
    assert len(await events_of(client, session)) == 1


async def test_batches_that_differ_in_anything_are_two(client: httpx.AsyncClient) -> None:
    session, one = new_session(), event(event_data={"n": 1})
    others = [
        {**one, "event_data": {"n": 2}},
        {**one, "timestamp": "2026-01-01T00:00:00Z"},
        {**one, "event_type": "scroll"},
        {**one, "viewport_x": 5},
        {**one, "unknown": 1},
    ]
    for line in (one, *others):
        await track(client, line, session_id=session)
    await track(client, one, one, session_id=session)
    assert len(await events_of(client, session)) == len(others) + 3


async def test_two_sessions_may_use_the_same_name(client: httpx.AsyncClient) -> None:
    one = event()
    sessions = [await track(client, one, batch_id="same") for _ in range(2)]
    for session in sessions:
        assert len(await events_of(client, session)) == 1


async def test_a_name_and_the_digest_of_a_batch_are_different_things(client: httpx.AsyncClient) -> None:
    session, one = new_session(), event()
    await track(client, one, session_id=session)
    await track(client, one, session_id=session, batch_id="b")
    assert len(await events_of(client, session)) == 2


RRWEB: list[Json] = [
    {"type": 4, "data": {"href": PAGE, "width": 800, "height": 600}, "timestamp": 1_795_255_200_000},
    {"type": 3, "data": {"source": 1, "positions": []}, "timestamp": 1_795_255_200_001},
]


ONE = event(event_data={"n": 1})


async def test_events_and_recordings_of_a_session_may_use_the_same_names(client: httpx.AsyncClient) -> None:
    session = new_session()
    recording: Json = {"session_id": session, "events": RRWEB, "batch_id": "1"}
    for _ in range(2):
        await track(client, ONE, session_id=session, batch_id="1")
        answer = await client.post(f"{API}/track/recording", json=recording)
        assert answer.json() == {"message": "2 events stored", "count": 2}
    stored = await get(client, f"/sessions/{session}")
    assert (stored["native_event_count"], stored["recorded_event_count"]) == (1, 2)


@pytest.mark.parametrize(
    ("path", "first", "second"),
    [
        ("track", [ONE], [{**ONE, "event_data": {"n": 2}}]),
        ("track", [ONE], [{**ONE, "event_type": "scroll"}]),
        ("track", [ONE], [{**ONE, "viewport_x": 1}]),
        ("track", [ONE], [ONE, ONE]),
        ("track", [ONE, {**ONE, "event_type": "scroll"}], [ONE]),
        ("track/recording", RRWEB, RRWEB[:1]),
        ("track/recording", RRWEB, [RRWEB[0], {**RRWEB[1], "data": {"source": 1, "positions": [1]}}]),
    ],
)
async def test_another_content_under_the_same_name_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, services: Services, path: str, first: list[Json], second: list[Json]
) -> None:
    sent: Json = {"session_id": new_session(), "events": first, "batch_id": "one"}
    assert (await client.post(f"{API}/{path}", json=sent)).status_code == 201
    before = await row_counts(services.pool)
    answer = await client.post(f"{API}/{path}", json={**sent, "events": second})
    check_problem(answer, 409, "conflict", "'one'", "nothing of this batch was stored", "a name of its own")
    assert await row_counts(services.pool) == before
    assert (await client.post(f"{API}/{path}", json={**sent, "sent_at": 5})).status_code == 201, "a repeat still is one"
    assert await row_counts(services.pool) == before


@pytest.mark.parametrize("path", ["track", "track/recording"])
async def test_the_beginning_of_a_stored_batch_is_a_repeat_and_the_whole_after_its_beginning_is_refused(
    client: httpx.AsyncClient, path: str
) -> None:
    events = RRWEB if path == "track/recording" else [event(), event()]
    whole: Json = {"session_id": new_session(), "events": events, "batch_id": "one"}
    part: Json = {**whole, "events": events[:1], "partial": True}
    answers = [(await client.post(f"{API}/{path}", json=sent)).status_code for sent in (whole, part)]
    assert answers == [201, 201]
    other = {"session_id": new_session()}
    answers = [(await client.post(f"{API}/{path}", json={**sent, **other})).status_code for sent in (part, whole)]
    assert answers == [201, 409]


async def test_of_concurrent_batches_of_one_name_one_content_is_stored_and_the_others_are_refused(
    client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    session = new_session()
    bodies = [batch({**ONE, "event_data": {"n": n % 4}}, session_id=session, batch_id="1") for n in range(16)]
    answers = await asyncio.gather(
        *((client, other)[n % 2].post(f"{API}/track", json=body) for n, body in enumerate(bodies))
    )
    [stored] = await events_of(client, session)
    for n, answer in enumerate(answers):
        assert answer.status_code == (201 if n % 4 == stored["event_data"]["n"] else 409)


async def test_a_named_batch_of_before_digests_is_known_whatever_its_kind(
    client: httpx.AsyncClient, services: Services
) -> None:
    sessions = [await track(client, event(), batch_id="1") for _ in range(2)]
    # As earlier versions stored them: without a digest, a recording under the same identity as events.
    await services.pool.execute("update tracker.ingest_batches set digest = null")
    for path, events in (("track", [event(), event()]), ("track/recording", RRWEB)):
        sent = {"session_id": sessions.pop(), "batch_id": "1", "events": events}
        assert (await client.post(f"{API}/{path}", json=sent)).status_code == 201
        stored = await get(client, f"/sessions/{sent['session_id']}")
        assert (stored["native_event_count"], stored["recorded_event_count"]) == (1, 0)


async def test_a_repeat_is_one_although_the_masking_rules_changed_between(
    client: httpx.AsyncClient, services: Services, without_memory: None
) -> None:
    sent = batch(event(event_data={"nickname": "Quark"}), batch_id="1")
    assert (await client.post(f"{API}/track", json=sent)).status_code == 201
    await services.pool.execute("""update tracker.projects set settings = '{"masking": {"fields": ["nickname"]}}'""")
    assert (await client.post(f"{API}/track", json=sent)).status_code == 201
    assert len(await events_of(client, sent["session_id"])) == 1
    later = {**sent, "events": [{**sent["events"][0], "timestamp": 1}]}
    assert (await client.post(f"{API}/track", json=later)).status_code == 409


@pytest.mark.parametrize("seed", range(3))
async def test_doubled_batches_in_any_order_over_two_processes_are_stored_once(
    client: httpx.AsyncClient, other: httpx.AsyncClient, services: Services, second: Litestar, seed: int
) -> None:
    shuffle = random.Random(seed)
    sessions = [new_session() for _ in range(6)]
    bodies = [make(session, index) for session in sessions for index in range(8) for make in (_named, _unnamed)]
    copies = [(body, sender) for body in bodies for sender in (client, other, client, other)]
    shuffle.shuffle(copies)

    answers = await asyncio.gather(*(sender.post(f"{API}/track", json=body) for body, sender in copies))

    assert Counter(answer.status_code for answer in answers) == {201: len(copies)}
    assert {answer.json()["count"] for answer in answers} == {5}
    for session in sessions:
        lines = await events_of(client, session)
        told = Counter((line["event_data"]["batch"], line["event_data"]["n"]) for line in lines)
        assert told == {(index, n): 2 for index in range(8) for n in range(5)}, (
            "the named and the unnamed one, once each"
        )
        assert len({line["event_id"] for line in lines}) == len(lines)
        stored = await get(other, f"/sessions/{session}")
        assert stored["event_count"] == stored["native_event_count"] == len(lines) == 80
        for counter in ("click_count", "error_count", "page_count", "rage_click_count"):
            assert stored[counter] == 16
    counts = await row_counts(services.pool)
    assert counts["sessions"] == counts["sessions counted"] == len(sessions)
    assert counts["ingest_batches"] == len(bodies)
    assert counts["events"] == 80 * len(sessions)
    assert (await get(other, "/sessions"))["total"] == len(sessions)
    assert await _deadlocks(services, second.state["services"]) == 0


async def test_writers_of_many_sessions_in_opposite_order_never_deadlock(
    client: httpx.AsyncClient, other: httpx.AsyncClient, services: Services, second: Litestar
) -> None:
    sessions = sorted(new_session() for _ in range(40))
    lines = [_named(session, index) for index in range(4) for session in sessions]
    starts: list[Json] = [{"session_id": session, "page_url": PAGE, "user_id": "u"} for session in sessions]

    async def send(sender: httpx.AsyncClient, bodies: list[Json], path: str) -> list[int]:
        answers = await asyncio.gather(*(sender.post(f"{API}/{path}", json=body) for body in bodies))
        return [answer.status_code for answer in answers]

    sent = await asyncio.gather(
        send(client, lines, "track"),
        send(other, lines[::-1], "track"),
        send(client, starts[::-1], "sessions"),
        send(other, starts, "sessions"),
    )

    assert set(sent[0] + sent[1]) == {201}
    assert set(sent[2] + sent[3]) <= {200, 201}
    for session in sessions:
        stored = await get(client, f"/sessions/{session}")
        assert (stored["event_count"], stored["user_id"]) == (20, "u")
    assert (await row_counts(services.pool))["sessions counted"] == len(sessions)
    assert await _deadlocks(services, second.state["services"]) == 0


async def test_erasing_sessions_while_both_processes_write_them_never_deadlocks(
    client: httpx.AsyncClient, other: httpx.AsyncClient, services: Services, second: Litestar
) -> None:
    key = await _admin_key(services)
    sessions = [new_session() for _ in range(20)]
    bodies = [_named(session, index) for index in range(3) for session in sessions]
    await asyncio.gather(*(client.post(f"{API}/track", json=body) for body in bodies))

    answers = await asyncio.gather(
        *(sender.post(f"{API}/track", json=body) for body in bodies for sender in (client, other)),
        *(other.delete(f"{API}/sessions/{session}", headers={"x-api-key": key}) for session in sessions),
    )

    assert Counter(answer.status_code for answer in answers) == {201: len(bodies) * 2, 204: len(sessions)}
    counts = await row_counts(services.pool)
    assert counts["sessions"] == counts["sessions counted"]
    assert counts["events"] == counts["ingest_batches"] * 5
    stored = [await client.get(f"{API}/sessions/{session}") for session in sessions]
    assert sum(answer.json()["event_count"] for answer in stored if answer.status_code == 200) == counts["events"]
    assert await _deadlocks(services, second.state["services"]) == 0


async def test_a_batch_is_still_known_after_a_restart(settings: Settings, dsn: str) -> None:
    body = _unnamed(new_session(), 0)
    for _ in range(2):
        async with running(create_app(settings, dsn)) as app, local(app) as client:
            assert (await client.post(f"{API}/track", json=body)).status_code == 201
            assert len(await events_of(client, body["session_id"])) == 5


async def test_concurrent_copies_of_a_screenshot_all_get_its_one_id(
    client: httpx.AsyncClient, other: httpx.AsyncClient, services: Services
) -> None:
    out = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(out, "PNG")
    body = {
        "session_id": new_session(),
        "page_url": PAGE,
        "timestamp": now().isoformat(),
        "image_data": f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}",
        "width": 64,
        "height": 64,
    }
    answers = await asyncio.gather(
        *(sender.post(f"{API}/track/screenshot", json=body) for sender in (client, other) * 4)
    )
    assert {answer.status_code for answer in answers} == {201}
    [identifier] = {answer.json()["screenshot_id"] for answer in answers}
    stored = await get(client, f"/sessions/{body['session_id']}")
    assert stored["screenshot_count"] == 1
    assert (await row_counts(services.pool))["screenshots"] == 1
    assert (await client.get(f"{API}/screenshots/{identifier}")).content == out.getvalue()


async def test_a_batch_sent_again_after_its_session_was_deleted_is_dropped(
    client: httpx.AsyncClient, services: Services
) -> None:
    body = _named(new_session(), 0)
    key = await _admin_key(services)
    for _ in range(2):
        assert (await client.post(f"{API}/track", json=body)).status_code == 201
    deleted = await client.delete(f"{API}/sessions/{body['session_id']}", headers={"x-api-key": key})
    assert deleted.status_code == 204
    again = await client.post(f"{API}/track", json=body)
    assert (again.status_code, again.headers["x-tracker-dropped"]) == (201, "erased")
    assert (await client.get(f"{API}/sessions/{body['session_id']}")).status_code == 404


async def _admin_key(services: Services) -> str:
    return await keys.create_key(services.pool, await keys.default_project(services.pool), "admin")


async def _deadlocks(*nodes: Services) -> int:
    """What the database has counted, once every connection of these processes has handed in its numbers."""
    for services in nodes:
        async with AsyncExitStack() as stack:
            for _ in range(services.pool.get_size()):
                connection = await stack.enter_async_context(services.pool.acquire())
                await connection.execute("select pg_stat_force_next_flush()")
    sql = "select deadlocks from pg_stat_database where datname = current_database()"
    return await nodes[0].pool.fetchval(sql)


async def test_the_counter_of_deadlocks_counts(services: Services) -> None:
    async with services.pool.acquire() as one, services.pool.acquire() as two:
        await one.execute("create table tracker.a (); create table tracker.b ();")
        first, second = one.transaction(), two.transaction()
        await first.start()
        await second.start()
        await one.execute("lock table tracker.a")
        await two.execute("lock table tracker.b")
        results = await asyncio.gather(
            one.execute("lock table tracker.b"), two.execute("lock table tracker.a"), return_exceptions=True
        )
        assert sum(isinstance(result, asyncpg.DeadlockDetectedError) for result in results) == 1
        await first.rollback()
        await second.rollback()
    assert await _deadlocks(services) == 1
