"""Golden requests of `spectra`, and how tests send them."""

import base64
import gzip
import json
import time
import uuid
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.dialects.recorded import BASE, Json, visit

URL = "/api/sessions"
UNIX_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
METADATA: Json = {
    "url": "https://shop.example/",
    "referrer": "https://search.example/",
    "userAgent": UNIX_AGENT,
    "screen": {"width": 1920, "height": 1080, "colorDepth": 24},
    "viewport": {"width": 1280, "height": 720},
    "language": "en-GB",
    "platform": "Linux x86_64",
    "plan": {"name": "pro", "seats": [1, 2]},
}
PURCHASE: Json = {
    "type": "custom",
    "eventType": "purchase",
    "data": {"product": 17, "tags": ["a"]},
    "timestamp": BASE + 60,
}
FAILURE: Json = {
    "type": "TypeError",
    "message": "x is undefined",
    "stack": "TypeError: x is undefined\n    at shop.js:1:1",
    "timestamp": BASE + 70,
}


def new_id() -> str:
    """A session id as this SDK makes one."""
    return str(uuid.uuid4())


def now() -> int:
    """This moment in milliseconds."""
    return time.time_ns() // 1_000_000


def iso(milliseconds: int) -> str:
    """The same as an answer has it."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC) + timedelta(milliseconds=milliseconds % 1000)
    return moment.isoformat().replace("+00:00", "Z")


def start(session: str, **more: Any) -> Json:
    """The body of a start."""
    sent = {"sessionId": session, "userId": "u-1", "appId": "shop", "startTime": BASE, "metadata": METADATA}
    return {**sent, **more}


def packed(events: Any, pack: Callable[[bytes], bytes] = zlib.compress) -> Json:
    """Events as the SDK packs them."""
    return {"compressed": True, "data": base64.b64encode(pack(json.dumps(events).encode())).decode()}


FORMS: dict[str, Callable[[list[Json]], Any]] = {
    "array": lambda events: events,
    "deflate": packed,
    "gzip": lambda events: packed(events, gzip.compress),
    "not compressed": lambda events: {"compressed": False, "data": events},
}


def batch(session: str, events: Any = None, **more: Any) -> Json:
    """The body of a batch with all there can be in it."""
    sent = {
        "sessionId": session,
        "userId": "u-1",
        "appId": "shop",
        "events": packed(visit()) if events is None else events,
        "customEvents": [PURCHASE],
        "errors": [FAILURE],
        "metadata": {"timestamp": now(), "eventCount": 3, "customEventCount": 1, "errorCount": 1},
    }
    return {**sent, **more}


async def post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    """The JSON of a write that must succeed."""
    answer = await client.post(f"{URL}/{path}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.json()


async def read(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    """The JSON of a read that must succeed; `from_` stands for `from`."""
    answer = await client.get(f"{URL}{path}", params={name.rstrip("_"): value for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()
