"""rrweb records a visit in a real Chromium through each dialect; its player replays it there from each read endpoint.

`rrweb/` holds the recorded site, the senders as a tracker of each dialect would have them, and the driver.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from PIL import Image, ImageChops

from tests.conftest import Servers
from tests.e2e import driver
from tests.e2e.chromium import needs_chromium
from tests.processes import Running

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.tiers("plain"),
    *needs_chromium(
        "playwright-core",
        "@rrweb/record",
        "@rrweb/rrweb-plugin-console-record",
        "rrweb-player",
        "pako",
        "lz-string",
    ),
]

WRITERS = ("v1", "spectra", "incuera", "uxcam", "reev")
READERS = ("v1", "spectra", "uxcam", "reev")
"""`incuera` has no endpoint to read from."""
CLICKS, ERRORS, PAGES = 12, 2, 2
"""What the driver does: one error is logged, one is thrown."""
BATCHES = 10
Visit = dict[str, Any]


class Visits:
    """What the driver saw, by tier: a browser that records and replays takes some twenty seconds."""

    def __init__(self, servers: Servers, pictures: Path) -> None:
        self._servers = servers
        self._pictures = pictures
        self._reports: dict[str, dict[str, Visit]] = {}

    async def of(self, tier: str) -> dict[str, Visit]:
        """The visits on a tier by the dialect that recorded them, each with what the server says of its session."""
        if tier not in self._reports:
            dsn = await self._servers.of(tier).database()
            pictures = self._pictures / tier
            pictures.mkdir()
            # Pages are compared with what was recorded, and so with what was typed.
            run_command(dsn, "project", "set", "masking.inputs=secrets")
            with Running(DATABASE_URL=dsn, TRACKER_LIMIT_KEY="0", TRACKER_LIMIT_SPECTRA="0") as server:
                self._reports[tier] = drive(server.url, make_key(dsn, "write"), make_key(dsn, "read"), pictures)
        return self._reports[tier]


def make_key(dsn: str, kind: str) -> str:
    """A new key of the default project."""
    return json.loads(run_command(dsn, "key", "create", "--kind", kind, "--json"))["key"]


def run_command(dsn: str, *arguments: str) -> str:
    """What a command of the server prints."""
    return subprocess.run(
        [sys.executable, "-m", "tracker_backend", *arguments],
        env={**os.environ, "DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def drive(server_url: str, write_key: str, read_key: str, pictures: Path) -> dict[str, Visit]:
    """Records and replays with every dialect."""
    with httpx.Client(base_url=server_url, headers={"X-API-Key": read_key}, timeout=10) as api:
        project = api.get("/api/projects").json()["projects"][0]
        settings = {
            "server": server_url,
            "writeKey": write_key,
            "readKey": read_key,
            "projectId": project["id"],
            "publicKey": project["sdk_key"],
            "pictures": str(pictures),
            "dialects": WRITERS,
            "readers": READERS,
        }
        report: dict[str, Visit] = driver.drive(HERE / "rrweb" / "drive.mjs", json.dumps(settings))
        for writer, visit in report.items():
            if "session" in visit:
                visit["native"] = api.get(f"/api/v1/sessions/{visit['session']}").json()
                visit["shared"] = api.get(f"/api/sessions/{visit['session']}").json()
            visit["recorded_picture"] = pictures / f"{writer}-recorded.png"
            visit["pictures"] = {reader: pictures / f"{writer}-{reader}.png" for reader in READERS}
    return report


@pytest.fixture(scope="session")
def all_visits(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Visits:
    return Visits(servers, tmp_path_factory.mktemp("replays"))


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def visit(all_visits: Visits, tier: str, writer: str) -> Visit:
    """A visit that was recorded through a dialect."""
    found = (await all_visits.of(tier))[writer]
    assert "failed" not in found, found["failed"]
    return found


@pytest.fixture
def replay(visit: Visit, reader: str) -> dict[str, Any]:
    """The same visit, read from a dialect."""
    found = visit["replays"][reader]
    assert "failed" not in found, found["failed"]
    return found


def test_a_replay_shows_the_page_as_it_was_left(visit: Visit, replay: dict[str, Any]) -> None:
    left = visit["states"][0]
    assert "Opened by a click 🎉" in left["text"]
    assert replay["states"][0] == left


def test_a_replay_ends_as_the_visit_ended(visit: Visit, replay: dict[str, Any]) -> None:
    end = visit["states"][1]
    assert "Bought for 20,50 €" in end["text"]
    assert replay["states"][1] == end


def test_a_recording_played_from_its_beginning_ends_as_the_visit_ended(visit: Visit, replay: dict[str, Any]) -> None:
    assert replay["played"] == visit["states"][1]


def test_a_replay_looks_like_the_page(visit: Visit, reader: str, replay: dict[str, Any]) -> None:
    assert replay
    with Image.open(visit["recorded_picture"]) as recorded, Image.open(visit["pictures"][reader]) as replayed:
        assert recorded.size == replayed.size
        difference = ImageChops.difference(recorded.convert("RGB"), replayed.convert("RGB")).convert("L")
        colours = recorded.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colours is not None
    assert len(colours) > 100  # text on more than one ground: not blank
    changed = sum(difference.histogram()[32:])
    # The mouse's pointer, and what it points at.
    assert changed < 0.01 * recorded.width * recorded.height


def test_every_event_comes_back_once_and_as_it_was_recorded(visit: Visit, replay: dict[str, Any]) -> None:
    assert replay["difference"] is None
    assert replay["count"] == visit["count"] > 50
    assert replay["in_order"]


def test_chromium_itself_decodes_the_stored_frames(visit: Visit) -> None:
    assert visit["replays"]["v1"]["encoding"] == "zstd"


def test_times_of_reev_count_from_the_beginning_of_the_session(visit: Visit) -> None:
    assert 0 <= visit["replays"]["reev"]["first_time"] < 10_000


def test_clicks_errors_and_pages_are_counted_as_they_were_made(visit: Visit) -> None:
    assert (visit["clicks"], visit["logged"], visit["batches"]) == (CLICKS, ERRORS, BATCHES)
    native, shared = visit["native"], visit["shared"]
    counted = native["click_count"], native["error_count"], native["page_count"]
    assert counted == (CLICKS, ERRORS, PAGES)
    assert (shared["clicks"], shared["errors"]) == (CLICKS, ERRORS)
    assert (shared["stats"]["clicks"], shared["stats"]["errors"]) == (CLICKS, ERRORS)


def test_every_batch_is_answered_to_a_page_of_another_site(visit: Visit, writer: str) -> None:
    answers: list[dict[str, Any]] = visit["answers"]
    batches = [answer for answer in answers if answer["call"] == "events"]
    # One was sent twice. Those that went with a page are answered to nobody, and a beacon never is.
    assert len(batches) == BATCHES
    for answer in batches:
        check_answer(writer, answer)
    around = [answer["call"] for answer in answers if answer["call"] != "events"]
    assert around == {"spectra": ["start", "heartbeat", "end"], "incuera": ["start"]}.get(writer, [])
    assert all(answer["body"]["success"] is True for answer in answers if answer["call"] != "events")
    expected = {"v1": 201, "reev": 204}.get(writer, 200)
    assert set(visit["statuses"]) == {expected}


def check_answer(writer: str, answer: dict[str, Any]) -> None:
    """What a client of the dialect expects of a batch."""
    count: int = answer["count"]
    body: Any = answer.get("body")
    if writer == "v1":
        assert body["count"] == count
    elif writer == "spectra":
        assert body == {"success": True, "received": {"events": count, "customEvents": 0, "errors": 0}}
    elif writer == "incuera":
        assert body == {"success": True, "received": count}
    elif writer == "uxcam":
        assert UUID(body["session_id"])
        assert body == {"success": True, "snapshot_count": count, "session_id": body["session_id"]}
    else:
        assert answer["taken"] is True


def test_a_session_keeps_the_id_that_its_client_gave_it(visit: Visit) -> None:
    native, shared = visit["native"], visit["shared"]
    assert shared["sessionId"] == visit["session"]
    assert shared["id"] == native["session_id"]
    assert native["page_url"].split("?")[0].endswith("/first.html")
