"""Masking as a project's owner and a visitor notice it."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from tests.http.api import API, PAGE, Json, batch, event, events_of, get, local, new_session, now, track
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services

MASK = "********"
MAIL = "mary@example.com"


def typed(value: str, field: str = "q", **fields: Any) -> dict[str, Any]:
    """An event of a field whose values the page wants to be stored."""
    return event(**{"event_type": "input", "target_id": field, "input_value": value, "input_masked": False, **fields})


def typing(node: int, text: str) -> dict[str, Any]:
    """rrweb's event of an input whose values the page wants to be stored."""
    data = {"source": 5, "text": text, "isChecked": False, "id": node, "input_masked": False}
    return {"type": 3, "data": data, "timestamp": round(now().timestamp() * 1000)}


async def values(client: httpx.AsyncClient, session: str) -> list[str | None]:
    return [line["input_value"] for line in await events_of(client, session)]


async def record(client: httpx.AsyncClient, session: str, *events: dict[str, Any]) -> None:
    answer = await client.post(f"{API}/track/recording", json={"session_id": session, "events": events})
    assert answer.status_code == 201, answer.text


async def recorded(client: httpx.AsyncClient, session: str) -> list[str]:
    return [line["data"]["text"] for line in await get(client, f"/sessions/{session}/recording")]


async def test_a_field_that_once_looked_secret_stays_masked_in_later_batches(
    standing_client: httpx.AsyncClient,
) -> None:
    session = await track(standing_client, typed(MAIL), typed("lamp", "other"))
    await track(standing_client, typed("hunter2", event_type="change"), typed("lamps", "other"), session_id=session)
    assert await values(standing_client, session) == [MASK, "lamp", MASK, "lamps"]


async def test_a_field_that_the_browser_marked_once_stays_masked(standing_client: httpx.AsyncClient) -> None:
    session = await track(standing_client, typed("x", "pw", input_masked=True))
    await track(standing_client, typed("hunter2", "pw", input_masked=False), session_id=session)
    assert await values(standing_client, session) == [MASK, MASK]


async def test_what_was_stored_of_a_field_before_it_looked_secret_is_masked_too(
    standing_client: httpx.AsyncClient,
) -> None:
    data = {"value": "mary", "step": 1}
    session = await track(standing_client, typed("mary", event_data=data), typed("lamp", "other"))
    assert await values(standing_client, session) == ["mary", "lamp"]
    await track(standing_client, typed(MAIL), session_id=session)
    stored = await events_of(standing_client, session)
    assert [line["input_value"] for line in stored] == [MASK, "lamp", MASK]
    assert stored[0]["event_data"] == {"value": MASK, "step": 1}


async def test_an_input_of_a_recording_stays_masked_and_its_beginning_is_masked_too(
    standing_client: httpx.AsyncClient,
) -> None:
    session = new_session()
    await record(standing_client, session, typing(7, "mary"), typing(8, "lamp"))
    await record(standing_client, session, typing(7, MAIL))
    await record(standing_client, session, typing(7, "hunter2"), typing(8, "lamps"))
    assert await recorded(standing_client, session) == [MASK, "lamp", MASK, MASK, "lamps"]


async def test_a_session_with_too_many_secret_fields_tells_no_typed_value(
    standing_client: httpx.AsyncClient, standing_services: Services
) -> None:
    session = new_session()
    for start in range(0, 600, 100):
        fields = (typed(MAIL, f"q{number}") for number in range(start, start + 100))
        await track(standing_client, *fields, session_id=session)
    row = await standing_services.pool.fetchval(
        "select masked_fields from tracker.sessions where session_id = $1", UUID(session)
    )
    assert row == ["*"]
    await track(standing_client, typed("lamp", "new"), session_id=session)
    assert (await events_of(standing_client, session))[-1]["input_value"] == MASK


async def test_the_batch_with_one_secret_field_too_many_is_stored_without_typed_values(
    standing_client: httpx.AsyncClient,
) -> None:
    session = await track(standing_client, typed("mary", "first"))
    for start in range(0, 500, 100):
        fields = (typed(MAIL, f"q{number}") for number in range(start, start + 100))
        await track(standing_client, *fields, session_id=session)
    assert (await values(standing_client, session))[0] == "mary"
    await track(standing_client, typed(MAIL, "last"), typed("lamp", "other"), session_id=session)
    assert set(await values(standing_client, session)) == {MASK}


@pytest.mark.parametrize(
    ("masking", "stored"),
    [
        ({}, {"input_value": "mj", "page_url": "https://a.example/?voucher=7&code=********"}),
        ({"fields": ["nick"]}, {"input_value": MASK, "page_url": "https://a.example/?voucher=7&code=********"}),
        ({"parameters": ["voucher"]}, {"page_url": "https://a.example/?voucher=********&code=********"}),
        ({"allow": ["code"]}, {"page_url": "https://a.example/?voucher=7&code=77"}),
        ({"inputs": "all", "mark": None}, {"input_value": MASK}),
        ({"inputs": "secrets", "mark": None}, {"input_value": "mj"}),
        ({"inputs": "secrets", "mark": None, "fields": ["nick"]}, {"input_value": MASK}),
        ({"inputs": "all", "mark": None, "allow": ["nick"]}, {"input_value": "mj"}),
    ],
)
async def test_a_projects_rules_are_its_own(
    standing_app: Litestar, standing_services: Services, masking: dict[str, Any], stored: dict[str, str]
) -> None:
    mark = masking.get("mark", False)
    masking = {name: rule for name, rule in masking.items() if name != "mark"}
    project = await make_project(standing_services.pool, "masks")
    settings = json.dumps({"masking": masking}).encode()
    await standing_services.pool.execute(
        "update tracker.projects set settings = $2 where project_id = $1", project, settings
    )
    async with local(standing_app) as client:
        client.headers["x-api-key"] = await keys.create_key(standing_services.pool, project, "admin")
        url = "https://a.example/?voucher=7&code=77"
        session = await track(client, typed("mj", "nick", event_type="change", page_url=url, input_masked=mark))
        input_event = typing(7, "mj")
        input_event["data"]["input_masked"] = mark
        await record(client, session, input_event)
        [line] = await events_of(client, session)
        assert {name: line[name] for name in stored} == stored
        assert await recorded(client, session) == [MASK if masking.get("inputs") == "all" else "mj"]


