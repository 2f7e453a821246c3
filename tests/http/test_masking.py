"""Masking as a project's owner and a visitor notice it."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from tests.http.api import API, event, events_of, get, local, new_session, now, track
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services

MASK = "********"
MAIL = "mary@example.com"


def typed(value: str, field: str = "q", **fields: Any) -> dict[str, Any]:
    return event(**{"event_type": "input", "target_id": field, "input_value": value, **fields})


def typing(node: int, text: str) -> dict[str, Any]:
    """rrweb's event of an input."""
    data = {"source": 5, "text": text, "isChecked": False, "id": node}
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
        ({"inputs": "all"}, {"input_value": MASK}),
    ],
)
async def test_a_projects_rules_are_its_own(
    standing_app: Litestar, standing_services: Services, masking: dict[str, Any], stored: dict[str, str]
) -> None:
    project = await make_project(standing_services.pool, "masks")
    settings = json.dumps({"masking": masking}).encode()
    await standing_services.pool.execute(
        "update tracker.projects set settings = $2 where project_id = $1", project, settings
    )
    async with local(standing_app) as client:
        client.headers["x-api-key"] = await keys.create_key(standing_services.pool, project, "admin")
        url = "https://a.example/?voucher=7&code=77"
        session = await track(client, typed("mj", "nick", event_type="change", page_url=url))
        await record(client, session, typing(7, "mj"))
        [line] = await events_of(client, session)
        assert {name: line[name] for name in stored} == stored
        assert await recorded(client, session) == [MASK if masking.get("inputs") else "mj"]


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
