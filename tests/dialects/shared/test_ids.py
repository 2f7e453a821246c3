"""Whatever a dialect names a session can be read again by that name, percent-encoded, and deleted."""

from urllib.parse import quote

import httpx
import pytest

from tests.http.api import API, Json
from tracker_backend.app import create_app
from tracker_backend.http.escaped_paths import routing_path
from tracker_backend.http.route_options import list_routes
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")

WORDS = ("start", "events", "replay", "live", "heartbeat", "end", "sessions", "recording", "export", "ticket")
IDS = (
    *WORDS,
    *("a/b", "/a", "a/", "a//b", "a/start", "start/events", "a+b", "YWJj+/8=", "a b", "100%", "a%2Fb", "%73tart"),
    *("a?b=c#d", "a;b,c", "{session_id}", "ÄÖ\u00fc\u4f60\U0001f600", "a:b@c", "...", "\\", "'\"<>"),
)
EVENT: Json = {"type": 5, "data": {"tag": "x", "payload": {}}, "timestamp": 1795255200000}
STARTS: dict[str, tuple[str, str, Json]] = {
    "spectra": ("/api/sessions/start", "sessionId", {"appId": "shop"}),
    "incuera": ("/api/sessions/start", "sessionId", {}),
    "incuera batch": ("/api/ingest", "sessionId", {"events": [EVENT]}),
    "uxcam": ("/api/snapshots/ingest", "session_id", {"snapshots": [EVENT]}),
    "uxcam events": ("/api/events/ingest", "session_id", {"events": [{"type": "x", "timestamp": 1795255200000}]}),
}
"""A first request of each dialect: its path, its member for the id, and the others."""


def encoded(text: str) -> str:
    """As `encodeURIComponent` has it."""
    return quote(text, safe="!'()*")


@pytest.mark.parametrize("dialect", STARTS)
@pytest.mark.parametrize("text", IDS)
async def test_a_session_is_read_by_the_name_it_was_given(
    own_client: httpx.AsyncClient, project: int, dialect: str, text: str
) -> None:
    path, field, body = STARTS[dialect]
    answer = await own_client.post(path, json={**body, field: text})
    assert answer.status_code == 200, answer.text
    name = encoded(text)
    found = (await own_client.get(f"{API}/sessions/{name}")).json()
    assert found["client_session_id"] == text
    for address in (
        *(f"{API}/sessions/{name}/{what}" for what in ("events", "screenshots", "recording", "export")),
        *(f"/api/sessions/{name}{what}" for what in ("", "/replay", "/events")),
    ):
        read = await own_client.get(address)
        assert read.status_code == 200, (address, read.text)
    assert (await own_client.get(f"/api/sessions/{name}")).json()["sessionId"] == text
    assert (await own_client.head(f"{API}/sessions/{name}/live")).status_code == 200
    # Words that are routes below a session: with one letter escaped they are an id.
    last = f"%{ord(text[0]):02X}{text[1:]}" if text in WORDS else name
    snapshots = await own_client.get(f"/api/sessions/{project}/{last}")
    assert snapshots.json()["session"]["session_id"] == text
    assert (await own_client.delete(f"{API}/sessions/{name}")).status_code == 204
    assert (await own_client.get(f"{API}/sessions/{name}")).status_code == 404


@pytest.mark.parametrize("text", IDS)
async def test_spectra_sends_to_a_session_of_any_name(own_client: httpx.AsyncClient, text: str) -> None:
    name = encoded(text)
    bodies: dict[str, Json] = {"events": {"sessionId": text, "events": [EVENT]}, "heartbeat": {"stats": {}}, "end": {}}
    for path, body in bodies.items():
        answer = await own_client.post(f"/api/sessions/{name}/{path}", json=body)
        assert answer.status_code == 200, answer.text
    replay = (await own_client.get(f"/api/sessions/{name}/replay")).json()
    assert (replay["sessionId"], len(replay["events"])) == (text, 1)


@pytest.mark.parametrize("word", ["heartbeat", "end"])
async def test_uxcam_reads_sessions_named_like_writes(own_client: httpx.AsyncClient, project: int, word: str) -> None:
    await own_client.post("/api/snapshots/ingest", json={"session_id": word, "snapshots": [EVENT]})
    answer = await own_client.get(f"/api/sessions/{project}/{word}")
    assert answer.json()["session"]["session_id"] == word


def test_every_word_below_the_dialects_sessions_is_tried() -> None:
    paths = {it.path for it in list_routes(create_app(Settings(), "postgresql://unused"))}
    words = {part for path in paths if path.startswith("/api/sessions/") for part in path.split("/")[3:]}
    assert {word for word in words if not word.startswith("{")} <= set(WORDS)


def test_paths_without_escapes_stay_as_they_are() -> None:
    for path in ("/", "/docs", "/api/sessions", "/api/v1/sessions/start/events", "/demo/"):
        assert routing_path(path, path.encode(), "GET") is None
    for method in ("POST", "OPTIONS"):
        assert routing_path("/api/sessions/start", b"/api/sessions/start", method) is None
    assert routing_path("/cut/a/b", b"/below/cut/a%2Fb", "GET") is None, "a host has rewritten the path"
    assert routing_path("/api/sessions/start", b"", "GET") == "/api/sessions/%73tart", "a host gives no raw path"
