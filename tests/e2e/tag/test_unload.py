"""Visits that end in all ways, before a server in all conditions: what was captured a second before arrives, once.

`UNLOAD_VISITS=30` makes so many of each kind, before a server that is down, answers 429 or is slow, too, and on each
tier; with `-s --numprocesses=0` the table is printed. It takes an hour. Without it one of each kind is made on one.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import TIERS, Servers
from tests.e2e.chromium import needs_chromium
from tests.e2e.driver import drive
from tests.processes import Running
from tracker_backend.bundled import TRACKER_JS

HERE = Path(__file__).parent
ALL = "UNLOAD_VISITS" in os.environ
VISITS = int(os.environ.get("UNLOAD_VISITS", "1"))
SERVERS = ["well", "503", "down", "429", "slow"] if ALL else ["well", "503"]
COLUMNS = ("visits", "complete", "due", "at_once", "next_visit", "missing", "missing_of_last_second", "twice")

pytestmark = needs_chromium("playwright-core")

Cell = dict[str, Any]


class Visits:
    """What the browser did and the server has of it: a cell for each way to end, condition of the server and amount."""

    def __init__(self, server_url: str, dsn: str) -> None:
        self.dsn = dsn
        options = json.dumps({"visits": VISITS, "servers": SERVERS})
        self.cells: list[Cell] = drive(HERE / "unload.mjs", server_url, str(TRACKER_JS), options)

    def __str__(self) -> str:
        rows = [["server", "KB", "end", *COLUMNS]]
        rows += [[str(cell[name]) for name in ("server", "kilobytes", "end", *COLUMNS)] for cell in self.cells]
        return "\n".join(" | ".join(row) for row in rows)


@pytest.fixture(scope="module", params=TIERS if ALL else TIERS[:1])
def visits(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Visits]:
    """All visits for all tests of this file, a tier at a time. The address of all is one, so that limit is off."""
    dsn = asyncio.run(servers.of(request.param).database())
    with Running(DATABASE_URL=dsn, TRACKER_LIMIT_KEY="0") as server:
        made = Visits(server.url, dsn)
        print(f"\n{request.param}\n{made}")
        yield made


def test_what_was_captured_a_second_before_the_end_arrives(visits: Visits) -> None:
    assert len(visits.cells) == len(SERVERS) * 2 * 6
    assert all(cell["due"] > 0 for cell in visits.cells)
    assert [cell for cell in visits.cells if cell["complete"] < VISITS] == []


def test_a_page_that_is_left_loses_nothing_at_all(visits: Visits) -> None:
    left = [cell for cell in visits.cells if cell["end"] in {"beside", "onward", "navigate", "close"}]
    assert [cell for cell in left if cell["missing_of_last_second"]] == []


async def test_nothing_is_stored_twice(visits: Visits) -> None:
    connection = await asyncpg.connect(visits.dsn)
    try:
        twice = await connection.fetch("""
            select session_id, event_type, timestamp, event_data from tracker.events
            group by 1, 2, 3, 4 having count(*) > 1
        """)
    finally:
        await connection.close()
    assert twice == []
    assert [cell for cell in visits.cells if cell["twice"]] == []
