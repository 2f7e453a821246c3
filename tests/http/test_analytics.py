"""`GET /api/v1/analytics/hourly`, as JSON and CSV."""

import csv
import io
from collections import Counter
from datetime import datetime, timedelta

import httpx
import pytest

from tests.http.api import API, CHROME, Json, event, events_of, get, now, refresh, track
from tracker_backend.http.services import Services
from tracker_backend.ingest.page_limit import MOST_PAGES

HOURS = 4
PAGES = ("https://shop.example/cart?q=1", "https://shop.example/", "http://blog.example:8080/post#2")
KINDS = ("click", "scroll")


@pytest.fixture
def client(own_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller who sees a project of the test's own, with a browser."""
    own_client.headers["user-agent"] = CHROME
    return own_client


@pytest.fixture
def services(standing_services: Services) -> Services:
    """What the server holds that tests share."""
    return standing_services


def _hour(hours_ago: int) -> datetime:
    return now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours_ago)


@pytest.fixture
async def counts(client: httpx.AsyncClient) -> Counter[tuple[datetime, str, str, str]]:
    """Events of some hours, kinds and pages, as many of each as its place in the list; and how many there are."""
    sent: Counter[tuple[datetime, str, str, str]] = Counter()
    for hours_ago in range(HOURS):
        for page, host, path in zip(
            PAGES, ("shop.example", "shop.example", "blog.example:8080"), ("/cart", "/", "/post"), strict=True
        ):
            for n, kind in enumerate(KINDS):
                sent[_hour(hours_ago), kind, host, path] = hours_ago + n + 1
                stamp = _hour(hours_ago) if hours_ago else now()
                lines = [event(timestamp=stamp.isoformat(), event_type=kind, page_url=page)] * (hours_ago + n + 1)
                await track(client, *lines)
    return sent


def _read(rows: list[Json]) -> Counter[tuple[datetime, str, str, str]]:
    return Counter(
        {
            (datetime.fromisoformat(row["bucket"]), row["event_type"], row["page_host"], row["page_path"]): row["count"]
            for row in rows
        }
    )


async def test_events_are_counted_by_hour_kind_and_page_before_and_after_a_refresh(
    client: httpx.AsyncClient, services: Services, counts: Counter[tuple[datetime, str, str, str]]
) -> None:
    rows = (await get(client, "/analytics/hourly"))["data"]
    current = {key: count for key, count in counts.items() if key[0] == _hour(0)}
    assert {key: count for key, count in _read(rows).items() if key[0] == _hour(0)} == current, (
        "the current hour is live"
    )
    await refresh(services)
    rows = (await get(client, "/analytics/hourly"))["data"]
    assert _read(rows) == counts
    order = [(row["bucket"], row["event_type"], row["page_host"], row["page_path"]) for row in rows]
    assert order == sorted(order)


async def test_a_late_event_is_counted_after_the_next_refresh(
    client: httpx.AsyncClient, services: Services, counts: Counter[tuple[datetime, str, str, str]]
) -> None:
    await refresh(services)
    await track(client, event(timestamp=_hour(30).isoformat(), event_type="late", page_url=PAGES[0]))
    await refresh(services)
    rows = (await get(client, "/analytics/hourly"))["data"]
    assert _read(rows) == counts + Counter({(_hour(30), "late", "shop.example", "/cart"): 1})


