"""An open database of each tier, on which imports run as the command runs them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.visits import now
from tracker_backend.importing.run import Imported, import_files
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database

Run = Callable[..., Awaitable[list[Imported]]]
BASE = int(now().timestamp() * 1000) - 3_600_000
"""An hour ago, in milliseconds."""


@pytest.fixture
def run(settings: Settings, database: Database) -> Run:
    """Imports files into the first project."""

    async def imported(*paths: Path, project: int = 1, **options: Any) -> list[Imported]:
        return await import_files(settings, database, project, paths, **options)

    return imported


def meta(time: int = BASE, href: str = "https://shop.example/cart?x=1") -> dict[str, Any]:
    """rrweb's event of a page."""
    return {"type": 4, "data": {"href": href, "width": 800, "height": 600}, "timestamp": time}


def snapshot(time: int = BASE) -> dict[str, Any]:
    """rrweb's full snapshot, of next to nothing."""
    return {"type": 2, "data": {"node": {"type": 0, "childNodes": [], "id": 1}}, "timestamp": time}


def click(time: int, x: int = 10) -> dict[str, Any]:
    """rrweb's event of a click."""
    return {"type": 3, "data": {"source": 2, "type": 2, "id": 7, "x": x, "y": 20}, "timestamp": time}


def recording(count: int = 30, start: int = BASE) -> list[dict[str, Any]]:
    """A page, its snapshot and clicks here and there, one a second."""
    return [meta(start), snapshot(start), *(click(start + 1000 * n, x=100 * n) for n in range(1, count - 1))]
