"""The npm package, as a site gets it: packed, installed, checked against its types, bundled and visited."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.chromium import needs_chromium
from tests.e2e.driver import drive

HERE = Path(__file__).parent

pytestmark = [pytest.mark.tiers("plain"), *needs_chromium("playwright-core", "esbuild", "typescript")]


@pytest.fixture
def visit(server_url: str) -> dict[str, Any]:
    """What was packed, and the session of a page that bundles it."""
    with httpx.Client(base_url=server_url, timeout=10) as api:
        key = api.get("/api/projects").json()["projects"][0]["sdk_key"]
    return drive(HERE / "package.mjs", server_url, key)


def test_a_site_that_bundles_the_package_is_recorded(server_url: str, visit: dict[str, Any]) -> None:
    assert (visit["errors"], visit["title"]) == ([], "string 0")
    with httpx.Client(base_url=server_url, timeout=10) as api:
        session = api.get(f"/api/v1/sessions/{visit['session']}").json()
        events = api.get(f"/api/v1/sessions/{visit['session']}/events").json()["data"]
    assert [event["event_type"] for event in events][:2] == ["pageview", "custom"]
    assert session["recorded_event_count"] >= 2


def test_the_package_holds_modules_types_and_licences_only(visit: dict[str, Any]) -> None:
    files = {Path(name) for name in visit["files"]}
    assert {"package.json", "README.md", "index.js", "index.d.ts", "licences.txt"} <= {path.name for path in files}
    assert {path.parent.as_posix() for path in files} == {".", "dist/npm"}
