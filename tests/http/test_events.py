"""`POST /api/v1/track` and `GET /api/v1/sessions/{id}/events`."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from tests.http.api import API, PAGE, Json, batch, event, events_of, get, new_session, now, track

FULL: Json = {
    "event_type": "click",
    "target_element": '<button id="buy" class="big red">Buy</button>',
    "target_selector": "#buy",
    "target_tag": "button",
    "target_id": "buy",
    "target_class": "big red",
    "page_url": PAGE,
    "viewport_x": 640,
    "viewport_y": -380,
    "screen_x": 2147483647,
    "screen_y": -2147483647,
    "scroll_x": 0,
    "scroll_y": 12000,
    "input_value": "mug",
    "input_masked": False,
    "key_pressed": "Enter",
    "mouse_button": 2,
    "click_count": 1,
    "event_data": {"product": 17, "tags": ["a", None, True], "nested": {"deep": 1.5}},
}


@pytest.fixture
def client(own_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller who sees a project of the test's own."""
    return own_client


async def test_an_event_is_read_back_whole(client: httpx.AsyncClient) -> None:
    moment = now()
    session = await track(client, {"timestamp": moment.isoformat(), **FULL})
    [line] = await events_of(client, session)
    identifier, stamp = line.pop("event_id"), line.pop("timestamp")
    assert datetime.fromisoformat(stamp) == moment
    assert 0 < identifier < 2**53
    assert line == {**FULL, "source": "native", "page_host": "shop.example", "page_path": "/cart"}


async def test_an_event_of_two_fields_is_read_back_with_nulls(client: httpx.AsyncClient) -> None:
    session = await track(client, event())
    [line] = await events_of(client, session)
    told = {"event_id", "timestamp", "source", "event_type", "page_url", "page_host", "page_path"}
    assert line.keys() == FULL.keys() | told
    assert {line[name] for name in line.keys() - told} == {None}


async def test_a_hundred_events_are_one_batch(client: httpx.AsyncClient) -> None:
    lines = [event(event_data={"n": n}) for n in range(100)]
    answer = await client.post(f"{API}/track", json=batch(*lines))
    assert answer.status_code == 201
    assert answer.json() == {"message": "100 events stored", "count": 100}


WRITTEN: dict[str, Callable[[datetime], str | float]] = {
    "an offset": lambda moment: moment.isoformat(),
    "Z": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
    "no zone": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%f"),
    "another zone": lambda moment: moment.astimezone(timezone(timedelta(hours=5.5))).isoformat(),
    "milliseconds": lambda moment: round(moment.timestamp() * 1000),
    "milliseconds with a fraction": lambda moment: moment.timestamp() * 1000,
    "seconds with a fraction": lambda moment: moment.timestamp(),
}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=list(WRITTEN))
async def test_a_time_may_be_written_in_every_way(
    standing_client: httpx.AsyncClient, write: Callable[[datetime], str | float]
) -> None:
    moment = now() - timedelta(hours=1)
    session = await track(standing_client, event(timestamp=write(moment)))
    [line] = await events_of(standing_client, session)
    assert abs(datetime.fromisoformat(line["timestamp"]) - moment) <= timedelta(microseconds=1)


async def test_events_are_read_in_order_of_time_and_then_of_arrival(client: httpx.AsyncClient) -> None:
    moment, session = now(), new_session()
    for offset, name in ((3, "d"), (1, "a"), (2, "c"), (1, "b")):
        await track(
            client,
            event(timestamp=(moment - timedelta(hours=30) + timedelta(hours=offset)).isoformat(), event_type=name),
            event(timestamp=(moment - timedelta(hours=30) + timedelta(hours=offset)).isoformat(), event_type=name * 2),
            session_id=session,
        )
    assert [line["event_type"] for line in await events_of(client, session)] == [
        "a", "aa", "b", "bb", "c", "cc", "d", "dd",
    ]  # fmt: skip


@pytest.fixture
async def ten(client: httpx.AsyncClient) -> tuple[str, datetime]:
    """A session with an event each minute, by turns a click and a scroll, and the time of the first."""
    moment = now() - timedelta(minutes=30)
    lines = [
        event(timestamp=(moment + timedelta(minutes=n)).isoformat(), event_type="scroll" if n % 2 else "click", n=n)
        for n in range(10)
    ]
    return await track(client, *lines), moment


@pytest.mark.parametrize(
    ("first", "last", "kind", "expected"),
    [
        (None, None, None, range(10)),
        (3, None, None, range(3, 10)),
        (None, 3, None, range(3)),
        (3, 6, None, range(3, 6)),
        (6, 3, None, ()),
        (None, None, "click", range(0, 10, 2)),
        (None, None, "nothing", ()),
        (3, 8, "scroll", (3, 5, 7)),
        (-100, 100, None, range(10)),
        (100, None, None, ()),
    ],
)  # fmt: skip
async def test_events_are_read_by_time_and_type(
    client: httpx.AsyncClient,
    ten: tuple[str, datetime],
    first: int | None,
    last: int | None,
    kind: str | None,
    expected: range,
) -> None:
    session, moment = ten
    parameters: Json = {"event_type": kind} if kind else {}
    if first is not None:
        parameters["from_"] = (moment + timedelta(minutes=first)).isoformat()
    if last is not None:
        parameters["to"] = int((moment + timedelta(minutes=last)).timestamp() * 1000)
    page = await get(client, f"/sessions/{session}/events", **parameters)
    assert [line["event_data"]["n"] for line in page["data"]] == list(expected)
    assert page["total"] == len(expected)


