"""`/docs` shows the calls of the dialects, with an example of each body."""

from typing import Any, cast

import pytest

from tracker_backend.app import create_app
from tracker_backend.settings import Settings

CALLS = {
    "/api/sessions/start": ("post", {"example", "incuera"}),
    "/api/sessions/{session_id}/events": ("post", {"example"}),
    "/api/sessions/{session_id}/heartbeat": ("post", {"example"}),
    "/api/sessions/{session_id}/end": ("post", {"example"}),
    "/api/sessions/{session_id}/replay": ("get", None),
    "/api/sessions/{session_id}": ("get", None),
    "/api/sessions": ("get", None),
    "/api/ingest": ("post", {"example"}),
}


@pytest.fixture(scope="module")
def paths() -> dict[str, dict[str, Any]]:
    schema = create_app(Settings(), "postgresql://unused").openapi_schema.to_schema()
    return cast("dict[str, dict[str, Any]]", schema["paths"])


@pytest.mark.parametrize("path", CALLS)
def test_a_call_is_shown(paths: dict[str, dict[str, Any]], path: str) -> None:
    method, examples = CALLS[path]
    operation = paths[path][method]
    assert set(operation["tags"]) <= {"spectra", "incuera", "reev"}
    assert operation["description"]
    if examples is not None:
        assert set(operation["requestBody"]["content"]["application/json"]["examples"]) == examples


def test_the_list_names_the_parameters_of_both_dialects(paths: dict[str, dict[str, Any]]) -> None:
    spectra = {"appId", "userId", "ticketId", "from", "to", "hasErrors", "limit", "offset"}
    reev = {"page", "dateRange", "pageUrl", "device", "sortBy", "tz"}
    assert {it["name"] for it in paths["/api/sessions"]["get"]["parameters"]} == spectra | reev