@pytest.mark.parametrize(
    ("parameters", "host", "path", "kind"),
    [
        ({"event_type": "click"}, None, None, "click"),
        ({"page_url": "https://shop.example/cart?other=2#x"}, "shop.example", "/cart", None),
        ({"page_url": "https://SHOP.example"}, "shop.example", "/", None),
        ({"page_url": "shop.example"}, "shop.example", None, None),
        ({"page_url": "Blog.example:8080"}, "blog.example:8080", None, None),
        ({"page_url": "/cart"}, None, "/cart", None),
        ({"page_url": "/cart?q=5"}, None, "/cart", None),
        ({"page_url": "https://shop.example/cart", "event_type": "scroll"}, "shop.example", "/cart", "scroll"),
        ({"page_url": "nowhere.example"}, "nowhere.example", None, None),
    ],
    ids=str,
)
async def test_hourly_numbers_are_filtered(
    client: httpx.AsyncClient,
    services: Services,
    counts: Counter[tuple[datetime, str, str, str]],
    parameters: Json,
    host: str | None,
    path: str | None,
    kind: str | None,
) -> None:
    await refresh(services)
    rows = (await get(client, "/analytics/hourly", **parameters))["data"]
    wanted = {
        key: count
        for key, count in counts.items()
        if kind in (None, key[1]) and host in (None, key[2]) and path in (None, key[3])
    }
    assert _read(rows) == wanted


@pytest.mark.parametrize(
    "groups", [["bucket"], ["event_type"], ["page_host"], ["page_path"], ["event_type", "page_host"]], ids=",".join
)
async def test_hourly_numbers_are_grouped(
    client: httpx.AsyncClient,
    services: Services,
    counts: Counter[tuple[datetime, str, str, str]],
    groups: list[str],
) -> None:
    await refresh(services)
    names = ["bucket", "event_type", "page_host", "page_path"]
    expected: Counter[tuple[str, ...]] = Counter()
    for key, count in counts.items():
        told = dict(zip(names, (key[0].isoformat().replace("+00:00", "Z"), *key[1:]), strict=True))
        expected[tuple(told[name] for name in groups)] += count
    rows = (await get(client, "/analytics/hourly", group_by=" , ".join(groups)))["data"]
    assert {tuple(row[name] for name in groups): row["count"] for row in rows} == expected
    assert {frozenset(row) for row in rows} == {frozenset([*groups, "count"])}


async def test_hourly_numbers_are_bounded_in_time(
    client: httpx.AsyncClient, services: Services, counts: Counter[tuple[datetime, str, str, str]]
) -> None:
    await refresh(services)
    rows = (await get(client, "/analytics/hourly", from_=_hour(3).isoformat(), to=int(_hour(1).timestamp() * 1000)))[
        "data"
    ]
    assert _read(rows) == {key: count for key, count in counts.items() if _hour(3) <= key[0] < _hour(1)}
    assert (await get(client, "/analytics/hourly", to=_hour(20).isoformat()))["data"] == []


async def test_csv_tells_the_same_as_json(
    client: httpx.AsyncClient, services: Services, counts: Counter[tuple[datetime, str, str, str]]
) -> None:
    await track(client, event(event_type='a "quoted", word\nand more', page_url="https://a.example/é,x"))
    await refresh(services)
    for groups in (None, "event_type,page_path"):
        parameters = {"group_by": groups} if groups else {}
        rows = (await get(client, "/analytics/hourly", **parameters))["data"]
        answer = await client.get(f"{API}/analytics/hourly", params=parameters, headers={"accept": "text/csv"})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/csv")
        found = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
        assert [{**row, "count": int(row["count"])} for row in found] == rows
        assert len(rows) > len(KINDS)
    assert sum(counts.values()) > 0


async def test_no_cell_of_the_csv_is_a_formula(client: httpx.AsyncClient) -> None:
    for kind in ("=1+1", "+1", "-1", "@SUM(1)", "\t=1"):
        await track(client, event(event_type=kind))
    answer = await client.get(f"{API}/analytics/hourly", headers={"accept": "text/csv"})
    kinds = {row["event_type"] for row in csv.DictReader(io.StringIO(answer.content.decode(), newline=""))}
    assert {"'=1+1", "'+1", "'-1", "'@SUM(1)", "'\t=1"} <= kinds


