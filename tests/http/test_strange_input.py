"""What is strange but no mistake is stored: characters no database text holds, odd times, long texts."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.http.api import API, CHROME, Json, batch, event, events_of, get, new_session, now, track
from tracker_backend.http.services import Services

TEXTS = (
    "target_element",
    "target_selector",
    "target_tag",
    "target_id",
    "target_class",
    "page_url",
    "input_value",
    "event_type",
)
# What is sent inside a JSON text, and what of it is read back.
UNSTORABLE = {
    r"a\u0000b": "a\ufffdb",
    r"\ud800": "\ufffd",
    r"x\udc00\ud800y": "x\ufffd\ufffdy",
    r"\ud83d\ud83d\ude00": "\ufffd\U0001f600",
    r"\uD83D\uDE00": "\U0001f600",
    r"\\u0000": r"\u0000",
    r"\\\u0000": "\\\ufffd",
    r"\"\u0000\"": '"\ufffd"',
}


def _body(session_id: str, member: str) -> str:
    sent = json.dumps(batch(event(spot=0), session_id=session_id))
    assert sent.count('"spot": 0') == 1
    return sent.replace('"spot": 0', member)


async def _stored(client: httpx.AsyncClient, member: str | bytes) -> Json:
    session = new_session()
    text = member.encode() if isinstance(member, str) else member
    body = _body(session, '"input_masked": false, @@').encode().replace(b"@@", text)
    answer = await client.post(f"{API}/track", content=body)
    assert answer.status_code == 201, answer.text
    [line] = await events_of(client, session)
    return line


@pytest.mark.parametrize(("sent", "read"), UNSTORABLE.items(), ids=[str(n) for n in range(len(UNSTORABLE))])
async def test_nul_and_lone_surrogates_are_replaced_wherever_they_stand(
    standing_client: httpx.AsyncClient, sent: str, read: str
) -> None:
    for name in TEXTS:
        line = await _stored(standing_client, f'"{name}": "{sent}"')
        assert line[name] == read, name
    assert (await _stored(standing_client, f'"event_data": "{sent}"'))["event_data"] == read
    nested = await _stored(standing_client, f'"event_data": {{"{sent}": [{{"{sent}": "{sent}"}}]}}')
    assert nested["event_data"] == {read: [{read: read}]}
    unknown = await _stored(standing_client, f'"{sent}": "{sent}"')
    assert unknown["event_data"] == {read: read}


@pytest.mark.parametrize(("sent", "read"), UNSTORABLE.items(), ids=[str(n) for n in range(len(UNSTORABLE))])
async def test_a_session_start_is_cleaned_in_every_text(
    standing_client: httpx.AsyncClient, sent: str, read: str
) -> None:
    session = new_session()
    names = ("page_url", "user_id", "user_email", "fingerprint", "referrer", "user_agent", "device_type", "browser")
    members = ", ".join(f'"{name}": "{sent}"' for name in (*names, "os", "language", "app_id", "ticket_id", "other"))
    body = f'{{"session_id": "{session}", {members}, "metadata": {{"m{sent}": "{sent}"}}}}'
    answer = await standing_client.post(f"{API}/sessions", content=body)
    assert answer.status_code == 201, answer.text
    stored = await get(standing_client, f"/sessions/{session}")
    assert {stored[name] for name in (*names, "os", "language", "app_id", "ticket_id")} == {read}
    assert stored["metadata"] == {"other": read, f"m{read}": read}


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b"\xff", "\ufffd"),
        (b"caf\xe9", "caf\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xc0\x80", "\ufffd\ufffd"),
        (b"\xe2\x82", "\ufffd"),
        ("é\U0001f600".encode(), "é\U0001f600"),
    ],
)
async def test_bytes_that_are_no_utf8_are_replaced(standing_client: httpx.AsyncClient, raw: bytes, read: str) -> None:
    line = await _stored(standing_client, b'"input_value": "' + raw + b'", "event_data": {"' + raw + b'": 1}')
    assert line["input_value"] == read
    assert line["event_data"] == {read: 1}


async def test_a_batch_named_with_a_nul_is_stored_once(standing_client: httpx.AsyncClient) -> None:
    body = json.dumps(batch(batch_id="@@")).replace("@@", r"a\u0000\ud800")
    for _ in range(2):
        answer = await standing_client.post(f"{API}/track", content=body)
        assert answer.status_code == 201, answer.text
    assert len(await events_of(standing_client, json.loads(body)["session_id"])) == 1


async def test_a_screenshot_of_a_page_with_a_nul_is_stored(standing_client: httpx.AsyncClient) -> None:
    session = new_session()
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    body = {"session_id": session, "page_url": "@@", "timestamp": now().isoformat(), "width": 1, "height": 1}
    text = json.dumps({**body, "image_data": f"data:image/png;base64,{pixel}"}).replace("@@", r"\u0000\udfff")
    answer = await standing_client.post(f"{API}/track/screenshot", content=text)
    assert answer.status_code == 201, answer.text
    [line] = (await get(standing_client, f"/sessions/{session}/screenshots"))["data"]
    assert line["page_url"] == "\ufffd\ufffd"


@pytest.mark.parametrize(
    "sent",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-14:00",
        -62135596800000,
        253402300799999,
        0,
        -1,
        10**17,
        -(10**17),
        1.5e17,
    ],
)
async def test_a_time_outside_the_late_window_is_stored_at_receipt_and_kept_as_sent(
    standing_client: httpx.AsyncClient, sent: str | float
) -> None:
    before = datetime.now(UTC)
    session = await track(standing_client, event(timestamp=sent, event_data={"a": 1}))
    [line] = await events_of(standing_client, session)
    assert before <= datetime.fromisoformat(line["timestamp"]) <= datetime.now(UTC)
    assert line["event_data"] == {"a": 1, "$client_timestamp": sent}
    stored = await get(standing_client, f"/sessions/{session}")
    assert stored["event_count"] == 1
    assert stored["clock_offset_ms"] in (None, 0)


async def test_the_late_window_is_seven_days_back_and_one_day_ahead(standing_client: httpx.AsyncClient) -> None:
    moment = now()
    inside = [moment - timedelta(days=7) + timedelta(minutes=1), moment - timedelta(days=3), moment]
    outside = [moment - timedelta(days=7, minutes=1), moment + timedelta(days=1, minutes=5)]
    for sent in inside:
        session = await track(standing_client, event(timestamp=sent.isoformat()))
        [line] = await events_of(standing_client, session)
        assert datetime.fromisoformat(line["timestamp"]) == sent
        assert line["event_data"] is None
    for sent in outside:
        session = await track(standing_client, event(timestamp=sent.isoformat()))
        [line] = await events_of(standing_client, session)
        assert abs(datetime.fromisoformat(line["timestamp"]) - moment) < timedelta(minutes=1)
        assert line["event_data"] == {"$client_timestamp": sent.isoformat()}


@pytest.mark.parametrize("data", [None, [1, 2], "text", 5, True, {"$client_timestamp": "mine"}])
async def test_the_mark_of_a_moved_time_takes_nothing_away_from_event_data(
    standing_client: httpx.AsyncClient, data: object
) -> None:
    session = await track(standing_client, event(timestamp=1, event_data=data))
    [line] = await events_of(standing_client, session)
    if data is None:
        assert line["event_data"] == {"$client_timestamp": 1}
    elif isinstance(data, dict):
        assert line["event_data"] == {"$client_timestamp": "mine", "$$client_timestamp": 1}
    else:
        assert line["event_data"] == {"$value": data, "$client_timestamp": 1}


async def test_a_url_of_10_kb_is_stored_whole_and_its_path_cut_to_512(
    standing_client: httpx.AsyncClient, standing_services: Services
) -> None:
    url = "https://Shop.example:8443/" + "p" * 5_000 + "?q=" + "v" * 5_000 + "#f"
    session = await track(standing_client, event(page_url=url))
    [line] = await events_of(standing_client, session)
    assert line["page_url"] == url
    assert line["page_host"] == "shop.example:8443"
    assert line["page_path"] == "/" + "p" * 511
    assert (await get(standing_client, f"/sessions/{session}"))["page_url"] == url
    hours = await get(standing_client, "/analytics/hourly", page_url=url, is_bot="any")
    assert hours["data"][-1]["page_path"] == "/" + "p" * 511


async def test_texts_are_cut_to_what_their_columns_hold(standing_client: httpx.AsyncClient) -> None:
    long = "ä" * 70_000
    session = await track(
        standing_client,
        event(event_type=long, target_element=long, target_selector=long, input_value=long, input_masked=False),
    )
    [line] = await events_of(standing_client, session)
    assert line["event_type"] == "ä" * 50
    assert line["target_element"] == "ä" * 255
    assert line["target_selector"] == long
    assert line["input_value"] == long


async def test_fractions_of_pixels_are_rounded_and_nulls_stay_null(standing_client: httpx.AsyncClient) -> None:
    session = await track(
        standing_client, event(viewport_x=10.4, viewport_y=10.6, screen_x=-3.7, screen_y=None, scroll_y=1e3)
    )
    [line] = await events_of(standing_client, session)
    assert [line[name] for name in ("viewport_x", "viewport_y", "screen_x", "screen_y", "scroll_y")] == [
        10,
        11,
        -4,
        None,
        1000,
    ]


async def test_secrets_are_not_stored(standing_client: httpx.AsyncClient, standing_services: Services) -> None:
    session = await track(
        standing_client,
        event(event_type="keydown", key_pressed="x"),
        event(event_type="keydown", key_pressed="Enter"),
        event(event_type="input", input_value="hunter2", input_masked=True),
        event(event_type="input", input_value="green", input_masked=False),
    )
    lines = await events_of(standing_client, session)
    assert [line["key_pressed"] for line in lines] == ["char", "Enter", None, None]
    assert [line["input_value"] for line in lines] == [None, None, "********", "green"]
    found = await standing_services.pool.fetchval(
        "select count(*) from tracker.events e where e::text like '%hunter2%'"
    )
    assert found == 0


async def test_unknown_fields_are_kept(standing_client: httpx.AsyncClient) -> None:
    session = await track(
        standing_client,
        event(plan="pro", event_data={"a": 1}),
        event(plan={"deep": [1]}, event_data={"plan": "theirs"}),
        event(plan=1, event_data=[1]),
        other="ignored by the envelope",
    )
    assert [line["event_data"] for line in await events_of(standing_client, session)] == [
        {"a": 1, "plan": "pro"},
        {"plan": "theirs", "$plan": {"deep": [1]}},
        {"$value": [1], "plan": 1},
    ]
    answer = await standing_client.post(
        f"{API}/sessions", json={"page_url": "https://a.example/", "plan": "pro", "metadata": {"m": 1}}
    )
    stored = await get(standing_client, f"/sessions/{answer.json()['session_id']}")
    assert stored["metadata"] == {"plan": "pro", "m": 1}


async def test_events_without_a_page_are_on_the_page_before_them(standing_client: httpx.AsyncClient) -> None:
    nowhere: Json = {"timestamp": now().isoformat(), "event_type": "scroll"}
    session = await track(
        standing_client,
        nowhere,
        event(page_url="https://a.example/1"),
        nowhere,
        event(page_url="https://a.example/2"),
        nowhere,
    )
    assert [line["page_path"] for line in await events_of(standing_client, session)] == ["/1", "/1", "/1", "/2", "/2"]
    await track(standing_client, nowhere, session_id=session, batch_id="later")
    last = (await events_of(standing_client, session))[-1]
    assert last["page_url"] == "https://a.example/1", "the page on which the session began"


async def test_a_user_agent_header_of_any_bytes_is_stored(standing_client: httpx.AsyncClient) -> None:
    for sent in (CHROME.encode(), b"\xff\xfe caf\xe9", b"x" * 4000, b""):
        body = batch()
        answer = await standing_client.post(f"{API}/track", json=body, headers={"user-agent": sent})  # pyright: ignore[reportArgumentType]
        assert answer.status_code == 201, answer.text
        stored = await get(standing_client, f"/sessions/{body['session_id']}")
        assert stored["user_agent"] == sent.decode("latin-1")[:1024]
