"""The core of the tag in a real Chromium: its start, sessions, consent, and pages that make it hard.

`core/drive.mjs` holds the pages. What a page sent is asked from the server, and where nothing may be sent, read
from the wire.
"""

import json
import os
import subprocess
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.commands import Commands
from tests.conftest import Servers
from tests.e2e.chromium import needs_chromium
from tests.e2e.driver import drive
from tests.processes import Running
from tracker_backend.ingest.dropping import is_sampled

HERE = Path(__file__).parent
MASK = "********"
PROJECTS = {
    "other": [],
    "silent": ["sampling_rate=0"],
    "masked": ["masking.fields=nickname", "masking.parameters=ref"],
    "share": ["sampling_rate=0.5"],
}
Case = dict[str, Any]
Event = dict[str, Any]

pytestmark = [pytest.mark.tiers("plain"), *needs_chromium("playwright-core")]


class Visits:
    """What was done on each page, and what a tier's server has of it."""

    def __init__(self, commands: Commands, dsn: str, server_url: str) -> None:
        self._program = commands.program
        self._dsn = dsn
        self.keys, self.numbers = self._make_projects()
        settings = {"server": server_url, "keys": self.keys}
        self._report: dict[str, Case] = drive(HERE / "core" / "drive.mjs", json.dumps(settings))
        self._read_key = self._command("key", "create", "--kind", "read")["key"]
        self._server_url = server_url

    def of(self, case: str) -> Case:
        """What the driver says of a case."""
        found = self._report[case]
        assert "failed" not in found, found
        return found

    def session(self, case: str) -> Case:
        """The session of a case as it is stored."""
        return self._get(f"/api/v1/sessions/{self.of(case)['session']}")

    def events(self, case: str, session: str | None = None) -> list[Event]:
        """What is stored of it, in the order of time, without what comes at times of its own."""
        name = session or self.of(case)["session"]
        found: list[Event] = self._get(f"/api/v1/sessions/{name}/events?limit=10000")["data"]
        return [event for event in found if event["event_type"] not in LOOSE]

    def _get(self, path: str) -> Any:
        answer = httpx.get(f"{self._server_url}{path}", headers={"X-API-Key": self._read_key}, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def _make_projects(self) -> tuple[dict[str, str], dict[str, int]]:
        keys = {"plain": self._command("project", "show")["public_key"]}
        numbers: dict[str, int] = {}
        for name, settings in PROJECTS.items():
            made = self._command("project", "create", name)
            keys[name], numbers[name] = made["write_key"], made["project_id"]
            if settings:
                self._command("project", "set", "--project", str(made["project_id"]), *settings)
        return keys, numbers

    def _command(self, *arguments: str) -> Any:
        run = subprocess.run(
            [self._program, *arguments[:2], "--json", *arguments[2:]],
            env={**os.environ, "DATABASE_URL": self._dsn},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(run.stdout)


LOOSE = {"web_vital", "mousemove", "visibility", "page_time", "focus", "blur", "dblclick", "dead_click", "scroll"}


class AllVisits:
    """The visits of each tier, made once."""

    def __init__(self, servers: Servers, commands: Commands) -> None:
        self._servers = servers
        self._commands = commands
        self._running: dict[str, tuple[str, Running]] = {}
        self._made: dict[str, Visits] = {}

    async def of(self, tier: str) -> Visits:
        """Those of one tier."""
        if tier not in self._running:
            dsn = await self._servers.of(tier).database()
            self._running[tier] = dsn, Running(DATABASE_URL=dsn, TRACKER_LIMIT_KEY="0")
        if tier not in self._made:
            dsn, server = self._running[tier]
            self._made[tier] = Visits(self._commands, dsn, server.url)
        return self._made[tier]

    def end(self) -> None:
        """Ends the servers."""
        for _, server in self._running.values():
            server.end()


@pytest.fixture(scope="module")
def all_visits(servers: Servers, commands: Commands) -> Any:
    made = AllVisits(servers, commands)
    yield made
    made.end()


@pytest.fixture
async def visits(all_visits: AllVisits, tier: str) -> Visits:
    return await all_visits.of(tier)


def kinds(events: list[Event]) -> list[str]:
    return [event["event_type"] for event in events]


def names(events: list[Event]) -> list[str]:
    """Of custom events their names, of others their types."""
    return [
        event["event_data"].get("name", "") if event["event_type"] == "custom" else event["event_type"]
        for event in events
    ]


def views(events: list[Event]) -> list[Event]:
    return [event["event_data"] for event in events if event["event_type"] == "pageview"]


def test_what_is_done_is_told_in_its_order(visits: Visits) -> None:
    events = visits.events("plain")
    done = [*("pageview", "click", "bought", "error", "error", "pageview"), *("click", "click", "click", "rage_click")]
    assert names(events) == done
    assert [event["target_selector"] for event in events if event["event_type"] == "click"] == ["#go", *["#text"] * 3]
    assert events[2]["event_data"]["data"] == {"price": 5, "items": ["a", "b"]}
    errors = [(event["event_data"]["kind"], event["event_data"]["message"]) for event in events[3:5]]
    assert errors == [("error", "thrown"), ("unhandledrejection", "rejected")]
    assert [view["via"] for view in views(events)] == ["load", "push"]
    assert visits.of("plain")["dropped"] == 0


def test_times_of_a_tab_are_in_order_and_none_is_there_twice(visits: Visits) -> None:
    # As times: a text without a fraction sorts behind others of its second.
    times = [datetime.fromisoformat(event["timestamp"]) for event in visits.events("plain")]
    assert all(earlier < later for earlier, later in pairwise(times))


def test_a_session_has_its_user_and_what_is_said_of_him_but_no_secret(visits: Visits) -> None:
    session = visits.session("plain")
    assert session["user_id"] == "ada"
    metadata = session["metadata"]
    assert (metadata["plan"], metadata["mail"], metadata["webdriver"]) == ("pro", MASK, True)
    assert session["page_url"].endswith(f"/?from=mail&token={MASK}")


def test_no_cookie_is_set(visits: Visits) -> None:
    assert visits.of("plain")["cookies"] == []


def test_a_policy_that_allows_only_the_server_blocks_nothing(visits: Visits) -> None:
    case = visits.of("policy")
    assert (case["violations"], case["said"]) == ([], [])
    parts = {"GET /tracker/behaviour.js", "GET /tracker/recorder.js"}
    assert {*parts, "POST /api/v1/track/recording"} <= set(case["calls"])
    assert {"pageview", "click", "within"} <= set(names(visits.events("policy")))


def test_the_same_tag_twice_records_once_and_a_named_one_for_another_project(visits: Visits) -> None:
    case = visits.of("beside")
    assert case["scripts"] == 2
    assert case["session"] != case["other"]
    assert names(visits.events("beside")) == ["pageview", "first"]


def test_calls_from_before_the_script_are_told_in_their_order(visits: Visits) -> None:
    expected = ["pageview", "before", "between", "through the object", "through the function", "after"]
    assert names(visits.events("stub")) == expected
    assert visits.session("stub")["user_id"] == "grace"
    assert visits.of("stub")["same"] is True


def test_a_page_may_start_the_tracker_itself(visits: Visits) -> None:
    assert visits.of("start")["said"] == []
    # Not of the project that the read key is of.
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        visits.events("start")


def test_frames_of_a_site_are_of_its_visit_and_a_sandboxed_one_works_from_memory(visits: Visits) -> None:
    case = visits.of("frames")
    assert case["inner"] == case["session"] != case["sandboxed"]
    assert case["said"] == []
    assert sorted(view.get("frame", False) for view in views(visits.events("frames"))) == [False, True]
    assert names(visits.events("frames", case["sandboxed"])) == ["pageview", "from the frame"]


def test_before_consent_nothing_is_stored_or_asked_but_the_script(visits: Visits) -> None:
    case = visits.of("consent")
    assert case["before"] == {"calls": ["GET /tracker.js"], "stored": []}


def test_with_consent_what_was_held_is_told(visits: Visits) -> None:
    assert names(visits.events("consent"))[:3] == ["pageview", "click", "before"]


def test_after_a_refusal_nothing_is_kept_or_sent_but_the_refusal(visits: Visits) -> None:
    refused = visits.of("consent")["refused"]
    only = [f"tracker.consent.{visits.keys['plain']}"]
    assert [name for name in refused["stored"] if not name.startswith("database ")] == only
    assert [name for name in refused["storedLater"] if not name.startswith("database ")] == only
    assert (refused["calls"], refused["session"]) == (["GET /tracker.js"], "")
    assert "after" not in names(visits.events("consent"))


def test_a_refusal_removes_what_could_not_be_sent(visits: Visits) -> None:
    case = visits.of("leftovers")
    assert case["written"] > 0
    assert case["left"][1] == []
    assert "pageview" in case["names"]
    assert "unsent" not in case["names"]


def test_global_privacy_control_is_heeded(visits: Visits) -> None:
    case = visits.of("signal")
    assert case["calls"] == ["GET /tracker.js", "GET /tracker/policy.js", "GET /api/v1/config"]
    assert case["said"] == ["info tracker: not recorded: the visitor asks for that"]
    assert [name for name in case["stored"] if not name.startswith("tracker.config.")] == []


def test_a_project_that_records_nothing_is_sent_nothing(visits: Visits) -> None:
    assert [call for call in visits.of("silent")["calls"] if call.startswith("POST")] == []


def test_a_page_sends_those_sessions_that_the_server_would_store(visits: Visits) -> None:
    outcomes = visits.of("share")["outcomes"]
    chosen = [is_sampled(visits.numbers["share"], UUID(each["session"]), 0.5) for each in outcomes]
    assert [each["sent"] for each in outcomes] == chosen
    assert {status for each in outcomes for status in each["statuses"]} <= {200, 201}


def test_a_projects_own_rules_hold_in_the_browser(visits: Visits) -> None:
    case = visits.of("masked")
    assert "canary" not in case["text"]
    assert set(case["urls"]) == {f"?ref={MASK}&page=3"}


def test_tabs_share_a_visit_and_each_has_its_own_stream(visits: Visits) -> None:
    assert len(set(visits.of("tabs")["sessions"])) == 1
    events = visits.events("tabs")
    seen = {event["page_url"].rsplit("/", 1)[1]: event["event_data"]["tab"] for event in events if views([event])}
    assert len(seen) == 4
    assert seen["?one"] == seen["?one-again"]
    assert len({seen["?one"], seen["?two"], seen["copy"]}) == 3
    assert Counter(names(events)) == {"pageview": 4, "click": 1, "in one": 1, "in two": 1}


def test_a_page_that_comes_back_as_it_was_is_a_page_view(visits: Visits) -> None:
    case = visits.of("back")
    assert case["wasKept"], case["reasons"]
    assert [view["via"] for view in views(visits.events("back"))][-3:] == ["load", "load", "restore"]
    assert names(visits.events("back"))[-1] == "back"


def test_a_page_made_ready_ahead_says_nothing_before_it_is_shown(visits: Visits) -> None:
    case = visits.of("ahead")
    assert case["made"] == "?made=true"
    assert set(case["before"]) == {"GET /tracker.js", "GET /state"}
    times = [datetime.fromisoformat(event["timestamp"]) for event in case["events"]]
    assert min(times) >= datetime.fromtimestamp(case["shown"] / 1000, UTC)
    assert kinds(visits.events("ahead"))[0] == "pageview"


def test_a_site_can_serve_all_of_it_under_a_path_of_its_own(visits: Visits) -> None:
    case = visits.of("prefix")
    assert (case["outside"], case["prefixes"]) == ([], ["/metrics/prefix"])
    assert {"GET /tracker/screenshot.js", "POST /api/v1/track", "POST /api/v1/track/screenshot"} <= set(case["paths"])
    assert "click" in kinds(visits.events("prefix"))


def test_a_page_that_changed_what_the_tag_stands_on_is_recorded_and_sees_no_error(visits: Visits) -> None:
    assert visits.of("hostile")["said"] == []
    listed = [event for event in visits.events("hostile", visits.of("hostile")["first"]) if names([event]) == ["list"]]
    assert [event["event_data"]["data"] for event in listed] == [{"list": [1, [2]]}]


def test_a_page_that_lacks_what_the_tag_stands_on_is_recorded_as_far_as_it_can_be(visits: Visits) -> None:
    case, events = visits.of("broken"), visits.events("broken")
    assert {"pageview", "click", "paid", "input"} <= set(names(events))
    assert [event["page_url"].rpartition("/")[2] for event in events if event["event_type"] == "pageview"] == [
        "",
        "next",
    ]
    assert not [text for text in ("ada@", "4242") if text in json.dumps(events)]
    assert [line for line in case["said"] if line.startswith("error")] == []
    assert any("no recorder:" in line and "no MutationObserver" in line for line in case["said"]), case["said"]


def test_what_runs_is_said_and_no_recorder_is_loaded_for_no_session(visits: Visits) -> None:
    case = visits.of("unrecorded")
    assert f"info tracker: recorded: session {case['session']}" in case["said"]
    assert "info tracker: behaviour runs" in case["said"]
    assert not [path for path in case["paths"] if "recorder" in path]
    assert any("no recording" in line for line in case["said"])


def test_a_page_of_an_app_is_its_path_or_route_and_has_the_title_that_comes_with_it(visits: Visits) -> None:
    seen = [
        (event["page_url"].partition("//")[2].partition("/")[2], event["event_data"]["title"])
        for event in visits.events("routes")
        if event["event_type"] == "pageview"
    ]
    assert seen == [
        ("", "Case"),
        ("list", "The list"),
        ("list?size=2&colour=red#/cart", "The cart"),
        ("?again", "Case"),
    ]


def test_a_browser_that_stores_nothing_is_recorded_from_memory(visits: Visits) -> None:
    assert visits.of("forbidden")["said"] == []
    assert names(visits.events("forbidden")) == ["pageview", "from memory"]


def test_unknown_options_are_told_once(visits: Visits) -> None:
    assert visits.of("options")["said"] == ["warning tracker: unknown options: maskTxt, screenShots"]


def test_who_comes_back_the_next_day_or_logs_out_begins_a_new_session(visits: Visits) -> None:
    case = visits.of("renewal")
    assert len({case["first"], case["second"], case["third"]}) == 3
    batches = [(session, [kind for kind in told if kind not in LOOSE]) for session, told in case["batches"]]
    assert [batch for batch in batches if batch[1]] == [
        (case["first"], ["pageview"]),
        (case["second"], ["pageview", "click"]),
        (case["third"], ["pageview"]),
    ]
