"""`POST /api/v1/track`."""

import httpx

SESSION = "6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11"


async def test_a_batch_is_read_back(client: httpx.AsyncClient) -> None:
    event = {"timestamp": "2026-11-21T10:00:00Z", "event_type": "click", "page_url": "https://shop.example/"}
    answer = await client.post("/api/v1/track", json={"session_id": SESSION, "events": [event]})
    assert answer.status_code == 201, answer.text
    assert answer.json()["count"] == 1
    read = (await client.get(f"/api/v1/sessions/{SESSION}/events")).json()
    assert read["total"] == 1
    assert read["data"][0]["page_host"] == "shop.example"
