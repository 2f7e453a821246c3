"""rrweb events that the tests of all dialects send."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

Json = dict[str, Any]

BASE = int((datetime.now(UTC) - timedelta(minutes=10)).timestamp() * 1000)
META: Json = {"type": 4, "data": {"href": "https://shop.example/cart", "width": 800, "height": 600}, "timestamp": BASE}
SNAPSHOT: Json = {"type": 2, "data": {"node": {"type": 0, "childNodes": [], "id": 1}}, "timestamp": BASE + 1}


def click(after: int) -> Json:
    """A click so many milliseconds after the first event."""
    data = {"source": 2, "type": 2, "id": 7, "x": 10, "y": 20}
    return {"type": 3, "data": data, "timestamp": BASE + after}


def visit() -> list[Json]:
    """A page with a click."""
    return [META, SNAPSHOT, click(50)]


def session_text() -> str:
    """A session's id as `uxcam` clients make one."""
    return f"sess_{uuid.uuid4().hex}"


async def replay(client: httpx.AsyncClient, session: str) -> list[Json]:
    """The recording as `v1` reads it."""
    answer = await client.get(f"/api/v1/sessions/{session}/recording")
    assert answer.status_code == 200, answer.text
    return answer.json()
