"""`GET /api/v1/analytics/daily`: sessions by day and app, of any time zone, as JSON and CSV."""

import csv
import io
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import available_timezones

import httpx
import pytest

from tests.http.api import API, CHROME, Json, check_problem, event, get, now, track
from tests.http.test_recordings import BASE, META, click, send
from tracker_backend.http.services import Services

_INSERT = """
    insert into tracker.sessions (
        project_id, session_id, app_id, user_id, started_at, last_activity_at, first_at, last_at,
        native_event_count, native_click_count, native_error_count, recorded_event_count, rrweb_click_count
    ) values ($1, $2, $3, $4, $5, $5, $5, $5::timestamptz + $6 * interval '1 second', $7, $8, $9, $10, $11)"""


@pytest.fixture
def client(own_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller who sees a project of the test's own, with a browser."""
    own_client.headers["user-agent"] = CHROME
    return own_client


class Past:
    """Puts sessions into days long ago."""

    def __init__(self, services: Services, project: int) -> None:
        self._pool = services.pool
        self.project = project

    async def add(
        self,
        started_at: str,
        app: str | None = "shop",
        user: str | None = None,
        *,
        seconds: float = 10.0,
        events: tuple[int, int, int] = (1, 0, 0),
        recorded: tuple[int, int] = (0, 0),
    ) -> None:
        """A session of so many native events, clicks and errors, and recorded events with clicks found in them."""
        started = datetime.fromisoformat(started_at)
        await self._pool.execute(_INSERT, self.project, uuid4(), app, user, started, seconds, *events, *recorded)

    async def set_timezone(self, name: str) -> None:
        """The project's own."""
        await self._pool.execute("update tracker.projects set timezone = $2 where project_id = $1", self.project, name)


@pytest.fixture
def past(standing_services: Services, project: int) -> Past:
    return Past(standing_services, project)


async def daily(client: httpx.AsyncClient, **parameters: Any) -> list[Json]:
    """The rows."""
    return (await get(client, "/analytics/daily", **parameters))["data"]


async def test_sessions_are_counted_by_day_and_app(client: httpx.AsyncClient, past: Past) -> None:
    await past.add("2026-03-01T10:00Z", "shop", "ann", seconds=10, events=(4, 2, 1))
    await past.add("2026-03-01T23:59:59.999999Z", "shop", "ann", seconds=25, events=(5, 1, 0))
    await past.add("2026-03-01T12:00Z", "shop", "bob", seconds=0.5, events=(0, 0, 0), recorded=(91, 7))
    await past.add("2026-03-01T12:00Z", "shop", None, seconds=0, events=(0, 0, 0))
    await past.add("2026-03-01T12:00Z", None, None, seconds=3, events=(2, 0, 2))
    await past.add("2026-03-02T00:00Z", "blog", "ann", seconds=60, events=(3, 0, 0), recorded=(10, 0))
    first = {
        "date": "2026-03-01",
        "app_id": None,
        "total_sessions": 1,
        "unique_users": 0,
        "avg_duration": 3.0,
        "total_errors": 2,
        "total_clicks": 0,
        "avg_events_per_session": 2.0,
    }
    second = {
        "date": "2026-03-01",
        "app_id": "shop",
        "total_sessions": 4,
        "unique_users": 2,
        "avg_duration": 8.875,
        "total_errors": 1,
        "total_clicks": 10,
        "avg_events_per_session": 25.0,
    }
    third = {
        "date": "2026-03-02",
        "app_id": "blog",
        "total_sessions": 1,
        "unique_users": 1,
        "avg_duration": 60.0,
        "total_errors": 0,
        "total_clicks": 0,
        "avg_events_per_session": 13.0,
    }
    answer = await get(client, "/analytics/daily", from_="2026-03-01", to="2026-03-03")
    assert answer == {"data": [first, second, third], "timezone": "UTC"}
    assert await daily(client, from_="2026-03-01", to="2026-03-03", app_id="shop") == [second]
    assert await daily(client, from_="2026-03-01", to="2026-03-02") == [first, second]
    assert await daily(client, from_="2026-03-02", to="2026-03-03") == [third]
    assert await daily(client, from_="2026-03-01", to="2026-03-03", app_id="none") == []


@pytest.mark.parametrize(
    ("zone", "started"),
    [
        # Clocks go from 2 to 3 on 29 March: a day of 23 hours, and back on 25 October: one of 25.
        (
            "Europe/Berlin",
            ["2026-03-28T22:59Z", "2026-03-28T23:00Z", "2026-03-29T21:59Z", "2026-03-29T22:00Z"],
        ),
        (
            "Europe/Berlin",
            ["2026-10-24T21:59Z", "2026-10-24T22:00Z", "2026-10-25T22:59Z", "2026-10-25T23:00Z"],
        ),
        # No midnight: the day begins at one o'clock.
        ("Africa/Cairo", ["2026-04-23T21:59Z", "2026-04-23T22:00Z", "2026-04-24T20:59Z", "2026-04-24T21:00Z"]),
        # Offsets of half and quarter hours; a day that is over before it begins in London.
        (
            "Asia/Kathmandu",
            ["2026-03-01T18:14Z", "2026-03-01T18:15Z", "2026-03-02T18:14Z", "2026-03-02T18:15Z"],
        ),
        (
            "Pacific/Kiritimati",
            ["2026-03-01T09:59Z", "2026-03-01T10:00Z", "2026-03-02T09:59Z", "2026-03-02T10:00Z"],
        ),
        (
            "America/New_York",
            ["2026-03-08T04:59Z", "2026-03-08T05:00Z", "2026-03-09T03:59Z", "2026-03-09T04:00Z"],
        ),
    ],
)
async def test_days_are_those_of_a_time_zone(
    client: httpx.AsyncClient, past: Past, zone: str, started: list[str]
) -> None:
    """Four sessions: just before a day, its first, its last, just after it."""
    for moment in started:
        await past.add(moment)
    rows = await daily(client, from_="2026-01-01", to="2027-01-01", tz=zone)
    assert [row["total_sessions"] for row in rows] == [1, 2, 1]
    middle, after = rows[1]["date"], rows[2]["date"]
    assert await daily(client, from_=middle, to=after, tz=zone) == [rows[1]]
    assert await daily(client, from_=f"{middle}T00:00:00.000001", to=after, tz=zone) == []
    assert await daily(client, from_=rows[0]["date"], to=f"{middle}T00:00:01", tz=zone) == rows[:2]
    await past.set_timezone(zone)
    answer = await get(client, "/analytics/daily", from_=middle, to=after)
    assert answer == {"data": [rows[1]], "timezone": zone}


async def test_a_range_may_be_given_as_moments(client: httpx.AsyncClient, past: Past) -> None:
    await past.add("2026-03-01T12:00Z")
    await past.add("2026-03-02T12:00Z")
    berlin = {"tz": "Europe/Berlin"}
    assert len(await daily(client, from_="2026-02-28T23:00:00Z", to="2026-03-02T23:00:00Z", **berlin)) == 2
    assert len(await daily(client, from_="2026-03-01T00:00:00+01:00", to=1772406000, **berlin)) == 1
    assert len(await daily(client, from_="2026-02-28T23:00:01Z", to="2026-03-03", **berlin)) == 1


async def test_without_a_range_it_is_the_last_seven_days(client: httpx.AsyncClient, past: Past) -> None:
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    for days in range(9):
        await past.add((today.fromtimestamp(today.timestamp() - days * 86_400, tz=today.tzinfo)).isoformat())
    rows = await daily(client)
    assert len(rows) == 7
    assert rows[-1]["date"] == f"{today:%Y-%m-%d}"
    assert [row["date"] for row in await daily(client, to=rows[-1]["date"])][1:] == [row["date"] for row in rows[:-1]]


async def test_an_empty_range_has_no_rows(client: httpx.AsyncClient, past: Past) -> None:
    await past.add("2026-03-01T12:00Z")
    assert await daily(client) == []
    assert await daily(client, from_="2026-03-05", to="2026-03-01") == []
    assert await daily(client, from_="2026-03-01", to="2026-03-01") == []
    assert await daily(client, from_="2026-04-01", to="2026-05-01") == []


async def test_what_was_sent_and_recorded_is_counted(client: httpx.AsyncClient) -> None:
    session = await track(client, event(), event(event_type="error"))
    await send(client, session, [META, click(BASE + 2), click(BASE + 500)])
    (row,) = await daily(client)
    assert (row["total_clicks"], row["total_errors"], row["avg_events_per_session"]) == (1, 1, 5.0)


async def test_csv_tells_the_same(client: httpx.AsyncClient, past: Past) -> None:
    await past.add("2026-03-01T12:00Z", None)
    await past.add("2026-03-01T12:00Z", "=1+1", "ann")
    parameters = {"from": "2026-03-01", "to": "2026-03-02"}
    answer = await client.get(f"{API}/analytics/daily", params=parameters, headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(answer.text))) == [
        [
            "date",
            "app_id",
            "total_sessions",
            "unique_users",
            "avg_duration",
            "total_errors",
            "total_clicks",
            "avg_events_per_session",
        ],
        ["2026-03-01", "", "1", "0", "10.0", "0", "0", "1.0"],
        ["2026-03-01", "'=1+1", "1", "1", "10.0", "0", "0", "1.0"],
    ]


