"""`/api/v1/sessions`: start, list by filter and page, look at."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.http.api import API, CHROME, PAGE, Json, batch, check_problem, event, get, new_session, now, track
from tracker_backend.http.services import Services

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.5 Mobile/15E148 Safari/604.1"
)
STARTED: Json = {
    "page_url": PAGE,
    "user_id": "customer-17",
    "user_email": "ann@shop.example",
    "fingerprint": "f-1",
    "referrer": "https://search.example/?q=mugs",
    "user_agent": CHROME,
    "screen_width": 1920,
    "screen_height": 1080,
    "viewport_width": 1280,
    "viewport_height": 720,
    "device_type": "tablet",
    "browser": "Chromium",
    "os": "Plan 9",
    "language": "de-AT",
    "app_id": "shop",
    "ticket_id": "T-1",
    "metadata": {"plan": "pro", "seats": 3},
}
COLUMNS = {
    "session_id", "client_session_id", "user_id", "user_email", "fingerprint", "started_at", "ended_at",
    "last_activity_at", "first_at", "last_at", "duration_seconds", "is_active", "page_url", "referrer", "user_agent",
    "screen_width", "screen_height", "viewport_width", "viewport_height", "device_type", "browser", "os", "language",
    "app_id", "ticket_id", "metadata", "event_count", "click_count", "error_count", "page_count", "rage_click_count",
    "screenshot_count", "has_recording", "is_bot", "bot_reason", "clock_offset_ms", "ttl_hours", "expires_at",
}  # fmt: skip


@pytest.fixture
def client(own_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller who sees a project of the test's own."""
    return own_client


@pytest.fixture
def services(standing_services: Services) -> Services:
    """What the server holds that tests share."""
    return standing_services


async def start(client: httpx.AsyncClient, **fields: object) -> Json:
    """Starts a session, which must be new, and returns what is stored of it."""
    answer = await client.post(f"{API}/sessions", json={"page_url": PAGE, **fields})
    assert answer.status_code == 201, answer.text
    return await get(client, f"/sessions/{answer.json()['session_id']}")


async def listed(client: httpx.AsyncClient, **parameters: Any) -> list[str]:
    """Ids of a list of sessions, which also counts them."""
    page = await get(client, "/sessions", limit=100, **parameters)
    assert page["total"] == len(page["data"])
    assert "total_estimated" not in page
    return [line["session_id"] for line in page["data"]]


async def test_a_start_is_answered_201_and_then_200_with_the_stored_one(client: httpx.AsyncClient) -> None:
    session, before = new_session(), datetime.now(UTC)
    first = await client.post(f"{API}/sessions", json={"session_id": session, **STARTED})
    assert first.status_code == 201
    assert first.json()["session_id"] == session
    assert before <= datetime.fromisoformat(first.json()["started_at"]) <= datetime.now(UTC)
    again = await client.post(f"{API}/sessions", json={"session_id": session, "page_url": "https://other.example/"})
    assert again.status_code == 200
    assert again.json() == first.json()
    assert (await get(client, f"/sessions/{session}"))["page_url"] == PAGE
    assert (await get(client, "/sessions"))["total"] == 1


async def test_a_start_without_an_id_makes_one(client: httpx.AsyncClient) -> None:
    one, two = await start(client), await start(client)
    assert one["session_id"] != two["session_id"]
    assert one["duration_seconds"] == 0
    assert one["is_active"]


async def test_a_start_is_read_back_whole(client: httpx.AsyncClient) -> None:
    stored = await start(client, **STARTED)
    assert set(stored) >= COLUMNS
    assert {name: stored[name] for name in STARTED} == STARTED
    for name in ("client_session_id", "ended_at", "bot_reason", "ttl_hours", "expires_at", "first_at", "last_at"):
        assert stored[name] is None
    for name in ("event_count", "click_count", "error_count", "page_count", "rage_click_count", "screenshot_count"):
        assert stored[name] == 0
    assert stored["is_bot"] is False


