"""Hostile requests against the real server: each gets its answer, and the server goes on to store what others send.

No test here measures time or memory: the machine decides on those. `make bench` reports them
(`bench/hostile.py`).
"""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Servers
from tests.hostile.hostile import Hostile, Target, answers, track
from tests.hostile.requests import HOSTILE
from tests.processes import Running

STORED = Hostile("an event of somebody else", track(), frozenset({201}))


@pytest.fixture(scope="module")
def target(servers: Servers) -> Iterator[Target]:
    """The server as it is started by users, except for its rate limits and a shorter wait for slow clients."""
    dsn = asyncio.run(servers.of("plain").database())
    unlimited = {f"TRACKER_LIMIT_{name}": "0" for name in ("KEY", "KEYLESS", "PROJECT", "SPECTRA")}
    with Running(DATABASE_URL=dsn, TRACKER_LOG_LEVEL="error", **unlimited) as server:
        url = httpx.URL(server.url)
        yield Target(url.host, url.port or 80, server.values["write_key"])
        assert server.process.poll() is None


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
async def test_a_hostile_request_is_answered_and_others_are_served(target: Target, hostile: Hostile) -> None:
    for found in await answers(target, hostile):
        assert found in hostile.answers
    assert await answers(target, STORED) == [201]


def test_each_hostile_request_has_a_name_of_its_own() -> None:
    names = [hostile.name for hostile in HOSTILE]
    assert len(set(names)) == len(names)
