"""`/health`, `/metrics`, `/docs`, `/tracker.js` and `/demo`."""

import gzip
import re
from datetime import timedelta
from typing import Any, cast

import brotli
import httpx
import pytest

from tests.http.api import API, Json, batch, event, new_session, now, track
from tracker_backend.app import V1_ROUTES
from tracker_backend.dialects.registry import dialect_routes
from tracker_backend.http.route_options import plain_path
from tracker_backend.http.services import Services

pytestmark = pytest.mark.tiers("plain")

WRITES = ("/api/v1/sessions", "/api/v1/track", "/api/v1/track/screenshot")


@pytest.mark.tiers("plain", "timescale")
async def test_health_tells_what_stores_and_what_goes_on(
    client: httpx.AsyncClient, tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker_backend.http.services._ACTIVITY_SECONDS", -1.0)  # counts are kept for some seconds
    answer = await client.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert health["status"] == "healthy"
    assert health["database"] == "connected"
    assert health["redis"] == "disabled"
    assert health["uptime"] >= 0
    assert (health["sessions_active"], health["events_per_minute"]) == (0, 0)
    assert health["storage"]["tier"] == tier
    assert re.match(r"\d+\.\d+", health["storage"]["postgresql"])
    assert ("timescaledb" in health["storage"]) == (tier == "timescale")

    await track(client, event(), event())
    await track(client, event())
    health = (await client.get("/health")).json()
    assert (health["sessions_active"], health["events_per_minute"]) == (2, 3)


@pytest.mark.tiers("plain", "timescale")
async def test_a_session_of_yesterday_is_active_again_when_it_sends(
    client: httpx.AsyncClient, services: Services
) -> None:
    session = await track(client, event(timestamp=(now() - timedelta(hours=30)).isoformat()))
    await services.pool.execute("update tracker.sessions set last_activity_at = now() - interval '6 minutes'")
    assert (await client.get("/health")).json()["sessions_active"] == 0
    assert (await client.get(f"{API}/sessions/{session}")).json()["is_active"] is False
    await track(client, session_id=session)
    assert (await client.get(f"{API}/sessions/{session}")).json()["is_active"] is True


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.tiers("plain", "timescale")
async def test_metrics_count_batches_events_and_refusals(client: httpx.AsyncClient) -> None:
    names = (
        'tracker_batches_total{outcome="stored"}',
        'tracker_batches_total{outcome="repeated"}',
        'tracker_batches_total{outcome="refused"}',
        'tracker_events_total{source="native"}',
        'tracker_requests_refused_total{reason="invalid"}',
        'tracker_requests_refused_total{reason="malformed"}',
    )

    async def read() -> list[float]:
        answer = await client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
        return [_value(answer.text, name) for name in names]

    before = await read()
    body = batch(event(), event())
    for _ in range(3):
        assert (await client.post(f"{API}/track", json=body)).status_code == 201
    assert (await client.post(f"{API}/track", content=b"{")).status_code == 400
    assert (await client.post(f"{API}/track", content=b"{}")).status_code == 422
    broken = httpx.Request("POST", "http://x", json=batch(event(event_data={"n": 1}))).content
    assert (
        await client.post(f"{API}/track", content=broken.replace(b'"n":1', b'"n":' + b"9" * 140_000))
    ).status_code == 422
    after = await read()
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 2, 1, 2, 2, 1]


async def test_metrics_follow_the_conventions_of_prometheus(client: httpx.AsyncClient) -> None:
    text = (await client.get("/metrics")).text
    ours = re.findall(r"^# TYPE (tracker_\S+) (\S+)$", text, re.MULTILINE)
    assert {"tracker_batches_total", "tracker_queue_bytes"} <= {name for name, _ in ours}
    for name, kind in ours:
        assert kind != "counter" or name.endswith("_total")
        assert f"# HELP {name} " in text


