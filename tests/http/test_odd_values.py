"""One odd value does not cost a batch: it is converted, or kept in the event's data, and all events are stored."""

import json
from typing import Any

import httpx
import pytest

from tests.http.api import API, PAGE, Json, batch, check_problem, event, events_of, get, new_session, track
from tracker_backend.metrics import ODD_VALUES


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("target_id", 5, "5"),
        ("target_id", True, "true"),
        ("target_class", -1.5, "-1.5"),
        ("event_type", 5, "5"),
        ("viewport_x", "12", 12),
        ("viewport_x", " 12.6 ", 13),
        ("viewport_x", 3.4, 3),
        ("mouse_button", "1", 1),
        ("input_masked", "no", False),
        ("input_masked", 1, True),
        ("key_pressed", 5, "char"),
        ("page_url", None, PAGE),
    ],
)
async def test_what_can_be_converted_is(
    standing_client: httpx.AsyncClient, field: str, sent: object, stored: object
) -> None:
    session = await track(standing_client, event(), event(**{field: sent}))
    line = (await events_of(standing_client, session))[1]
    assert line[field] == stored
    assert line["event_data"] is None


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("target_class", {"a": [1]}),
        ("target_id", ["x"]),
        ("viewport_x", "left"),
        ("viewport_x", True),
        ("viewport_x", 2**31),
        ("screen_x", 3e9),
        ("screen_y", {}),
        ("mouse_button", 32768),
        ("click_count", 10**20),
    ],
)
async def test_what_cannot_be_converted_is_kept_in_the_data_and_counted(
    standing_client: httpx.AsyncClient, field: str, sent: object
) -> None:
    counter = ODD_VALUES.labels(field)
    before = counter._value.get()  # pyright: ignore
    session = await track(
        standing_client, event(viewport_y=7, event_data={"a": 1}), event(**{field: sent, "viewport_y": 7})
    )
    one, two = await events_of(standing_client, session)
    assert one["event_data"] == {"a": 1}
    assert (two[field], two["viewport_y"], two["event_data"]) == (None, 7, {field: sent})
    assert counter._value.get() == before + 1  # pyright: ignore


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ('"viewport_x": NaN', {"viewport_x": "NaN"}),
        ('"viewport_x": -Infinity', {"viewport_x": "-Infinity"}),
        ('"event_data": {"a": NaN, "b": 1}', {"a": "NaN", "b": 1}),
        ('"spot": NaN', {"spot": "NaN"}),
    ],
)
async def test_what_is_no_number_for_json_is_kept_as_a_text(
    standing_client: httpx.AsyncClient, member: str, data: object
) -> None:
    sent = batch(event(spot=0))
    answer = await standing_client.post(f"{API}/track", content=json.dumps(sent).replace('"spot": 0', member))
    assert answer.status_code == 201, answer.text
    [line] = await events_of(standing_client, sent["session_id"])
    assert line["event_data"] == data


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({"event_type": "input", "input_value": {"typed": "hunter2"}}, "hunter2"),
        ({"event_type": "input", "input_value": ["hunter2"]}, "hunter2"),
        ({"event_type": "input", "input_value": "hunter2", "input_masked": "maybe"}, "hunter2"),
        ({"event_type": "input", "input_value": "hunter2", "input_masked": {}}, "hunter2"),
        ({"event_type": "keydown", "key_pressed": {"key": "hunter2"}}, "hunter2"),
        ({"target_class": {"password": "hunter2"}}, "hunter2"),
        ({"target_id": ["ada@example.com"]}, "ada@"),
    ],
)
async def test_odd_values_are_masked_like_others(
    standing_client: httpx.AsyncClient, fields: dict[str, Any], secret: str
) -> None:
    session = await track(standing_client, event(**fields))
    assert secret not in json.dumps(await events_of(standing_client, session))


async def test_a_name_that_is_a_number_and_a_clock_that_says_nothing_are_taken(
    standing_client: httpx.AsyncClient,
) -> None:
    body = batch(batch_id=1, sent_at="soon")
    sent: list[object] = ["soon", {}, -1e300, True]
    for sent_at in sent:
        answer = await standing_client.post(f"{API}/track", json={**body, "sent_at": sent_at})
        assert answer.status_code == 201, answer.text
    assert len(await events_of(standing_client, body["session_id"])) == 1


@pytest.mark.parametrize(
    ("fields", "tells"),
    [
        ({"timestamp": {"a": 1}}, ("`$.events[1].timestamp` is {", "int | float | str")),
        ({"timestamp": None}, ("`$.events[1].timestamp` is null",)),
        ({"event_type": ["x" * 200]}, ('`$.events[1].event_type` is ["xxx', "…", "`str`")),
        ({"event_type": ""}, ('`$.events[1].event_type` is ""', ">= 1")),
    ],
)
async def test_an_event_that_cannot_be_read_is_named_with_field_and_value(
    standing_client: httpx.AsyncClient, fields: dict[str, Any], tells: tuple[str, ...]
) -> None:
    answer = await standing_client.post(f"{API}/track", json=batch(event(), event(**fields)))
    check_problem(answer, 422, "invalid", *tells)


async def test_odd_values_of_a_session_start_are_converted_or_kept_in_its_metadata(
    standing_client: httpx.AsyncClient,
) -> None:
    odd: Json = {"screen_height": 3_000_000, "viewport_width": -1, "app_id": ["a"], "ticket_id": "t" * 256}
    body: Json = {"session_id": new_session(), "page_url": PAGE, "user_id": 5, "screen_width": "1920", **odd}
    answer = await standing_client.post(f"{API}/sessions", json={**body, "metadata": [1]})
    assert answer.status_code == 201, answer.text
    stored = await get(standing_client, f"/sessions/{body['session_id']}")
    assert (stored["user_id"], stored["screen_width"], stored["app_id"]) == ("5", 1920, None)
    assert stored["metadata"] == {**odd, "metadata": [1]}


async def test_a_screenshot_with_odd_sizes_is_stored(standing_client: httpx.AsyncClient) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    body: Json = {**batch(), "page_url": PAGE, "timestamp": event()["timestamp"], "width": "wide", "height": {}}
    sent = {**body, "image_data": f"data:image/png;base64,{pixel}"}
    answer = await standing_client.post(f"{API}/track/screenshot", json=sent)
    assert answer.status_code == 201, answer.text
