"""What was sent is what is read, on both tiers, whatever it is."""

import codecs
import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import httpx
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.http.api import API, PAGE, Json, events_of, get, new_session, now
from tracker_backend.accounts.project_settings import DEFAULT
from tracker_backend.event import Event
from tracker_backend.masking.events import mask_events
from tracker_backend.masking.rules import rules_of

# Each example is a session of its own, so that examples may share a server and its fixture; the machine sets no pace.
moderate = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

RULES = rules_of(DEFAULT.masking)
FIELDS = {"timestamp", "event_type", "page_url", "viewport_x", "viewport_y", "screen_x", "screen_y", "scroll_x",
          "scroll_y", "input_value", "input_masked", "key_pressed", "mouse_button", "click_count", "event_data",
          "target_element", "target_selector", "target_tag", "target_id", "target_class"}  # fmt: skip
# Every code point, lone surrogates and U+0000 too.
texts = st.text(st.characters(exclude_categories=()), max_size=30)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)
pixels = st.none() | st.integers(-(2**31) + 1, 2**31 - 1)


def dumped(value: object) -> bytes:
    """JSON with every character beyond ASCII as an escape, lone surrogates too."""
    return json.dumps(value).encode()


def cleaned(text: str) -> str:
    """What PostgreSQL can hold of a text."""
    # Two lone surrogates that stand together are one character to JSON.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace_one")
    return joined.replace("\0", "\ufffd")


def _replace_one(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd", error.start + 2


codecs.register_error("replace_one", _replace_one)


def holds_no_secret(fields: Json) -> bool:
    """Masking is for other tests."""
    told = {name: cleaned(value) if isinstance(value, str) else value for name, value in fields.items()}
    about: Json = {"timestamp": 0, "event_type": "click", **told}
    sent, masked = Event(**about), Event(**about)
    mask_events(RULES, [masked])
    return sent == masked


def as_jsonb(value: object) -> object:
    """What jsonb keeps of a value: numbers by their value, of two members with one name the last."""
    match value:
        case bool() | None:
            return value
        case int():
            return Decimal(value)
        case float():
            return Decimal(repr(value)) + 0  # there is no minus zero
        case str():
            return cleaned(value)
        case list():
            return [as_jsonb(item) for item in cast("list[object]", value)]
        case _:
            members = cast("dict[str, object]", value)
            return {cleaned(name): as_jsonb(item) for name, item in members.items()}


async def stored(client: httpx.AsyncClient, *lines: Json, **fields: object) -> list[Any]:
    """Sends events as a batch and reads them, numbers as they are written."""
    session = new_session()
    body = {"session_id": session, "events": lines, **fields}
    answer = await client.post(f"{API}/track", content=dumped(body))
    assert answer.status_code == 201, answer.text
    read = await client.get(f"{API}/sessions/{session}/events")
    assert read.status_code == 200, read.text
    found = json.loads(read.content, parse_int=Decimal, parse_float=Decimal)
    assert found["total"] == len(found["data"]) == len(lines)
    return found["data"]


def line(**fields: object) -> Json:
    """An event of now."""
    return {"timestamp": now().isoformat(), "event_type": "custom", "page_url": PAGE, **fields}


@moderate
@given(data=values.filter(lambda value: value is not None))
@example(data=-0.0)
@example(data=[1, 1.0, 1e0, 100, 1e2])
@example(data=5e-324)
@example(data=1.7976931348623157e308)
@example(data=[2**53 + 1, 2**64, -(2**70), 10**300])
@example(data={"b": 1, "a": 2, "": 3, "\0": 4})
@example(data="\ud83d\ude00")
@example(data=["\ude00\ud83d", "\\u0000", "\\", '"'])
async def test_event_data_is_read_as_it_was_sent(standing_client: httpx.AsyncClient, data: Any) -> None:
    sent = dumped(data)
    assume(RULES.json(sent) is sent)
    [found] = await stored(standing_client, line(event_data=data))
    assert found["event_data"] == as_jsonb(data)


@moderate
@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "event_type": st.text(st.characters(exclude_categories=()), min_size=1, max_size=50),
            "target_element": st.text(st.characters(exclude_categories=()), max_size=255),
            "input_value": texts,
            "input_masked": st.none() | st.just(value=False),
            "mouse_button": st.none() | st.integers(-32768, 32767),
            **dict.fromkeys(("target_selector", "target_tag", "target_id", "target_class"), st.none() | texts),
            **dict.fromkeys(("viewport_x", "viewport_y", "screen_x", "screen_y"), pixels),
            **dict.fromkeys(("scroll_x", "scroll_y", "click_count"), pixels),
        },
    )
)
async def test_every_field_of_an_event_is_read_as_it_was_sent(standing_client: httpx.AsyncClient, fields: Json) -> None:
    assume(holds_no_secret(fields))
    [found] = await stored(standing_client, line(**fields))
    for name, value in fields.items():
        assert found[name] == (cleaned(value) if isinstance(value, str) else value), name
    for name in FIELDS - fields.keys() - {"timestamp", "event_type", "page_url"}:
        assert found[name] is None


@moderate
@given(page=texts.filter(bool))
@example(page="https://[broken/x?q#f")
@example(page="https://[broken#f?q")
@example(page="//\u2100.example/")
@example(page="https://user:secret@shop.example/a?b#c")
@example(page="data:text/html,hello")
@example(page="\ud800")
async def test_every_page_url_is_stored_and_split(standing_client: httpx.AsyncClient, page: str) -> None:
    [found] = await stored(standing_client, line(page_url=page))
    assert found["page_url"] == RULES.text(cleaned(page))
    assert "?" not in found["page_path"]
    assert "#" not in found["page_path"]
    assert "secret" not in found["page_host"]
    assert len(found["page_host"]) <= 512
    assert len(found["page_path"]) <= 512


