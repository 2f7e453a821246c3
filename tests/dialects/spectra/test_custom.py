"""For any custom event or error: what is given back is what was sent, whatever its fields are called."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tracker_backend.dialects.spectra.custom import SOURCE, decode_custom, decode_error, to_custom_event, to_error
from tracker_backend.ingest import wire
from tracker_backend.queries.events import Event

TIME = 1_700_000_000_123
names = st.sampled_from(["$sent", "$value", "$client_timestamp", "$$sent", "also", "message", "a"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)
fields = st.dictionaries(st.sampled_from(["also", "message", "a", "$$sent"]), values, max_size=3)


def stored(sent: wire.Event) -> Event:
    moment = datetime.fromtimestamp(TIME // 1000, UTC).replace(microsecond=TIME % 1000 * 1000)
    columns: dict[str, Any] = dict.fromkeys(Event.__struct_fields__)
    columns |= {"event_id": 1, "timestamp": moment, "source": SOURCE, "event_type": sent.event_type[:50]}
    columns |= {"page_url": "/", "event_data": sent.event_data}
    return Event(**columns)


def plain(given_back: dict[str, Any]) -> Any:
    return json.loads(msgspec.json.encode(given_back))


@given(values, st.text(min_size=1, max_size=60), values.filter(lambda it: it is not None), fields)
def test_a_custom_event(data: Any, event_type: str, kind: Any, more: dict[str, Any]) -> None:
    event = {**more, "type": kind, "eventType": event_type, "data": data, "timestamp": TIME}
    assert plain(to_custom_event(stored(decode_custom(Raw(msgspec.json.encode(event)), "$")), 0)) == event


@given(fields)
def test_an_error(more: dict[str, Any]) -> None:
    event = {"type": "error", "message": "", "stack": None, **more, "timestamp": TIME}
    assert plain(to_error(stored(decode_error(Raw(msgspec.json.encode(event)), "$")), 0)) == event


@given(st.dictionaries(names, values, max_size=5))
def test_fields_of_any_name_break_nothing(more: dict[str, Any]) -> None:
    event = Raw(msgspec.json.encode({**more, "type": "t", "timestamp": TIME}))
    assert to_custom_event(stored(decode_custom(event, "$")), 0)["timestamp"] == TIME
    to_error(stored(decode_error(event, "$")), 0)