async def test_a_browser_that_asks_for_no_csv_gets_json(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/analytics/hourly", headers={"accept": "text/html,*/*"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"data": []}


async def test_of_more_rows_than_an_answer_holds_the_largest_are_given(
    client: httpx.AsyncClient, services: Services, project: int
) -> None:
    await services.pool.execute(
        "insert into tracker.events (event_id, project_id, session_id, timestamp, source, event_type, page_url,"
        " page_host, page_path)"
        " select n, $1, '6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11', now(), 'native', 'click', '', '',"
        " '/' || least(n, 50001) from generate_series(1, 50002) n",
        project,
    )
    answer = await client.get(f"{API}/analytics/hourly")
    assert answer.headers["x-tracker-truncated"] == "true"
    found = answer.json()
    assert (len(found["data"]), found["truncated"]) == (50_000, True)
    paths = [row["page_path"] for row in found["data"]]
    assert paths == sorted(paths)
    assert {row["count"] for row in found["data"] if row["page_path"] == "/50001"} == {2}
    as_csv = await client.get(f"{API}/analytics/hourly", headers={"accept": "text/csv"})
    assert as_csv.headers["x-tracker-truncated"] == "true"
    assert "truncated" not in await get(client, "/analytics/hourly", page_url="/1")
    assert (await get(client, "/analytics/hourly", group_by="event_type"))["data"] == [
        {"event_type": "click", "count": 50_002}
    ]


async def test_pages_beyond_the_5000th_of_an_hour_are_counted_together(client: httpx.AsyncClient) -> None:
    first = [f"https://shop.example/{n}" for n in range(MOST_PAGES)]
    more = [f"https://{n}.example/{n}" for n in range(100)]
    moment = now()
    for begin in range(0, MOST_PAGES, 100):
        lines = [event(timestamp=moment.isoformat(), page_url=page) for page in first[begin : begin + 100]]
        await track(client, *lines)
    session = await track(client, *(event(timestamp=moment.isoformat(), page_url=page) for page in more))
    await track(client, event(timestamp=moment.isoformat(), page_url=first[7]))
    await track(client, event(timestamp=(moment - timedelta(hours=2)).isoformat(), page_url=more[7]))
    rows = (await get(client, "/analytics/hourly", from_=(moment - timedelta(hours=1)).isoformat()))["data"]
    other = [row for row in rows if row["page_path"] == "(other)"]
    assert [(row["page_host"], row["count"]) for row in other] == [("", 100)]
    assert len(rows) == MOST_PAGES + 1
    assert {row["count"] for row in rows if row["page_path"] == "/7"} == {2}, "known pages go on"
    stored = await events_of(client, session)
    assert {line["page_url"] for line in stored} == set(more), "events keep their page"


async def test_people_are_counted_unless_bots_are_asked_for(client: httpx.AsyncClient, services: Services) -> None:
    await track(client, event(), event())
    client.headers["user-agent"] = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    bot = await track(client, event(), event(), event())
    for _ in range(2):
        for asked, hourly, daily in [
            ({}, 2, 1),
            ({"is_bot": "false"}, 2, 1),
            ({"is_bot": "true"}, 3, 1),
            ({"is_bot": "any"}, 5, 2),
        ]:
            rows = (await get(client, "/analytics/hourly", **asked))["data"]
            assert sum(row["count"] for row in rows) == hourly
            assert not any("is_bot" in row for row in rows), "only where it is grouped by"
            rows = (await get(client, "/analytics/daily", **asked))["data"]
            assert sum(row["total_sessions"] for row in rows) == daily
        await refresh(services)
    rows = (await get(client, "/analytics/hourly", group_by="is_bot", is_bot="any"))["data"]
    assert rows == [{"is_bot": False, "count": 2}, {"is_bot": True, "count": 3}]
    text = await client.get(
        f"{API}/analytics/hourly", params={"group_by": "is_bot", "is_bot": "any"}, headers={"accept": "text/csv"}
    )
    assert text.text.split() == ["is_bot,count", "false,2", "true,3"]
    assert (await client.get(f"{API}/analytics/hourly", params={"is_bot": "maybe"})).status_code == 422
    assert (await client.delete(f"{API}/sessions/{bot}")).status_code == 204
    await refresh(services)
    assert (await get(client, "/analytics/hourly", is_bot="true"))["data"] == []
