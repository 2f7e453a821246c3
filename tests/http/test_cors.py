"""CORS: on the routes that trackers write to, also on their errors, and on no other."""

import httpx
import pytest

from tests.http.api import API, batch, event, new_session, track

pytestmark = pytest.mark.tiers("plain")

WRITES = ("/sessions", "/track", "/track/screenshot")
ORIGIN = {"origin": "https://shop.example"}


def _has_cors(answer: httpx.Response) -> bool:
    names = [name for name in answer.headers if name.startswith("access-control-")]
    assert not names or answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    return bool(names)


@pytest.mark.parametrize("path", WRITES)
async def test_a_preflight_is_answered(standing_client: httpx.AsyncClient, path: str) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-api-key"}
    answer = await standing_client.options(f"{API}{path}", headers=ORIGIN | asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    # The star: a page that wraps `fetch` may add headers of its own.
    for name in ("content-type", "content-encoding", "x-api-key", "authorization", "*"):
        assert name in allowed
    assert int(answer.headers["access-control-max-age"]) > 0


async def test_a_preflight_needs_no_key_and_does_nothing(standing_client: httpx.AsyncClient) -> None:
    answer = await standing_client.options(f"{API}/track", headers={**ORIGIN, "host": "tracker.example"})
    assert answer.status_code == 204


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{", {}),
        (b"{}", {}),
        (b"x" * 15_800_000, {}),
        (b"", {"content-encoding": "lzma"}),
        (b"{}", {"x-api-key": "tb_w_unknown"}),
        (b"{}", {"host": "rebound.example"}),
    ],
    ids=["malformed", "invalid", "too large", "undecodable", "unknown key", "foreign host"],
)
async def test_a_write_that_is_refused_can_be_read_by_the_page(
    standing_client: httpx.AsyncClient, path: str, content: bytes, headers: dict[str, str]
) -> None:
    answer = await standing_client.post(f"{API}{path}", content=content, headers=ORIGIN | headers)
    assert answer.status_code >= 400
    assert _has_cors(answer)
    assert "retry-after" in answer.headers["access-control-expose-headers"].lower()


async def test_a_write_that_is_stored_can_be_read_by_the_page(standing_client: httpx.AsyncClient) -> None:
    for path, body in (("/track", batch()), ("/sessions", {"page_url": "https://a.example/"})):
        answer = await standing_client.post(f"{API}{path}", json=body, headers=ORIGIN)
        assert answer.status_code == 201
        assert _has_cors(answer)
        assert "x-tracker-dropped" in answer.headers["access-control-expose-headers"].lower()


async def test_what_is_read_cannot_be_read_by_another_site(standing_client: httpx.AsyncClient) -> None:
    session = await track(standing_client, event())
    for path in (
        f"{API}/sessions",
        f"{API}/sessions/{session}",
        f"{API}/sessions/{session}/events",
        f"{API}/sessions/{session}/screenshots",
        f"{API}/sessions/{new_session()}",
        f"{API}/screenshots/1",
        f"{API}/analytics/hourly",
        f"{API}/nothing",
        "/health",
        "/metrics",
        "/docs",
        "/demo/",
    ):
        answer = await standing_client.get(path, headers=ORIGIN)
        assert answer.status_code in (200, 404), path
        assert not _has_cors(answer), path
    for path in (f"/sessions/{session}", f"/sessions/{session}/events", "/analytics/hourly"):
        answer = await standing_client.options(f"{API}{path}", headers=ORIGIN)
        assert not _has_cors(answer), path
    refused = await standing_client.delete(f"{API}/sessions/{session}", headers=ORIGIN)
    assert refused.status_code == 401
    assert not _has_cors(refused)


async def test_the_script_may_be_loaded_by_every_site(standing_client: httpx.AsyncClient) -> None:
    answer = await standing_client.get("/tracker.js", headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