@moderate
@given(
    extra=st.dictionaries(texts.filter(lambda name: name not in FIELDS), values, min_size=1, max_size=4), data=values
)
async def test_unknown_fields_are_kept_beside_event_data(
    standing_client: httpx.AsyncClient, extra: dict[str, Any], data: Any
) -> None:
    sent = dumped([data, extra])
    assume(RULES.json(sent) is sent)
    [found] = await stored(standing_client, line(event_data=data, **extra))
    own, more = as_jsonb(data), cast("dict[str, Any]", as_jsonb(extra))
    if own is None:
        expected = more
    elif isinstance(own, dict):
        members = cast("dict[str, Any]", own)
        expected = members | {f"${name}" if name in members else name: value for name, value in more.items()}
    else:
        expected = {"$value": own} | {f"${name}" if name == "$value" else name: value for name, value in more.items()}
    assert found["event_data"] == expected


@moderate
@given(metadata=st.dictionaries(texts, values, max_size=4), user=texts, referrer=texts)
async def test_a_session_is_read_as_it_was_started(
    standing_client: httpx.AsyncClient, metadata: dict[str, Any], user: str, referrer: str
) -> None:
    sent = dumped([metadata, referrer])
    assume(RULES.json(sent) is sent)
    body = {"page_url": PAGE, "metadata": metadata, "user_id": user, "referrer": referrer}
    answer = await standing_client.post(f"{API}/sessions", content=dumped(body))
    assert answer.status_code == 201, answer.text
    read = await standing_client.get(f"{API}/sessions/{answer.json()['session_id']}")
    found = json.loads(read.content, parse_int=Decimal, parse_float=Decimal)
    assert found["metadata"] == as_jsonb(metadata)
    assert found["user_id"] == cleaned(user)
    assert found["referrer"] == cleaned(referrer)
    listed = await get(standing_client, "/sessions", user_id=cleaned(user), limit=500)
    assert answer.json()["session_id"] in {entry["session_id"] for entry in listed["data"]}


@moderate
@given(
    ages=st.lists(st.integers(0, 6 * 86_400_000), min_size=1, max_size=12),
    cuts=st.sets(st.integers(1, 11)),
)
async def test_events_sent_in_any_order_and_any_batches_are_read_in_order_of_time(
    standing_client: httpx.AsyncClient, ages: list[int], cuts: set[int]
) -> None:
    session, moment = new_session(), now()
    edges = sorted({0, len(ages)} | {cut for cut in cuts if cut < len(ages)})
    for first, last in pairwise(edges):
        lines = [
            line(timestamp=(moment - timedelta(milliseconds=ages[n])).isoformat(), event_data=n)
            for n in range(first, last)
        ]
        answer = await standing_client.post(f"{API}/track", json={"session_id": session, "events": lines})
        assert answer.status_code == 201, answer.text
    found = await events_of(standing_client, session)
    # What happened at one time is read in the order in which it came.
    assert [entry["event_data"] for entry in found] == [n for _, n in sorted((-age, n) for n, age in enumerate(ages))]
    for entry in found:
        expected = moment - timedelta(milliseconds=ages[int(entry["event_data"])])
        assert datetime.fromisoformat(entry["timestamp"]) == expected
    detail = await get(standing_client, f"/sessions/{session}")
    assert detail["event_count"] == len(ages)
    assert math.isclose(detail["duration_seconds"], (max(ages) - min(ages)) / 1000, abs_tol=1e-9)


@moderate
@given(
    skew=st.integers(-40_000_000_000, 40_000_000_000).filter(lambda skew: abs(skew) > 60_000),
    ages=st.lists(st.integers(0, 6 * 86_400_000), min_size=1, max_size=6),
    split=st.integers(0, 6),
)
async def test_a_skewed_clock_keeps_distances_and_puts_the_session_at_its_time(
    standing_client: httpx.AsyncClient, skew: int, ages: list[int], split: int
) -> None:
    session, moment = new_session(), now()
    wrong = moment + timedelta(milliseconds=skew)
    sent_at = wrong.isoformat()
    for part in (ages[:split], ages[split:]):
        lines = [line(timestamp=(wrong - timedelta(milliseconds=age)).isoformat(), event_data=age) for age in part]
        if lines:
            body = {"session_id": session, "events": lines, "sent_at": sent_at}
            answer = await standing_client.post(f"{API}/track", json=body)
            assert answer.status_code == 201, answer.text
    found = await events_of(standing_client, session)
    offset = timedelta(milliseconds=(await get(standing_client, f"/sessions/{session}"))["clock_offset_ms"])
    assert timedelta() <= offset + timedelta(milliseconds=skew) < timedelta(minutes=1), "the way here, and no more"
    stamps = [datetime.fromisoformat(entry["timestamp"]) for entry in found]
    assert stamps == sorted(stamps)
    for entry, stamp in zip(found, stamps, strict=True):
        expected = wrong + offset - timedelta(milliseconds=entry["event_data"])
        assert abs(stamp - expected) <= timedelta(milliseconds=1)
    assert max(stamps) <= datetime.now(UTC) + timedelta(seconds=1)
