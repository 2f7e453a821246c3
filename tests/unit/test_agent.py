"""What a `User-Agent` header tells."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backend.ingest.agent import parse_agent

KHTML = "(KHTML, like Gecko)"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 {KHTML} Chrome/126.0.0.0 Safari/537.36"
LINUX = f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 {KHTML}"
ANDROID = f"Mozilla/5.0 (Linux; Android 14; SM-X700) AppleWebKit/537.36 {KHTML} Chrome/126.0.0.0"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 {KHTML} Version/17.5 Safari/605.1.15"
IOS = f"like Mac OS X) AppleWebKit/605.1.15 {KHTML} Version/17.5 Mobile/15E148 Safari/604.1"
FIREFOX = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"


@pytest.mark.parametrize(
    ("header", "browser", "system", "device"),
    [
        (WINDOWS, "Chrome", "Windows", "desktop"),
        (f"{WINDOWS} Edg/126.0.0.0", "Edge", "Windows", "desktop"),
        (f"{LINUX} Chrome/126.0.0.0 Safari/537.36", "Chrome", "Linux", "desktop"),
        (MAC, "Safari", "Mac OS X", "desktop"),
        (FIREFOX, "Firefox", "Ubuntu", "desktop"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 {IOS}", "Mobile Safari", "iOS", "mobile"),
        (f"Mozilla/5.0 (iPad; CPU OS 16_6 {IOS}", "Mobile Safari", "iOS", "tablet"),
        (f"{ANDROID} Mobile Safari/537.36", "Chrome Mobile", "Android", "mobile"),
        (f"{ANDROID} Safari/537.36", "Chrome", "Android", "tablet"),
    ],
)
def test_browsers_are_recognised(header: str, browser: str, system: str, device: str) -> None:
    agent = parse_agent(header)
    assert (agent.browser, agent.os, agent.device_type) == (browser, system, device)
    assert (agent.is_bot, agent.bot_reason) == (False, None)


_TABLE = Path(__file__).with_name("user_agents.tsv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("device", "header"),
    [
        pytest.param(device, header, id=name)
        for device, name, header in (line.split("\t") for line in _TABLE.splitlines())
    ],
)
def test_apps_and_televisions_are_no_bots_and_of_their_kind(device: str, header: str) -> None:
    agent = parse_agent(header)
    assert (agent.device_type, agent.bot_reason) == (device, None)


@pytest.mark.parametrize(
    "header",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        f"{ANDROID} Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "curl/8.5.0",
        "python-httpx/0.28.1",
        "axios/1.7.2",
        "WhatsApp/2.23.20.0 A",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "TelegramBot (like TwitterBot)",
        "Viber",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "okhttp/4.12.0 (compatible; Applebot/0.1)",
        f"{LINUX} HeadlessChrome/126.0.0.0 Safari/537.36",
    ],
)
def test_bots_are_recognised(header: str) -> None:
    assert parse_agent(header).bot_reason == "known crawler"


def test_no_header_is_a_bot_too() -> None:
    agent = parse_agent("")
    assert (agent.browser, agent.os, agent.is_bot, agent.bot_reason) == (None, None, True, "no user agent")


@given(st.text())
def test_any_header_is_read(header: str) -> None:
    assert parse_agent(header).device_type in ("desktop", "mobile", "tablet")
