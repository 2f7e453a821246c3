"""The tag in a real Firefox, and in a real WebKit (Safari's engine, as Linux has it)."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.e2e.chromium import NODE_MODULES
from tests.e2e.driver import drive

HERE = Path(__file__).parent
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
WEBKIT = next(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"), None)
SECRETS = ["typed-password", "ada@example.org", "rich-words", "private-words", "secret-token"]

no_webkit = not (WEBKIT and shutil.which("WebKitWebDriver") and shutil.which("Xvfb"))
pytestmark = [
    pytest.mark.tiers("plain"),
    pytest.mark.skipif(
        shutil.which("node") is None
        or not all((NODE_MODULES / name).exists() for name in ("puppeteer-core", "selenium-webdriver")),
        reason="no node, or no tracker_js/node_modules (npm ci in tracker_js)",
    ),
]


class Visit:
    """What a visit did, and what the server has of it."""

    def __init__(self, server_url: str, engine: str, browser: str) -> None:
        key = httpx.get(f"{server_url}/api/projects").json()["projects"][0]["sdk_key"]
        settings = {"browser": browser, "server": server_url, "key": key}
        self.report: dict[str, Any] = drive(HERE / "engines.mjs", engine, json.dumps(settings))
        self._api = f"{server_url}/api/v1"
        self.session = f"/sessions/{self.report['session']}"
        self.events: list[dict[str, Any]] = self.get(f"{self.session}/events?limit=10000")["data"]

    def get(self, path: str) -> Any:
        """What the server says."""
        answer = httpx.get(self._api + path, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.headers["content-type"].startswith("application/json") else answer.content

    def count(self, name: str) -> int:
        """How often a custom event is stored."""
        found = [event["event_data"]["name"] for event in self.events if event["event_type"] == "custom"]
        return found.count(name)


@pytest.fixture(
    params=[
        pytest.param(
            ("firefox", str(FIREFOX)), id="firefox", marks=pytest.mark.skipif(not FIREFOX, reason="no Firefox")
        ),
        pytest.param(
            ("webkit", str(WEBKIT)),
            id="webkit",
            marks=pytest.mark.skipif(no_webkit, reason="no WebKitWebDriver, MiniBrowser or Xvfb"),
        ),
    ]
)
def visit(request: pytest.FixtureRequest, server_url: str) -> Visit:
    """The visit in each engine; it is made once."""
    return Visit(server_url, *request.param)


def test_what_was_done_is_stored(visit: Visit) -> None:
    told = {(event["event_type"], event["target_selector"]) for event in visit.events}
    assert {("click", "#go"), ("click", "#send"), ("click", "#host >>> #in"), ("submit", "#form")} <= told
    errors = {event["event_data"]["message"] for event in visit.events if event["event_type"] == "error"}
    assert errors == {"thrown", "rejected"}
    failed = [event["event_data"]["status"] for event in visit.events if event["event_type"] == "request_failed"]
    assert failed == [404]
    assert visit.count("bought") == 1
    session = visit.get(visit.session)
    assert (session["user_id"], session["metadata"]["plan"]) == ("ada", "pro")


def test_the_first_page_is_timed(visit: Visit) -> None:
    timed = {event["event_data"]["name"] for event in visit.events if event["event_type"] == "web_vital"}
    assert {"TTFB", "FCP"} <= timed


def test_no_secret_leaves_the_browser(visit: Visit) -> None:
    assert any("Paris" in text for _, text in visit.report["sent"])
    assert [secret for secret in SECRETS if any(secret in text for _, text in visit.report["sent"])] == []


def test_it_is_recorded(visit: Visit) -> None:
    kinds = [event["type"] for event in visit.get(f"{visit.session}/recording")]
    assert kinds[:2] == [4, 2]
    assert 3 in kinds


def test_a_picture_is_taken_on_white_paper(visit: Visit) -> None:
    (shot,) = visit.get(f"{visit.session}/screenshots")["data"]
    image = Image.open(io.BytesIO(visit.get(f"/screenshots/{shot['screenshot_id']}")))
    assert image.format == "JPEG"
    darkest, _ = image.convert("L").crop((0, 0, image.width, 4)).getextrema()
    assert isinstance(darkest, (int, float))
    assert darkest > 220


def test_what_a_page_told_last_arrives(visit: Visit) -> None:
    assert (visit.count("leaving"), visit.count("closing")) == (1, 1)


def test_what_was_captured_without_a_server_comes_with_the_next_page_once(visit: Visit) -> None:
    assert visit.count("without a server") == 1


def test_pages_that_rest_keep_nobody_from_the_disk(visit: Visit) -> None:
    assert visit.count("there and back") == 1


def test_nothing_is_sent_or_kept_before_consent(visit: Visit) -> None:
    calls, kept = visit.report["before"]
    assert calls == ["GET /tracker.js"]
    assert json.loads(kept) == [[], [], ""]
    assert visit.report["agreed"] not in ("", visit.report["session"])
