"""A real Chromium visits the demo shop of a running server; what it did is then asked from the API."""

import io
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import pytest
from PIL import Image

from tests.e2e import driver
from tests.e2e.chromium import needs_chromium

HERE = Path(__file__).parent

pytestmark = needs_chromium("playwright-core")

MASK = "********"
MASKED_FIELDS = {f'[data-testid="{name}"]' for name in ("name", "email", "tel", "password", "card")}
T = TypeVar("T")


@dataclass(frozen=True)
class Visit:
    report: dict[str, Any]
    hourly_before: Counter[str]
    since: datetime

    @property
    def session_id(self) -> str:
        return self.report["session_id"]


def hourly(api: httpx.Client, since: datetime) -> Counter[str]:
    """Events of the hours since `since`, by type, over all sessions."""
    first = since.replace(minute=0, second=0, microsecond=0)
    answer = api.get(
        "/api/v1/analytics/hourly",
        params={"from": first.isoformat(), "to": (first + timedelta(hours=3)).isoformat(), "is_bot": "any"},
    )
    answer.raise_for_status()
    body: Any = answer.json()
    rows = cast("list[dict[str, Any]]", body["data"] if isinstance(body, dict) else body)
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["event_type"]] += row["count"]
    return counts


def client(server_url: str) -> httpx.Client:
    return httpx.Client(base_url=server_url, timeout=10)


@cache
def drive(server_url: str) -> Visit:
    """One visit for all tests of this file: it takes a browser and some twenty seconds."""
    since = datetime.now(UTC)
    with client(server_url) as api:
        before = hourly(api, since)
    return Visit(driver.drive(HERE / "drive_demo.mjs", server_url), before, since)


@pytest.fixture
def visit(server_url: str) -> Visit:
    return drive(server_url)


def events_of(api: httpx.Client, session_id: str) -> list[dict[str, Any]]:
    answer = api.get(f"/api/v1/sessions/{session_id}/events", params={"limit": 10_000})
    answer.raise_for_status()
    return answer.json()["data"]


def eventually(read: Callable[[], T], is_done: Callable[[T], bool]) -> T:
    """What a page sent as it went away is acknowledged to nobody: ask until it is there."""
    while not is_done(value := read()):
        time.sleep(0.05)
    return value


def all_events(api: httpx.Client, visit: Visit) -> list[dict[str, Any]]:
    """The events, once those of the pages that were left have arrived: each says that it was hidden."""
    pages_left = 3
    return eventually(
        lambda: events_of(api, visit.session_id),
        lambda events: sum(event["event_type"] == "visibility" for event in events) >= pages_left,
    )


def test_the_visit_is_listed_with_its_browser_and_system(server_url: str, visit: Visit) -> None:
    with client(server_url) as api:
        listed = api.get("/api/v1/sessions", params={"limit": 20}).json()["data"]
        session = api.get(f"/api/v1/sessions/{visit.session_id}").json()
    assert visit.session_id in [row["session_id"] for row in listed]
    assert session["browser"].startswith("Chrome"), session["browser"]
    assert session["os"].startswith("Linux"), session["os"]
    assert session["page_url"] == visit.report["pages"][0]
    assert session["screen_width"] == 1280


def test_every_post_that_the_browser_saw_answered_was_taken(visit: Visit) -> None:
    answers: dict[str, list[int]] = visit.report["answers"]
    assert set(answers) == {"/api/v1/sessions", "/api/v1/track", "/api/v1/track/recording", "/api/v1/track/screenshot"}
    assert {status for statuses in answers.values() for status in statuses} <= {200, 201}


def test_every_click_is_found_by_its_selector(server_url: str, visit: Visit) -> None:
    with client(server_url) as api:
        events = all_events(api, visit)
    clicked = [event["target_selector"] for event in events if event["event_type"] == "click"]
    assert set(visit.report["clicked_selectors"]) <= set(clicked)


def test_three_quick_clicks_are_a_rage_click(server_url: str, visit: Visit) -> None:
    with client(server_url) as api:
        events = all_events(api, visit)
    rage = [event["target_selector"] for event in events if event["event_type"] == "rage_click"]
    assert rage == ['[data-testid="added"]']


def test_every_page_and_every_step_is_a_page_view(server_url: str, visit: Visit) -> None:
    with client(server_url) as api:
        events = all_events(api, visit)
    views = [event["page_url"] for event in events if event["event_type"] == "pageview"]
    assert views == visit.report["pages"]