@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_events_are_read_in_pages(client: httpx.AsyncClient, ten: tuple[str, datetime], limit: int) -> None:
    session, moment = ten
    seen: list[int] = []
    parameters: Json = {"limit": limit}
    while True:
        page = await get(client, f"/sessions/{session}/events", **parameters)
        assert page["total"] == 10 + bool(seen) * (limit != 10)
        seen += [line["event_data"]["n"] for line in page["data"]]
        if "next_cursor" not in page:
            break
        if len(seen) == limit:  # one that is late, and belongs before the cursor
            await track(client, event(timestamp=(moment - timedelta(minutes=1)).isoformat(), n=-1), session_id=session)
        parameters["cursor"] = page["next_cursor"]
    assert seen == list(range(10))


async def test_pages_go_through_events_of_one_moment(client: httpx.AsyncClient) -> None:
    stamp = now().isoformat()
    session = await track(client, *[event(timestamp=stamp, n=n) for n in range(7)])
    seen: list[int] = []
    parameters: Json = {"limit": 2}
    while True:
        page = await get(client, f"/sessions/{session}/events", **parameters)
        seen += [line["event_data"]["n"] for line in page["data"]]
        if "next_cursor" not in page:
            break
        parameters["cursor"] = page["next_cursor"]
    assert seen == list(range(7))


async def test_a_filter_holds_across_pages(client: httpx.AsyncClient, ten: tuple[str, datetime]) -> None:
    session, _ = ten
    first = await get(client, f"/sessions/{session}/events", event_type="click", limit=3)
    second = await get(client, f"/sessions/{session}/events", event_type="click", limit=3, cursor=first["next_cursor"])
    assert [line["event_data"]["n"] for line in first["data"] + second["data"]] == [0, 2, 4, 6, 8]
    assert first["total"] == second["total"] == 5


async def test_ids_follow_the_order_of_arrival_and_no_two_are_the_same(client: httpx.AsyncClient) -> None:
    sessions = [await track(client, *[event()] * 50) for _ in range(4)]
    identifiers = [line["event_id"] for session in sessions for line in await events_of(client, session)]
    assert identifiers == sorted(set(identifiers))


# A client whose clock is off, by how much, and by how much its times are corrected.
@pytest.mark.parametrize(
    ("off", "told"),
    [
        (timedelta(hours=3), True),
        (-timedelta(hours=3), True),
        (timedelta(days=400), True),
        (-timedelta(days=20_000), True),
        (timedelta(seconds=20), True),
        (timedelta(minutes=10), False),
    ],
)
async def test_a_clock_that_is_off_is_corrected_for_the_whole_session(
    standing_client: httpx.AsyncClient, off: timedelta, told: bool
) -> None:
    moment, session = now(), new_session()
    wrong = moment + off
    sent_at = {"sent_at": wrong.isoformat()} if told else {}
    lines = [event(timestamp=(wrong - timedelta(seconds=n)).isoformat(), n=n) for n in range(3)]
    await track(standing_client, *lines, session_id=session, **sent_at)
    later = event(timestamp=(wrong - timedelta(minutes=30)).isoformat(), n=9)
    await track(standing_client, later, session_id=session)

    stored = await get(standing_client, f"/sessions/{session}")
    corrected = abs(off) > timedelta(seconds=30)
    if corrected:
        assert abs(timedelta(milliseconds=stored["clock_offset_ms"]) + off) < timedelta(seconds=5)
    else:
        assert stored["clock_offset_ms"] == 0
    found = await events_of(standing_client, session)
    assert [line["event_data"]["n"] for line in found] == [9, 2, 1, 0]
    expected = [moment - timedelta(minutes=30), *(moment - timedelta(seconds=n) for n in (2, 1, 0))]
    for line, right in zip(found, expected, strict=True):
        stamp = datetime.fromisoformat(line["timestamp"]) - (timedelta() if corrected else off)
        assert abs(stamp - right) < timedelta(seconds=5)
    spans = [datetime.fromisoformat(line["timestamp"]) for line in found[1:]]
    assert spans[2] - spans[0] == timedelta(seconds=2), "distances stay exact"


async def test_late_events_without_sent_at_say_nothing_about_the_clock(standing_client: httpx.AsyncClient) -> None:
    moment = now() - timedelta(hours=50)
    session = await track(standing_client, event(timestamp=moment.isoformat()))
    stored = await get(standing_client, f"/sessions/{session}")
    assert stored["clock_offset_ms"] is None
    assert datetime.fromisoformat(stored["first_at"]) == moment