@pytest.mark.parametrize(
    ("parameters", "tells"),
    [
        ({"tz": "Mars/Olympus"}, "'Mars/Olympus'"),
        ({"tz": "+02:00"}, "Europe/Berlin"),
        ({"tz": "XYZ5"}, "Europe/Berlin"),
        ({"tz": "UTC+2"}, "Europe/Berlin"),
        ({"tz": "EST5EDT4"}, "Europe/Berlin"),
        ({"tz": "GMT+1"}, "Europe/Berlin"),
        ({"tz": "a/../b"}, "Europe/Berlin"),
        ({"from": "someday"}, "`from`"),
        ({"to": "2026-02-30"}, "`to`"),
    ],
)
async def test_what_is_no_time_zone_or_time_is_refused(
    client: httpx.AsyncClient, parameters: dict[str, str], tells: str
) -> None:
    check_problem(await client.get(f"{API}/analytics/daily", params=parameters), 422, "invalid", tells)


async def test_every_name_of_the_iana_list_is_a_time_zone(
    client: httpx.AsyncClient, standing_services: Services
) -> None:
    for zone in sorted(available_timezones() & await _known_to_postgresql(standing_services)):
        answer = await client.get(f"{API}/analytics/daily", params={"tz": zone})
        assert (answer.status_code, answer.json()["timezone"]) == (200, zone), answer.text
    for zone in ("EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "GMT0", "GMT+0", "GMT-0", "Etc/GMT+5", "est5edt"):
        assert (await client.get(f"{API}/analytics/daily?tz={zone}")).status_code == 200, "with + as it is written"
        assert (await client.get("/api/sessions", params={"dateRange": "7d", "tz": zone})).status_code == 200
        assert (await client.patch(f"{API}/project", json={"timezone": zone})).status_code == 200


async def _known_to_postgresql(services: Services) -> set[str]:
    """Its list is that of the machine, which may lack old names."""
    return {row[0] for row in await services.pool.fetch("select name from pg_timezone_names")}


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59.9"])
async def test_days_at_the_ends_of_the_calendar(client: httpx.AsyncClient, moment: str) -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        for name in ("from", "to"):
            answer = await client.get(f"{API}/analytics/daily", params={name: moment, "tz": zone})
            assert answer.status_code in (200, 422), answer.text
