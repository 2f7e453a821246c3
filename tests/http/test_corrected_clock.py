"""A device's clock that is corrected between two batches: events keep their places, and the recording its order."""

import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.http.api import API, Json, event, events_of, get, new_session, now, track

OFF = [timedelta(hours=2), timedelta(hours=-2), timedelta(days=300)]
CLOSE = timedelta(seconds=30)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


async def record(client: httpx.AsyncClient, session: str, at: datetime, *, off: timedelta, first: int) -> None:
    """Three clicks of the last seconds, by a clock that is `off`."""
    begin = ms(at + off) - 9
    clicks: list[Json] = [
        {"type": 3, "data": {"source": 2, "type": 2, "id": first + n, "x": 1, "y": 1}, "timestamp": begin + n}
        for n in range(3)
    ]
    sent = {"session_id": session, "events": clicks, "sent_at": ms(at + off)}
    answer = await client.post(f"{API}/track/recording", json=sent)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("off", OFF, ids=str)
@pytest.mark.parametrize("is_corrected_first", [False, True])
async def test_each_batch_is_placed_by_the_clock_that_it_shows(
    standing_client: httpx.AsyncClient, off: timedelta, is_corrected_first: bool
) -> None:
    session = new_session()
    for shown in (timedelta(), off) if is_corrected_first else (off, timedelta()):
        at = now()
        for age in (60, 0):
            moment = at + shown - timedelta(seconds=age)
            one = event(timestamp=moment.isoformat(), event_data={"at": ms(at), "age": age})
            await track(standing_client, one, session_id=session, sent_at=(at + shown).isoformat())
    found = await events_of(standing_client, session)
    assert len(found) == 4
    for line in found:
        happened = line["event_data"]["at"] - line["event_data"]["age"] * 1000
        assert abs(ms(datetime.fromisoformat(line["timestamp"])) - happened) < CLOSE.total_seconds() * 1000
    stored = await get(standing_client, f"/sessions/{session}")
    assert datetime.fromisoformat(stored["last_at"]) < now() + CLOSE
    assert stored["duration_seconds"] < 120


@pytest.mark.parametrize("off", OFF, ids=str)
async def test_a_recording_goes_on_where_it_was(standing_client: httpx.AsyncClient, off: timedelta) -> None:
    session, begun = new_session(), now()
    await record(standing_client, session, begun, off=off, first=10)
    await record(standing_client, session, now(), off=timedelta(), first=20)
    await record(standing_client, session, now(), off=off, first=30)
    answer = await standing_client.get(f"{API}/sessions/{session}/recording")
    played: list[Any] = json.loads(answer.content)
    offset = int(answer.headers["x-tracker-clock-offset"])
    assert [one["data"]["id"] for one in played] == [10, 11, 12, 20, 21, 22, 30, 31, 32], "in the order of capture"
    times = [one["timestamp"] + offset for one in played]
    assert ms(begun - CLOSE) < times[0] <= times[-1] < ms(now() + CLOSE)
    after = await standing_client.get(
        f"{API}/sessions/{session}/recording", params={"to": (begun - timedelta(minutes=5)).isoformat()}
    )
    assert after.json() == []
    clicks = await events_of(standing_client, session, event_type="click")
    assert [line["event_data"]["node"] for line in clicks] == [10, 11, 12, 20, 21, 22, 30, 31, 32]


async def test_a_batch_from_before_its_clock_was_set_back_keeps_its_place(standing_client: httpx.AsyncClient) -> None:
    session, off, at = new_session(), timedelta(hours=2), now()
    fast = at + off
    await track(standing_client, event(timestamp=fast.isoformat()), session_id=session, sent_at=fast.isoformat())
    waited = event(timestamp=(fast + timedelta(seconds=1)).isoformat(), event_data="waited")
    await track(standing_client, waited, session_id=session, sent_at=now().isoformat())
    for line in await events_of(standing_client, session):
        assert abs(datetime.fromisoformat(line["timestamp"]) - at) < CLOSE