async def test_browser_system_and_device_come_from_the_header_where_the_start_does_not_tell(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(f"{API}/sessions", json={"page_url": PAGE}, headers={"user-agent": IPHONE})
    stored = await get(client, f"/sessions/{answer.json()['session_id']}")
    assert (stored["browser"], stored["os"], stored["device_type"]) == ("Mobile Safari", "iOS", "mobile")
    assert stored["user_agent"] == IPHONE
    told = await start(client, user_agent=CHROME)
    assert (told["browser"], told["os"], told["device_type"]) == ("Chrome", "Linux", "desktop")


async def test_bots_are_labelled_and_kept(client: httpx.AsyncClient) -> None:
    bot = await start(client, user_agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    assert bot["is_bot"] is True
    assert bot["bot_reason"] == "known crawler"


async def test_a_relay_that_passes_events_on_does_not_make_a_bot_of_the_visitor(client: httpx.AsyncClient) -> None:
    told = await start(client, user_agent=CHROME)
    client.headers["user-agent"] = "python-requests/2.31"
    await track(client, event(), session_id=told["session_id"])
    stored = await get(client, f"/sessions/{told['session_id']}")
    assert (stored["user_agent"], stored["is_bot"], stored["bot_reason"]) == (CHROME, False, None)


async def test_metadata_grows_to_a_limit_and_no_further(client: httpx.AsyncClient) -> None:
    session = new_session()
    for number in range(3):
        body = {"session_id": session, "page_url": "https://a.example/", "metadata": {f"m{number}": "x" * 30_000}}
        assert (await client.post(f"{API}/sessions", json=body)).status_code in (200, 201)
    assert set((await get(client, f"/sessions/{session}"))["metadata"]) == {"m0", "m1"}
    body = {"session_id": session, "page_url": "https://a.example/", "metadata": {"big": "x" * 70_000}}
    check_problem(await client.post(f"{API}/sessions", json=body), 422, "invalid", "`metadata`", "65536")


async def test_a_batch_starts_its_session_and_a_late_start_fills_in_what_is_missing(client: httpx.AsyncClient) -> None:
    client.headers["user-agent"] = IPHONE
    moment = now() - timedelta(minutes=3)
    lines = [
        event(timestamp=(moment + timedelta(seconds=n)).isoformat(), page_url="https://first.example/")
        for n in range(4)
    ]
    session = await track(client, *lines, event(event_type="error"))
    implicit = await get(client, f"/sessions/{session}")
    late = await client.post(f"{API}/sessions", json={"session_id": session, **STARTED})
    assert late.status_code == 200
    assert datetime.fromisoformat(late.json()["started_at"]) == moment
    stored = await get(client, f"/sessions/{session}")
    kept = ("page_url", "user_agent", "browser", "os", "device_type")  # the batch told these
    for name in kept:
        assert stored[name] == implicit[name] != STARTED[name]
    for name in STARTED.keys() - set(kept):
        assert stored[name] == STARTED[name], name
    assert (stored["event_count"], stored["click_count"], stored["error_count"]) == (5, 4, 1)
    assert stored["started_at"] == implicit["started_at"]
    await track(client, session_id=session)
    assert (await get(client, f"/sessions/{session}"))["user_id"] == "customer-17"


async def test_metadata_of_several_starts_is_put_together_and_the_first_word_stays(client: httpx.AsyncClient) -> None:
    stored = await start(client, metadata={"a": 1, "b": 1})
    body = {"session_id": stored["session_id"], "page_url": PAGE, "metadata": {"b": 2, "c": 3}}
    assert (await client.post(f"{API}/sessions", json=body)).status_code == 200
    assert (await get(client, f"/sessions/{stored['session_id']}"))["metadata"] == {"a": 1, "b": 1, "c": 3}


async def test_starts_of_one_session_at_the_same_time_make_one(client: httpx.AsyncClient) -> None:
    body = {"session_id": new_session(), **STARTED}
    answers = await asyncio.gather(*(client.post(f"{API}/sessions", json=body) for _ in range(12)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert await listed(client) == [body["session_id"]]


async def test_the_detail_tells_counters_bounds_and_activity(client: httpx.AsyncClient) -> None:
    moment = now() - timedelta(minutes=20)
    kinds = ["click", "click", "error", "pageview", "pageview", "pageview", "rage_click", "scroll"]
    lines = [
        event(event_type=kind, timestamp=(moment + timedelta(seconds=n)).isoformat()) for n, kind in enumerate(kinds)
    ]
    session = await track(client, *lines)
    stored = await get(client, f"/sessions/{session}")
    counters = ("event_count", "click_count", "error_count", "page_count", "rage_click_count", "screenshot_count")
    assert [stored[name] for name in counters] == [8, 2, 1, 3, 1, 0]
    assert [stored[f"native_{name}"] for name in counters[:5]] == [8, 2, 1, 3, 1]
    assert [stored[f"rrweb_{name}"] for name in counters[:5]] == [0] * 5
    assert stored["duration_seconds"] == 7
    assert datetime.fromisoformat(stored["first_at"]) == datetime.fromisoformat(stored["started_at"]) == moment
    assert datetime.fromisoformat(stored["last_at"]) == moment + timedelta(seconds=7)
    assert datetime.fromisoformat(stored["last_activity_at"]) > moment + timedelta(minutes=19)
    assert stored["is_active"] is True


async def test_events_that_arrive_in_any_order_only_widen_a_session(client: httpx.AsyncClient) -> None:
    moment, session = now(), new_session()
    for minutes in (-10, -30, -20, 0, -5):
        await track(client, event(timestamp=(moment + timedelta(minutes=minutes)).isoformat()), session_id=session)
    stored = await get(client, f"/sessions/{session}")
    assert datetime.fromisoformat(stored["first_at"]) == moment - timedelta(minutes=30)
    assert datetime.fromisoformat(stored["last_at"]) == moment
    assert stored["duration_seconds"] == 1800


@pytest.fixture
async def three(client: httpx.AsyncClient) -> list[str]:
    """Three sessions that differ in everything lists filter by, oldest first."""
    moment = now() - timedelta(hours=5)
    made: list[str] = []
    for n, (device, browser, system) in enumerate(
        [("desktop", "Chrome", "Linux"), ("mobile", "Safari", "iOS"), ("tablet", "Firefox", "Android")]
    ):
        begin = moment + timedelta(hours=n)
        lines = [
            event(timestamp=begin.isoformat(), page_url=f"https://shop.example/{n}_100%?q={n}"),
            event(timestamp=(begin + timedelta(seconds=60 * n)).isoformat(), event_type="error" if n == 1 else "click"),
            *[event(timestamp=begin.isoformat(), event_type="pageview")] * (2 - n),
        ]
        body = batch(*lines)
        fields = {"user_id": f"user-{n}", "device_type": device, "browser": browser, "os": system}
        answer = await client.post(
            f"{API}/sessions",
            json={"session_id": body["session_id"], "page_url": lines[0]["page_url"], **fields},
        )
        assert answer.status_code == 201
        assert (await client.post(f"{API}/track", json=body)).status_code == 201
        made.append(body["session_id"])
    return made


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [2, 1, 0]),
        ({"user_id": "user-1"}, [1]),
        ({"user_id": "user"}, []),
        ({"page_url": "/2_100"}, [2]),
        ({"page_url": "SHOP.example"}, [2, 1, 0]),
        ({"page_url": "_100%"}, [2, 1, 0]),
        ({"page_url": "1%100"}, []),
        ({"page_url": "/_"}, []),
        ({"page_url": "\\"}, []),
        ({"device_type": "mobile"}, [1]),
        ({"browser": "Firefox"}, [2]),
        ({"os": "Linux"}, [0]),
        ({"has_errors": "true"}, [1]),
        ({"has_errors": "false"}, [2, 0]),
        ({"min_duration": 60}, [2, 1]),
        ({"min_duration": 60.001}, [2]),
        ({"min_duration": 121}, []),
        ({"browser": "Safari", "has_errors": "true", "os": "iOS", "min_duration": 1}, [1]),
        ({"browser": "Safari", "has_errors": "false"}, []),
        ({"sort": "-event_count"}, [0, 1, 2]),
        ({"sort": "event_count"}, [2, 1, 0]),
        ({"sort": "duration_seconds"}, [0, 1, 2]),
        ({"sort": "-duration_seconds"}, [2, 1, 0]),
        ({"sort": "-page_count"}, [0, 1, 2]),
        ({"sort": "page_count"}, [2, 1, 0]),
        ({"sort": "last_activity_at"}, [0, 1, 2]),
        ({"sort": "-last_activity_at"}, [2, 1, 0]),
    ],
    ids=str,
)
async def test_a_list_is_filtered_and_sorted(
    client: httpx.AsyncClient, three: list[str], parameters: Json, expected: list[int]
) -> None:
    assert await listed(client, **parameters) == [three[n] for n in expected]


async def test_a_list_is_filtered_by_whether_a_session_has_a_recording(client: httpx.AsyncClient) -> None:
    recorded, tracked = new_session(), await track(client)
    snapshot: Json = {"type": 2, "timestamp": int(now().timestamp() * 1000), "data": {}}
    sent = await client.post(f"{API}/track/recording", json={"session_id": recorded, "events": [snapshot]})
    assert sent.status_code == 201, sent.text
    assert await listed(client, has_recording="true") == [recorded]
    assert await listed(client, has_recording="false") == [tracked]


async def test_a_list_is_filtered_by_whether_a_session_is_a_bots(client: httpx.AsyncClient) -> None:
    bot = await start(client, user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    visitor = await start(client, user_agent=CHROME)
    assert await listed(client, is_bot="true") == [bot["session_id"]]
    assert await listed(client, is_bot="false") == [visitor["session_id"]]


async def test_a_list_is_bounded_in_time_and_sorted_by_it(client: httpx.AsyncClient) -> None:
    noon = now() - timedelta(hours=3)
    sessions = [await track(client, event(timestamp=(noon + timedelta(hours=n)).isoformat())) for n in range(3)]
    assert await listed(client, sort="started_at") == sessions
    assert await listed(client, sort="-started_at") == sessions[::-1]
    middle = noon + timedelta(hours=1)
    for text in (
        middle.isoformat(),
        middle.isoformat().replace("+00:00", "Z"),
        str(int(middle.timestamp() * 1000)),
        (middle.astimezone() - timedelta(0)).isoformat(),
    ):
        assert await listed(client, from_=text, sort="started_at") == sessions[1:], "from is included"
        assert await listed(client, to=text) == sessions[:1], "to is not"
    assert await listed(client, from_=middle.isoformat(), to=(middle + timedelta(hours=1)).isoformat()) == [sessions[1]]
    # A plus that nobody escaped arrives as a space.
    raw = await client.get(f"{API}/sessions?from={middle.isoformat()}&sort=started_at")
    assert [line["session_id"] for line in raw.json()["data"]] == sessions[1:]
    whole = middle.replace(microsecond=0)
    assert await listed(client, from_=int(whole.timestamp()), sort="started_at") == sessions[1:]


async def test_pages_by_limit_and_offset(client: httpx.AsyncClient) -> None:
    sessions = [await track(client) for _ in range(7)][::-1]
    first = await get(client, "/sessions")
    assert (first["limit"], first["offset"], first["total"]) == (20, 0, 7)
    assert [line["session_id"] for line in first["data"]] == sessions
    assert "next_cursor" not in first
    page = await get(client, "/sessions", limit=3, offset=2)
    assert (page["limit"], page["offset"], page["total"]) == (3, 2, 7)
    assert [line["session_id"] for line in page["data"]] == sessions[2:5]
    beyond = await get(client, "/sessions", offset=100)
    assert (beyond["data"], beyond["total"]) == ([], 7)


@pytest.mark.parametrize("sort", ["-started_at", "started_at", "-last_activity_at"])
async def test_pages_by_cursor_miss_and_repeat_nothing_while_sessions_arrive(
    client: httpx.AsyncClient, sort: str
) -> None:
    sessions = [await track(client) for _ in range(9)]
    seen: list[str] = []
    cursor: str | None = None
    arrived: list[str] = []
    while True:
        page = await get(client, "/sessions", limit=2, sort=sort, **({"cursor": cursor} if cursor else {}))
        seen += [line["session_id"] for line in page["data"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
        if len(arrived) < 3:
            arrived.append(await track(client))
    known = [session for session in seen if session in sessions]
    assert known == (sessions[::-1] if sort.startswith("-") else sessions)
    assert len(seen) == len(set(seen))
    assert [session for session in seen if session in arrived] == ([] if sort.startswith("-") else arrived)


@pytest.mark.parametrize("sort", ["event_count", "click_count", "error_count", "page_count", "duration_seconds"])
@pytest.mark.parametrize("sign", ["", "-"])
async def test_pages_by_cursor_go_through_ties_of_every_order(
    standing_client: httpx.AsyncClient, sort: str, sign: str
) -> None:
    user = new_session()
    sessions: list[str] = []
    moment = now() - timedelta(minutes=5)
    for n in (1, 1, 2, 2, 2, 3, 1):
        kinds = ["click", "error", "pageview"] * n
        lines = [
            event(event_type=kind, timestamp=(moment + timedelta(milliseconds=123 * n * m)).isoformat())
            for m, kind in enumerate(kinds)
        ]
        session = (await start(standing_client, user_id=user))["session_id"]
        sessions.append(await track(standing_client, *lines, session_id=session))
    whole = await get(standing_client, "/sessions", user_id=user, sort=sign + sort, limit=100)
    ordered = [line["session_id"] for line in whole["data"]]
    assert sorted(ordered) == sorted(sessions)
    values = [line[sort] for line in whole["data"]]
    assert values == sorted(values, reverse=bool(sign))
    seen: list[str] = []
    parameters: Json = {"user_id": user, "sort": sign + sort, "limit": 2}
    while True:
        page = await get(standing_client, "/sessions", **parameters)
        seen += [line["session_id"] for line in page["data"]]
        if "next_cursor" not in page:
            break
        parameters["cursor"] = page["next_cursor"]
    assert seen == ordered


async def test_a_list_shows_the_whole_session(client: httpx.AsyncClient) -> None:
    stored = await start(client, **STARTED)
    [line] = (await get(client, "/sessions"))["data"]
    assert line == stored


async def test_a_large_filtered_list_tells_that_its_total_is_an_estimate(
    client: httpx.AsyncClient, services: Services, project: int
) -> None:
    await services.pool.execute(
        "insert into tracker.sessions (project_id, session_id, started_at, last_activity_at, browser)"
        " select $1, gen_random_uuid(), now(), now(), case when n <= 10000 then 'A' else 'B' end"
        " from generate_series(1, 20001) n",
        project,
    )
    await services.pool.execute("analyze tracker.sessions")
    exact = await get(client, "/sessions", browser="A", limit=1)
    assert exact["total"] == 10_000
    assert "total_estimated" not in exact
    estimated = await get(client, "/sessions", browser="B", limit=1)
    assert estimated["total_estimated"] is True
    assert estimated["total"] == pytest.approx(10_001, rel=0.2)  # pyright: ignore[reportUnknownMemberType]
