"""Pages made for one kind of case each, visited in a real Chromium: what is stored is what was done."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e import driver
from tests.e2e.chromium import needs_chromium

HERE = Path(__file__).parent
DRIVER = HERE / "behaviour" / "drive.mjs"
MASK = "********"
CANARIES = ("canary", "hunter2", "t0ken-in-query")

pytestmark = [pytest.mark.tiers("plain"), *needs_chromium("playwright-core")]


class Visits:
    """What a browser did on each page, and what the server has of it."""

    def __init__(self, server_url: str, report: dict[str, Any]) -> None:
        self.report = report
        self._api = httpx.Client(base_url=server_url, timeout=30)

    def of(self, case: str) -> dict[str, Any]:
        """What was done, as the driver tells it."""
        visit = self.report[case]
        assert "failed" not in visit, visit["failed"]
        return visit

    def session(self, case: str) -> dict[str, Any]:
        """The session as it is listed, with its counters."""
        return self._get(f"/api/v1/sessions/{self.of(case)['session']}")

    def events(self, case: str, *kinds: str, session: str | None = None) -> list[dict[str, Any]]:
        """The stored events of these types, in the order of time."""
        found = self._get(f"/api/v1/sessions/{session or self.of(case)['session']}/events?limit=10000")["data"]
        return [event for event in found if not kinds or event["event_type"] in kinds]

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._api.get(path)
        answer.raise_for_status()
        return answer.json()


@cache
def drive(server_url: str) -> Visits:
    """All visits for all tests of this file: they take a browser and a minute."""
    return Visits(server_url, driver.drive(DRIVER, server_url))


@pytest.fixture
def visits(server_url: str) -> Visits:
    return drive(server_url)


def selectors(events: list[dict[str, Any]]) -> list[str | None]:
    return [event["target_selector"] for event in events]


def path(url: str) -> str:
    return urlsplit(url).path


def data(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["event_data"] for event in events]


def test_no_page_saw_an_error_of_ours(visits: Visits) -> None:
    # The plain page rejects a promise of its own on purpose.
    errors = {case: visits.of(case)["page_errors"] for case in visits.report}
    assert errors == {case: ["Failed to fetch"] if case == "plain" else [] for case in visits.report}


def test_clicks_double_clicks_keys_and_fields_are_told_as_they_were_done(visits: Visits) -> None:
    assert selectors(visits.events("plain", "click")) == ["#button", "#title", "#title", "#city"]
    assert selectors(visits.events("plain", "dblclick")) == ["#title"]
    keys = [
        (event["target_selector"], event["key_pressed"], event["event_data"])
        for event in visits.events("plain", "keydown")
    ]
    assert keys == [
        ("#city", "char", {"count": 5}),
        ("#city", "Tab", None),
        ("#secret", "char", None),
        ("#secret", "Tab", {"held": ["shift"]}),
    ]
    typed = [(event["target_selector"], event["input_value"]) for event in visits.events("plain", "input", "change")]
    assert typed == [("#city", "Porto"), ("#secret", MASK)]
    entered = [(event["event_type"], event["target_selector"]) for event in visits.events("plain", "focus", "blur")]
    assert [f"{kind} {selector}" for kind, selector in entered[:4]] == [
        *("focus #city", "blur #city", "focus #secret", "blur #secret")
    ]


def test_the_page_and_a_box_in_it_are_told_where_they_came_to_rest(visits: Visits) -> None:
    scrolls = visits.events("plain", "scroll")
    box = [event for event in scrolls if event["target_selector"] == "#box"][-1]
    page = [event for event in scrolls if event["target_selector"] is None][-1]
    assert (box["scroll_y"], box["event_data"]) == (500, {"box": True})
    assert page["scroll_y"] == visits.of("plain")["state"]["scrollY"]
    assert 0 < page["event_data"]["depth_percent"] < 100
    assert len(visits.events("plain", "mousemove")) >= 1
    assert data(visits.events("plain", "resize")) == [{"width": 900, "height": 600, "pixel_ratio": 1}]


def test_failed_requests_are_told_and_the_page_gets_its_answers(visits: Visits) -> None:
    visit = visits.of("plain")
    answered = {"failedFetch": 404, "failedXhr": 500, "reusedXhr": 404, "fineFetch": 200}
    assert visit["done"] == answered | {"refusedFetch": 1, "abortedFetch": 2}
    assert visit["got"]["caught"] == ["TypeError", "AbortError"]
    assert visit["got"]["rejections"] == ["TypeError: Failed to fetch"]
    failed = [
        (each["api"], each["method"], path(each["url"]), each["failure"], each.get("status"))
        for each in data(visits.events("plain", "request_failed"))
    ]
    assert failed == [
        ("fetch", "POST", "/missing/item", "status", 404),
        ("xhr", "GET", "/broken", "status", 500),
        ("xhr", "GET", "/missing/second", "status", 404),
        ("fetch", "GET", "/refused/", "network", None),
        ("xhr", "GET", "/refused/", "network", None),
        ("fetch", "GET", "/refused/uncaught", "network", None),
    ]


def test_errors_are_counted_and_the_console_is_not(visits: Visits) -> None:
    errors = data(visits.events("plain", "error"))
    assert [error["kind"] for error in errors] == ["unhandledrejection", "resource"]
    assert path(errors[1]["url"]) == "/missing/image.png"
    assert visits.session("plain")["error_count"] == 2
    said = data(visits.events("plain", "console"))
    assert [(each["level"], each["message"]) for each in said] == [
        ("error", "cart A-7 is broken [object Object] RangeError: too many")
    ]
    assert [each["level"] for each in data(visits.events("consoles", "console"))] == ["error", "warn"]


def test_what_is_switched_off_is_not_touched(visits: Visits) -> None:
    assert visits.of("switchedOff")["native"]
    assert visits.events("switchedOff", "request_failed", "web_vital") == []


def test_web_vitals_are_told_with_the_element_that_they_are_about(visits: Visits) -> None:
    vitals = visits.events("plain", "web_vital")
    last = {event["event_data"]["name"]: event for event in vitals}
    assert set(last) == {"TTFB", "FCP", "LCP", "CLS", "INP"}
    assert last["LCP"]["target_selector"] == "#title"
    assert {event["event_data"]["rating"] for event in vitals} <= {"good", "needs-improvement", "poor"}
    # Masked as a card's number it would tie nothing together.
    assert [each["id"] for each in data(vitals) if MASK in each["id"]] == []
    assert len({each["id"] for each in data(vitals)}) == 5


def test_the_time_of_each_page_is_told_when_it_is_left(visits: Visits) -> None:
    times = [(path(event["page_url"]), event["event_data"]) for event in visits.events("spa", "page_time")]
    assert [path for path, _ in times] == ["/spa.html", "/cart", "/home"]
    assert all(told["visible_ms"] > 0 and told["depth_percent"] == 100 for _, told in times)
    assert data(visits.events("spa", "visibility")) == [{"state": "hidden"}]


def test_steps_of_a_single_page_app_are_pages(visits: Visits) -> None:
    views = [path(event["page_url"]) for event in visits.events("spa", "pageview")]
    assert views == ["/spa.html", "/cart", "/home"], "the anchor is none"
    # What was typed is told of the page it was typed on, which is gone by then.
    typed = [(path(event["page_url"]), event["target_selector"]) for event in visits.events("spa", "keydown", "input")]
    assert typed == [("/cart", '[name="street"]')] * 2
    [abandoned] = visits.events("spa", "form_abandon")
    assert (path(abandoned["page_url"]), abandoned["target_selector"]) == ("/cart", "#order")


def test_forms_are_sent_or_abandoned(visits: Visits) -> None:
    [sent] = visits.events("forms", "submit")
    assert sent["target_selector"] == "#sent"
    about = {"method": "post", "fields": ["coupon"], "last_field": "coupon", "field_count": 1}
    assert sent["event_data"] == about | {"duration_ms": sent["event_data"]["duration_ms"]}
    abandoned = {event["target_selector"]: event["event_data"] for event in visits.events("forms", "form_abandon")}
    assert set(abandoned) == {"#left", "#chosen"}
    assert (abandoned["#left"]["fields"], abandoned["#left"]["field_count"]) == (["street", "zip"], 4)
    assert "last_field" not in abandoned["#left"]
    assert abandoned["#chosen"]["fields"] == ["terms", "size"]


def test_elements_of_shadow_trees_are_told_themselves(visits: Visits) -> None:
    item = "#app >>> :host > ul:nth-of-type(1) > li:nth-of-type(2) > shop-item:nth-of-type(1)"
    form = "#app >>> :host > form:nth-of-type(1)"
    assert selectors(visits.events("shadow", "click")) == [
        f"{item} >>> :host > p:nth-of-type(1)",
        f"{form} > button:nth-of-type(1)",
        "#closed",
    ]
    assert selectors(visits.events("shadow", "submit")) == [form]
    assert selectors(visits.events("shadow", "scroll"))[-1] == "#app >>> #scroller"
    [typed] = visits.events("shadow", "input", "change")
    assert (typed["target_selector"], typed["input_value"]) == ('#app >>> [name="note"]', MASK)


def test_frames_tell_of_themselves(visits: Visits) -> None:
    visit = visits.of("frames")
    assert visit["sessions"]["same"] == visit["session"]
    assert visit["sessions"]["other"] != visit["session"]
    clicks = [(path(event["page_url"]), event["target_selector"]) for event in visits.events("frames", "click")]
    assert Counter(clicks) == Counter([("/frame.html", "#inside"), ("/frames.html", "#outside")])
    [other] = visits.events("frames", "click", session=visit["sessions"]["other"])
    assert other["page_url"] == f"{visit['other']}/frame.html"


def test_a_click_on_a_canvas_is_told_with_its_place_and_is_never_dead(visits: Visits) -> None:
    [click] = visits.events("canvas", "click", "dead_click")
    assert (click["event_type"], click["target_tag"]) == ("click", "canvas")
    assert (click["viewport_x"], click["viewport_y"]) == (123, 45)


def test_a_strict_policy_is_kept(visits: Visits) -> None:
    assert visits.of("policy")["violations"] == []
    kinds = {event["event_type"] for event in visits.events("policy")}
    assert {"pageview", "click", "keydown", "input", "focus", "request_failed", "web_vital"} <= kinds


def test_a_page_that_changes_the_language_is_recorded_all_the_same(visits: Visits) -> None:
    visit = visits.of("hostile")
    assert visit["kept"] == "function"
    typed = [event["input_value"] for event in visits.events("hostile", "input")]
    assert typed == ["Rua", "40", "!Rua"]
    assert [each["url"].rpartition("/")[2] for each in data(visits.events("hostile", "request_failed"))] == ["order"]
    # Its arrays would be texts in its own JSON. The request after the button's click has sent what was typed before.
    assert [each["fields"] for each in data(visits.events("hostile", "form_abandon"))] == [["street"]]


def test_ten_thousand_nodes_are_an_answer(visits: Visits) -> None:
    assert visits.of("many")["rows"] == 10_000
    assert selectors(visits.events("many", "click")) == ["#grow", "#list > p:nth-of-type(3)"]
    assert selectors(visits.events("many", "dead_click")) == ["#list > p:nth-of-type(3)"]


def test_a_click_is_dead_if_nothing_comes_of_it(visits: Visits) -> None:
    dead = [
        (event["target_selector"], event["click_count"], event["event_data"]["interactive"])
        for event in visits.events("dead", "dead_click")
    ]
    assert dead == [
        ("#nothing", 1, True),
        ("#looks", 1, True),
        ("#text", 1, False),
        ("#hash", 1, True),
        ("#prevented", 1, True),
        ("#analytics", 1, True),
        ("#pressed", 1, True),
        # Three at once, and one of the keyboard.
        ("#looks", 3, True),
        ("#nothing", 1, True),
    ]
    clicked = {*visits.of("dead")["clicked"], "box"} - {"label"}
    assert {selector.removeprefix("#") for selector in selectors(visits.events("dead", "click")) if selector} >= clicked


def test_an_answer_in_another_shadow_tree_is_seen(visits: Visits) -> None:
    dead = selectors(visits.events("deadInShadow", "dead_click"))
    assert [str(selector).rpartition(" > ")[2] for selector in dead] == ["button:nth-of-type(1)"]
    assert len(visits.events("deadInShadow", "click")) == 3


def test_a_dialog_is_an_answer(visits: Visits) -> None:
    assert selectors(visits.events("asked", "dead_click")) == ["#nothing"]


def test_each_of_a_thousand_selectors_finds_its_element(visits: Visits) -> None:
    visit = visits.of("selectors")
    assert visit["count"] >= 1_000
    assert visit["recorded"] == [visit["count"]] * 3
    assert visit["distinct"] == visit["count"]
    assert visit["lost"] == {"at_once": [], "after_reload": [], "among_others": []}
    assert visit["changed"] == {"after_reload": [], "among_others": []}


def test_nothing_is_left_after_the_end(visits: Visits) -> None:
    visit = visits.of("stop")
    # It was there.
    assert len(visit["during"]["listeners"]) > len(visit["before"]) + 20
    assert {"fetch", "console.error", "XMLHttpRequest.prototype.send"} <= set(visit["during"]["wrapped"])
    assert any(name.startswith("PerformanceObserver") for name in visit["during"]["running"])
    assert visit["after"] == visit["before"]
    assert visit["wrapped"] == []
    assert visit["running"] == visit["beforeRunning"]


def test_what_was_typed_in_secret_or_stood_in_a_query_is_nowhere(visits: Visits) -> None:
    allowed = {"street-canary", "pass-of-canary"}
    for case in visits.report:
        for event in visits.events(case) if visits.of(case)["session"] else []:
            text = json.dumps(event)
            for word in allowed:
                text = text.replace(word, "")
            assert [canary for canary in CANARIES if canary in text] == [], (case, event)
