"""A real Chromium comes in by the link that the first start prints, by an invitation, and by its password."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.chromium import needs_chromium
from tests.e2e.driver import drive
from tests.processes import Running

HERE = Path(__file__).parent

pytestmark = needs_chromium("playwright-core")


def test_people_come_in_by_links_and_by_their_password() -> None:
    pictures = os.environ.get("DOORS_PICTURES", "-")
    with Running(TRACKER_WORKERS="2") as server:
        link: str = server.values["owner_link"]
        assert link.startswith(f"{server.url}/join#")
        report = drive(HERE / "drive_login_pages.mjs", link, pictures)
        errors = server.end()
    token = urlsplit(link).fragment
    shown: dict[str, str] = report["shown"]
    assert "You will own every project of this server" in shown["first owner"]
    assert "is the e-mail" in shown["bad password"]
    assert "as ann@shop.example" in shown["owner is in"]
    assert "default\nowner" in shown["owner is in"]
    assert "used already" in shown["used link"]
    assert "Join as ann@shop.example" in shown["invited while logged in"]
    assert "Join default" in shown["invited"]
    assert "You are invited as editor." in shown["invited"]
    assert "as bob@shop.example" in shown["guest is in"]
    assert "default\neditor" in shown["guest is in"]
    assert "There is no account of this e-mail with this password" in shown["login refused"]
    assert report["errors"] == [], "no error of a script, nothing that the page's policy forbids"
    assert "#" not in report["url"], "the token is out of the address bar"
    assert not report["cookie_is_readable"]
    requests: list[str] = report["requests"]
    sent = [url for url in requests if not url.startswith("data:")]
    assert {urlsplit(url).netloc for url in sent} == {urlsplit(server.url).netloc}
    assert not [url for url in sent if token in urlsplit(url)._replace(fragment="").geturl()]
    assert token not in errors