@pytest.fixture
async def document(standing_client: httpx.AsyncClient) -> Json:
    """The OpenAPI document."""
    answer = await standing_client.get("/docs/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_the_api_is_documented_as_openapi_3_1_with_every_route(document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    documented = {(path, method) for path, item in document["paths"].items() for method in item}
    session = "/api/v1/sessions/{session_id}"
    assert documented >= {
        ("/api/v1/sessions", "get"),
        ("/api/v1/sessions", "post"),
        (session, "get"),
        (session, "delete"),
        (f"{session}/events", "get"),
        (f"{session}/screenshots", "get"),
        ("/api/v1/screenshots/{screenshot_id}", "get"),
        ("/api/v1/track", "post"),
        ("/api/v1/track/screenshot", "post"),
        ("/api/v1/analytics/hourly", "get"),
        ("/health", "get"),
        ("/metrics", "get"),
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation.get("summary"), (path, method)
            assert operation.get("tags"), (path, method)
    assert {
        "from",
        "to",
        "user_id",
        "page_url",
        "device_type",
        "browser",
        "os",
        "has_errors",
        "min_duration",
        "sort",
    } <= {parameter["name"] for parameter in document["paths"]["/api/v1/sessions"]["get"]["parameters"]}


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        members = cast("dict[str, Any]", node)
        own = [members["$ref"]] if isinstance(members.get("$ref"), str) else []
        return own + [found for value in members.values() for found in _references(value)]
    return (
        [found for value in cast("list[object]", node) for found in _references(value)]
        if isinstance(node, list)
        else []
    )


async def test_every_reference_of_the_document_leads_somewhere_in_it(document: Json) -> None:
    references = _references(document)
    assert references
    for reference in references:
        node: Any = document
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]


@pytest.mark.parametrize("path", WRITES)
async def test_the_example_of_a_write_works_as_it_stands(
    standing_client: httpx.AsyncClient, document: Json, path: str
) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"]["type"] == "object"
    assert content["schema"]["required"]
    [example] = content["examples"].values()
    answer = await standing_client.post(path, json=example["value"])
    assert answer.status_code in (200, 201), answer.text


async def test_the_documentation_asks_no_other_host(standing_client: httpx.AsyncClient) -> None:
    for path in ("/docs", "/docs/"):
        page = await standing_client.get(path, follow_redirects=True)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
        assert len(loaded) >= 3
        for address in loaded:
            assert address.startswith(("/", "data:")), address
            assert not address.startswith("//"), address
            if address.startswith("/"):
                asset = await standing_client.get(address)
                assert asset.status_code == 200, f"{address}: {asset.text[:200]}"
        assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//", page.text)


async def test_the_script_is_served_packed_and_checked_for_changes(standing_client: httpx.AsyncClient) -> None:
    plain = await standing_client.get("/tracker.js", headers={"accept-encoding": "identity"})
    assert plain.status_code == 200
    assert plain.headers["content-type"].startswith("application/javascript")
    assert "content-encoding" not in plain.headers
    sizes = {"identity": len(plain.content)}
    for accepted, sent, unpack in (
        ("gzip", "gzip", gzip.decompress),
        ("gzip, deflate, br, zstd", "br", brotli.Decompressor().process),
        ("br;q=0, gzip", "gzip", gzip.decompress),
    ):
        async with standing_client.stream("GET", "/tracker.js", headers={"accept-encoding": accepted}) as packed:
            raw = b"".join([piece async for piece in packed.aiter_raw()])
            assert packed.headers["content-encoding"] == sent
            assert packed.headers["vary"].lower() == "accept-encoding"
        assert unpack(raw) == plain.content
        sizes[sent] = len(raw)
    assert sizes["br"] < sizes["gzip"] < sizes["identity"]
    again = await standing_client.get("/tracker.js", headers={"if-none-match": plain.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize("path", ["/", "/demo"])
async def test_the_first_page_leads_to_the_demo(standing_client: httpx.AsyncClient, path: str) -> None:
    answer = await standing_client.get(path)
    assert answer.is_redirect
    assert answer.headers["location"] == "/demo/"


async def test_the_demo_loads_only_what_is_here(standing_client: httpx.AsyncClient) -> None:
    page = await standing_client.get("/demo/")
    assert page.status_code == 200
    assert "{{" not in page.text
    links = re.findall(r"""(?:src|href)=["']([^"'#?]+)""", page.text)
    assert any("tracker.js" in link for link in links)
    for link in links:
        address = httpx.URL("http://localhost/demo/").join(link)
        assert address.host == "localhost"
        answer = await standing_client.get(address, follow_redirects=True)
        assert answer.status_code == 200, link
    for name in ("product.html", "checkout.html", "form.html"):
        assert (await standing_client.get(f"/demo/{name}")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/demo/../../pyproject.toml",
        "/demo/%2e%2e/%2e%2e/pyproject.toml",
        "/demo/..%2f..%2fpyproject.toml",
        "/demo//etc/passwd",
        "/tracker/..%2f..%2fpackage.json",
        "/tracker/nothing.js",
        "/demo/nothing.html",
        "/docs-assets/..%2ftracker.js",
    ],
)
async def test_no_other_file_is_served(standing_client: httpx.AsyncClient, path: str) -> None:
    asked = httpx.Request("GET", "http://localhost/")
    asked.url = asked.url.copy_with(raw_path=path.encode())
    answer = await standing_client.send(asked)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_browser_finds_an_icon_and_is_told_of_a_missing_page_as_a_page(client: httpx.AsyncClient) -> None:
    icon = await client.get("/favicon.ico")
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
    assert icon.headers["cache-control"].startswith("public")
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/<script>alert(1)</script>", "/tracker/none.js", "/nothing/at/all", "/api/v2"):
        page = await client.get(path, headers=browser)
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["x-frame-options"] == "DENY"
        assert "<script>" not in page.text
        assert "there is no" in page.text
        program = await client.get(path, headers={"accept": "application/json, */*"})
        assert program.headers["content-type"] == "application/problem+json"
    read = await client.get(f"{API}/sessions/{new_session()}", headers=browser)
    assert read.headers["content-type"] == "application/problem+json", "the API answers programs, whatever they accept"


async def test_routes_are_documented_in_the_order_in_which_they_are_listed(client: httpx.AsyncClient) -> None:
    documented = list((await client.get("/docs/openapi.json")).json()["paths"])
    listed = [plain_path(path) for handler in (*V1_ROUTES, *dialect_routes()) for path in sorted(handler.paths)]
    prefixed = [f"{API}{path}" for path in listed[: len(V1_ROUTES)]] + listed[len(V1_ROUTES) :]
    assert [path for path in documented if path in prefixed] == [
        path for path in dict.fromkeys(prefixed) if path in documented
    ]