async def test_what_is_typed_is_stored_nowhere_by_any_dialect(
    standing_client: httpx.AsyncClient, standing_services: Services
) -> None:
    """Foreign trackers name values in members of their own; the tag marks those that the page wants to be stored."""
    session, value = new_session(), "Avenida 24"
    moment = round(now().timestamp() * 1000)
    inputs = [typing(7, value) | {"data": {"source": 5, "text": value, "isChecked": False, "id": 7}}]
    fields = {"element": "#street", "value": value, "text": value}
    custom = [{"eventType": "input", "data": fields, "timestamp": moment}]
    lines = [{"type": "input", "data": fields, "timestamp": moment, "page_url": "https://a.example/"}]
    url = {"url": "https://a.example/"}
    packed = {"compressed": False, "data": inputs}
    sent = [
        (f"{API}/track", {"session_id": session, "events": [event(event_type="input", input_value=value)]}),
        (f"{API}/track/recording", {"session_id": session, "events": inputs}),
        ("/api/sessions/start", {"sessionId": session, "appId": "shop", "metadata": url}),
        (f"/api/sessions/{session}/events", {"events": packed, "customEvents": custom}),
        ("/api/ingest", {"sessionId": session, "events": inputs, "timestamp": moment}),
        ("/api/snapshots/ingest", {"session_id": session, "snapshots": inputs, "device_info": url}),
        ("/api/events/ingest", {"session_id": session, "events": lines, "device_info": url}),
        ("/events", {"sessionId": session, "projectId": "1", "events": inputs, "pageUrl": "https://a.example/"}),
    ]
    for path, body in sent:
        answer = await standing_client.post(path, json=body)
        assert answer.status_code in (200, 201, 204), (path, answer.text)
    assert value not in json.dumps(await events_of(standing_client, session))
    told = await get(standing_client, f"/sessions/{session}/recording")
    assert {each["data"]["text"] for each in told} == {MASK}
    kinds = [line["event_type"] for line in await events_of(standing_client, session)]
    assert kinds.count("input") >= 3


async def test_an_address_with_an_e_mail_counts_under_a_masked_path(standing_client: httpx.AsyncClient) -> None:
    session = await track(standing_client, event(page_url="https://shop.example/u/mary%40example.com/orders?x=1"))
    [line] = await events_of(standing_client, session)
    assert line["page_path"] == f"/u/{MASK}/orders"


async def test_a_batch_that_is_sent_again_is_stored_once_though_it_was_masked(
    standing_client: httpx.AsyncClient,
) -> None:
    sent = [typed("mary"), typed(MAIL)]
    session = await track(standing_client, *sent)
    await track(standing_client, *sent, session_id=session)
    assert await values(standing_client, session) == [MASK, MASK]


AGENT = "ShopBot/1.0 (+mailto:ops@shop.example)"


async def test_an_e_mail_in_a_user_agent_is_masked_in_every_dialect(
    own_client: httpx.AsyncClient, standing_services: Services
) -> None:
    own_client.headers["user-agent"] = AGENT
    rrweb: list[Json] = [{"type": 5, "data": {"tag": "x", "payload": {}}, "timestamp": int(now().timestamp() * 1000)}]
    bodies: list[tuple[str, Json]] = [
        ("/api/v1/track", batch()),
        ("/api/v1/sessions", {"page_url": PAGE, "user_agent": AGENT}),
        ("/api/sessions/start", {"sessionId": new_session(), "appId": "shop", "metadata": {"userAgent": AGENT}}),
        ("/api/ingest", {"sessionId": new_session(), "events": rrweb}),
        (
            "/api/snapshots/ingest",
            {"session_id": new_session(), "snapshots": rrweb, "device_info": {"userAgent": AGENT}},
        ),
        ("/events", {"sessionId": new_session(), "projectId": await _project_of(own_client), "events": rrweb}),
    ]
    for path, body in bodies:
        answer = await own_client.post(path, json=body)
        assert answer.status_code in (200, 201, 204), answer.text
    found = (await get(own_client, "/sessions"))["data"]
    assert {line["user_agent"] for line in found} == {f"ShopBot/1.0 (+mailto:{MASK})"}
    assert len(found) == 6
    rows = await standing_services.pool.fetch("select s::text from tracker.sessions s")
    assert not any("ops@shop" in row[0] for row in rows)


async def _project_of(client: httpx.AsyncClient) -> str:
    return str((await get(client, "/project"))["project_id"])
