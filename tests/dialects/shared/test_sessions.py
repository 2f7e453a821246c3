"""One session and the list of sessions, which `spectra` and `reev` read on the same paths, whoever wrote them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.dialects.recorded import BASE, META, Json, click, session_text, visit
from tests.dialects.spectra.requests import FAILURE, METADATA, batch, iso, new_id, post, read, start
from tests.http.api import CHROME, get
from tracker_backend.http.services import Services

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.5 Mobile/15E148 Safari/604.1"
)


async def names(client: httpx.AsyncClient, **query: Any) -> list[str]:
    """The user ids of a list, which these tests tell sessions by."""
    return [it["userId"] for it in (await read(client, "", **query))["sessions"]]


async def begin(client: httpx.AsyncClient, name: str, at: int = BASE, **more: Any) -> str:
    """Starts a session of `spectra`; `more` are members of its metadata."""
    session = new_id()
    fields = {name: more.pop(name) for name in ("appId", "ticketId") if name in more}
    await post(client, "start", start(session, userId=name, startTime=at, metadata={**METADATA, **more}, **fields))
    return session


async def test_the_list_has_the_fields_of_both(own_client: httpx.AsyncClient) -> None:
    session = new_id()
    await post(own_client, "start", start(session))
    await post(own_client, f"{session}/events", batch(session))
    assert await read(own_client, "") == {
        "sessions": [
            {
                "sessionId": session,
                "userId": "u-1",
                "appId": "shop",
                "startTime": BASE,
                "duration": 0.07,
                "errorCount": 1,
                "eventCount": 5,
                "id": session,
                "pageUrl": "https://shop.example/",
                "timestamp": iso(BASE),
                "device": "desktop",
                "clicks": 1,
                "errors": 1,
            }
        ],
        "total": 1,
        "limit": 50,
        "offset": 0,
    }


async def test_a_session_of_each_dialect_is_read_by_all(own_client: httpx.AsyncClient) -> None:
    own_client.headers["user-agent"] = CHROME
    uxcam, incuera, spectra, native = session_text(), f"session_{uuid4().int}_abc", new_id(), new_id()
    for path, body in {
        "/api/snapshots/ingest": {"session_id": uxcam, "snapshots": visit()},
        "/api/ingest": {"sessionId": incuera, "events": visit()},
        f"/api/sessions/{spectra}/events": {"events": visit()},
        "/api/v1/track/recording": {"session_id": native, "events": visit()},
    }.items():
        answer = await own_client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
    for session in (uxcam, incuera, spectra, native):
        found = await read(own_client, f"/{session}")
        identifier = found.pop("id")
        assert found == {
            "sessionId": session,
            "userId": None,
            "appId": None,
            "startTime": BASE,
            "endTime": None,
            "duration": 0.05,
            "stats": {"totalEvents": 3, "errors": 0, "clicks": 1},
            "metadata": {},
            "pageUrl": "https://shop.example/cart",
            "timestamp": iso(BASE),
            "device": "desktop",
            "clicks": 1,
            "errors": 0,
        }
        by_id = await read(own_client, f"/{UUID(identifier)}/replay")
        assert by_id == {"sessionId": session, "events": visit(), "customEvents": [], "errors": []}
        assert (await get(own_client, f"/sessions/{session}"))["session_id"] == identifier
        assert await get(own_client, f"/sessions/{session}/recording") == visit()
        reev = await own_client.get(f"/api/sessions/{session}/events")
        assert [it["timestamp"] for it in reev.json()["events"]] == [0, 1, 50]
    assert (await read(own_client, ""))["total"] == 4


async def test_the_list_is_filtered(own_client: httpx.AsyncClient) -> None:
    await begin(own_client, "one", BASE - 3, url="https://shop.example/cart?a=1", ticketId="T-1")
    failing = await begin(own_client, "two", BASE - 2, userAgent=PHONE, appId="blog")
    await begin(own_client, "three", BASE - 1, url="https://blog.example/")
    await post(own_client, f"{failing}/events", {"errors": [FAILURE]})
    everything = ["three", "two", "one"]
    for query, expected in [
        ({}, everything),
        ({"appId": "shop"}, ["three", "one"]),
        ({"userId": "two"}, ["two"]),
        ({"ticketId": "T-1"}, ["one"]),
        ({"ticketId": "T-2"}, []),
        ({"from": iso(BASE - 2)}, ["three", "two"]),
        ({"to": BASE - 2}, ["one"]),
        ({"from": BASE - 2, "to": BASE - 1}, ["two"]),
        ({"hasErrors": "true"}, ["two"]),
        ({"hasErrors": "false"}, ["three", "one"]),
        ({"pageUrl": "/cart"}, ["one"]),
        ({"pageUrl": "%"}, []),
        ({"device": "mobile"}, ["two"]),
        ({"device": "mobile,desktop"}, everything),
        ({"device": ["mobile", "tablet, desktop"]}, everything),
        ({"device": "tablet"}, []),
        ({"device": ""}, everything),
        ({"appId": "shop", "pageUrl": "blog", "device": "desktop", "dateRange": "30d"}, ["three"]),
    ]:
        assert await names(own_client, **query) == expected, query


async def test_the_list_is_paged(own_client: httpx.AsyncClient) -> None:
    for number in range(5):
        await begin(own_client, str(number), BASE - number)
    for query, expected, offset in [
        ({"limit": 2}, ["0", "1"], 0),
        ({"limit": 2, "offset": 3}, ["3", "4"], 3),
        ({"limit": 2, "page": 1}, ["0", "1"], 0),
        ({"limit": 2, "page": 3}, ["4"], 4),
        ({"limit": 2, "page": 4}, [], 6),
        ({"limit": 2, "page": 3, "offset": 1}, ["1", "2"], 1),
    ]:
        found = await read(own_client, "", **query)
        assert [it["userId"] for it in found["sessions"]] == expected, query
        assert (found["total"], found["limit"], found["offset"]) == (5, 2, offset)


async def test_the_list_is_sorted(own_client: httpx.AsyncClient) -> None:
    ends = {"one": (BASE - 3, 3000, 1, 2), "two": (BASE - 2, 1000, 3, 1), "three": (BASE - 1, 2000, 2, 3)}
    for name, (at, duration, clicks, errors) in ends.items():
        session = await begin(own_client, name, at)
        events: list[Json] = [META, *(click(number * 20) for number in range(clicks))]
        failures = [{**FAILURE, "timestamp": BASE + number} for number in range(errors)]
        await post(own_client, f"{session}/events", {"events": events, "errors": failures})
        await post(own_client, f"{session}/end", {"endTime": at + duration})
    for sort, expected in {
        "timestamp": ["one", "two", "three"],
        "duration": ["two", "three", "one"],
        "clicks": ["one", "three", "two"],
        "errors": ["two", "one", "three"],
    }.items():
        assert await names(own_client, sortBy=sort) == expected
        assert await names(own_client, sortBy=f"-{sort}") == expected[::-1]
    assert await names(own_client) == ["three", "two", "one"]


@pytest.mark.parametrize(("from_tz", "zone"), [("parameter", "Asia/Tokyo"), ("project", "America/New_York"), ("", "")])
async def test_days_are_those_of_a_time_zone(
    own_client: httpx.AsyncClient, standing_services: Services, project: int, from_tz: str, zone: str
) -> None:
    query: Json = {}
    if from_tz == "parameter":
        query["tz"] = zone
    elif from_tz == "project":
        update = "update tracker.projects set timezone = $2 where project_id = $1"
        await standing_services.pool.execute(update, project, zone)
    local = datetime.now(ZoneInfo(zone or "UTC"))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)

    def before(days: int) -> int:
        return int((midnight - timedelta(days=days)).timestamp() * 1000)

    starts = {"today": before(0), "yesterday": before(0) - 1, "6": before(6), "7": before(6) - 1}
    late = standing_services.settings.late_days
    starts |= {str(days): before(days) for days in (29, 30) if days < late - 1}
    for name, at in starts.items():
        await begin(own_client, name, at)
    assert await names(own_client, dateRange="today", **query) == ["today"]
    assert await names(own_client, dateRange="7d", **query) == ["today", "yesterday", "6"]
    month = [name for name in ("today", "yesterday", "6", "7", "29") if name in starts]
    assert await names(own_client, dateRange="30d", **query) == month
    first, last = (midnight - timedelta(days=days) for days in (6, 1))
    days = f"{first.date()}..{last.date()}"
    assert await names(own_client, dateRange=days, **query) == ["yesterday", "6"]
    assert await names(own_client, dateRange=days, to=before(3), **query) == ["6"]


@pytest.mark.parametrize(
    ("query", "tells"),
    [
        ({"dateRange": "8d"}, "dateRange"),
        ({"dateRange": "2026-02-02..2026-01-31"}, "dateRange"),
        ({"dateRange": "2026-02-30..2026-03-01"}, "dateRange"),
        ({"dateRange": "0001-01-01..9999-12-31"}, "dateRange"),
        ({"dateRange": "2026-01-01"}, "dateRange"),
        ({"dateRange": "today", "tz": "Mars/Base"}, "Mars/Base"),
        ({"dateRange": "today", "tz": "+02:00"}, "+02:00"),
        ({"from": "soon"}, "from"),
        ({"sortBy": "name"}, "sortBy"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"offset": -1}, "offset"),
        ({"page": 0}, "page"),
        ({"page": "x"}, "page"),
        ({"hasErrors": "perhaps"}, "errors"),
    ],
)
async def test_a_parameter_that_is_refused(standing_client: httpx.AsyncClient, query: Json, tells: str) -> None:
    answer = await standing_client.get("/api/sessions", params=query)
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]
    assert tells in answer.json()["error"]


async def test_projects_do_not_meet(own_client: httpx.AsyncClient, standing_client: httpx.AsyncClient) -> None:
    text = f"same-{uuid4()}"
    await post(own_client, "start", start(text, userId="theirs"))
    del standing_client.headers["x-api-key"]
    await post(standing_client, "start", start(text, userId="ours"))
    assert (await read(standing_client, f"/{text}"))["userId"] == "ours"
