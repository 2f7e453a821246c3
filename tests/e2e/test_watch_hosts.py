"""A replay loads nothing of hosts that its recording names, unless the operator allows them."""

import socket
from pathlib import Path

import pytest

from tests.conftest import Servers
from tests.e2e.chromium import needs_chromium
from tests.e2e.driver import drive
from tests.processes import Running

HERE = Path(__file__).parent
FILES = ["background.png", "face.woff2", "image.png", "import.css", "sheet.css", "video.mp4"]

pytestmark = [pytest.mark.tiers("plain"), *needs_chromium("playwright-core")]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize("is_allowed", [False, True])
async def test_a_replay_loads_from_other_hosts_only_where_that_is_set(
    servers: Servers, tier: str, *, is_allowed: bool
) -> None:
    dsn = await servers.of(tier).database()
    port = free_port()
    hosts = {"TRACKER_REPLAY_HOSTS": f"http://127.0.0.1:{port}"} if is_allowed else {}
    with Running(DATABASE_URL=dsn, **hosts) as server:
        report = drive(HERE / "watch_hosts.mjs", server.url, str(port))
    assert report["requested"] == (FILES if is_allowed else [])
    assert report["refused"] == ([] if is_allowed else FILES)