def test_moves_scrolls_keys_and_errors_are_recorded(server_url: str, visit: Visit) -> None:
    with client(server_url) as api:
        events = all_events(api, visit)
    counts = Counter(event["event_type"] for event in events)
    assert {"mousemove", "scroll", "keydown", "input", "error", "visibility", "custom"} <= set(counts), counts
    kinds = Counter(event["event_data"]["kind"] for event in events if event["event_type"] == "error")
    assert kinds == {"error": 1, "unhandledrejection": 1, "resource": 1}


def test_what_was_typed_into_secret_fields_is_nowhere(server_url: str, visit: Visit) -> None:
    typed: dict[str, str] = visit.report["typed"]
    canaries = [typed[field] for field in MASKED_FIELDS] + ["hunter2", "S3cret"]
    with client(server_url) as api:
        all_events(api, visit)
        texts = [
            api.get(f"/api/v1/sessions/{visit.session_id}/events", params={"limit": 10_000}).text,
            api.get(f"/api/v1/sessions/{visit.session_id}").text,
            api.get("/api/v1/sessions", params={"limit": 20}).text,
            api.get(f"/api/v1/sessions/{visit.session_id}/screenshots", params={"data": "false"}).text,
            api.get(f"/api/v1/sessions/{visit.session_id}/recording").text,
        ]
    assert [canary for canary in canaries for text in texts if canary in text] == []


def test_secret_fields_stay_masked_also_after_they_were_shown(server_url: str, visit: Visit) -> None:
    with client(server_url) as api:
        inputs = [event for event in all_events(api, visit) if event["event_type"] == "input"]
    masked = [event for event in inputs if event["target_selector"] in MASKED_FIELDS]
    assert {event["target_selector"] for event in masked} == MASKED_FIELDS
    assert {(event["input_value"], event["input_masked"]) for event in masked} == {(MASK, True)}
    # Typed hidden, then shown and typed again.
    assert sum(event["target_selector"] == '[data-testid="password"]' for event in masked) >= 2
    note = [event for event in inputs if event["target_selector"] == '[data-testid="note"]'][-1]
    assert (note["input_value"], note["input_masked"]) == ("For the window table", False)


def test_printing_keys_are_never_told_one_by_one(server_url: str, visit: Visit) -> None:
    with client(server_url) as api:
        keys = [event["key_pressed"] for event in all_events(api, visit) if event["event_type"] == "keydown"]
    assert {"char", "Tab"} <= set(keys)
    assert [key for key in keys if len(key) == 1] == []
    typed: dict[str, str] = visit.report["typed"]
    assert len(keys) < sum(map(len, typed.values())) / 4


def test_each_page_has_a_full_screenshot_that_is_not_blank(server_url: str, visit: Visit) -> None:
    taken: list[dict[str, Any]] = visit.report["screenshots"]
    with client(server_url) as api:
        answer = api.get(f"/api/v1/sessions/{visit.session_id}/screenshots", params={"data": "false"})
        answer.raise_for_status()
        stored = {row["screenshot_id"]: row for row in answer.json()["data"]}
        assert set(stored) == {shot["screenshot_id"] for shot in taken}
        for shot in taken:
            content = api.get(f"/api/v1/screenshots/{shot['screenshot_id']}").content
            with Image.open(io.BytesIO(content)) as image:
                assert image.format == "JPEG"
                assert image.width >= 1280
                assert image.height >= shot["page_height"], shot["page_url"]
                colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
            assert colours is not None
            # The shop's pages have thousands; a blank page has one, text without its styles some hundred.
            assert len(colours) > 1_000, shot["page_url"]


def test_the_visit_is_watched_again(visit: Visit) -> None:
    watched = visit.report["watched"]
    assert (watched["shown"], watched["problems"]) == ("Good things for the quiet hours.", [])
    pages = len({url.partition("?")[0] for url in visit.report["pages"]})
    assert watched["state"].endswith(f"on {pages} pages."), (watched["state"], visit.report["pages"])


def test_a_recording_runs_no_program_where_it_is_watched(visit: Visit) -> None:
    attacked = visit.report["attacked"]
    assert (attacked["shown"], attacked["hit"], attacked["problems"]) == ("Made up", None, [])


def test_hourly_counts_are_those_of_the_visit(server_url: str, visit: Visit) -> None:
    with client(server_url) as api:
        made_up = events_of(api, visit.report["attacked"]["session"])
        expected = Counter(event["event_type"] for event in [*all_events(api, visit), *made_up])
        counted = eventually(lambda: hourly(api, visit.since) - visit.hourly_before, lambda counts: counts == expected)
    assert counted == expected
