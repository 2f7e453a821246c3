"""What `uxcam` sends, as typed structs, and the decoders of it.

Times are ISO 8601, epoch milliseconds or seconds. `sent_at` and `batch_id` are no fields of its own, but are understood
as everywhere.
"""

from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Raw, Struct, field

from tracker_backend.dialects.loose_values import text_or_none
from tracker_backend.dialects.uxcam.device import device_fields
from tracker_backend.errors import Invalid
from tracker_backend.event import Event, Time
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.wire import MAX_FIELDS, decode, decode_tolerantly, json_object, unknown_fields, with_extra
from tracker_backend.recordings.rrweb_events import decode_list
from tracker_backend.times import parse_time

SOURCE = "uxcam"
DEVICE_INFO = "device_info"
MAX_EVENTS = 10_000
"""Events of a batch: their rows are made while other requests wait, 10 µs each."""

SessionText = Annotated[str, Meta(min_length=1, max_length=200, description="Any text")]
BatchName = Annotated[str, Meta(min_length=1, max_length=200)] | None
_NULL = Raw(b"null")
_DEVICE = Meta(description="An object; kept with the session")
_SDK_KEY = Meta(description="The project's public write key; or send one as X-API-Key")


class SnapshotsRequest(Struct):
    """`POST /api/snapshots/ingest`."""

    session_id: SessionText
    snapshots: Annotated[
        Raw,
        Meta(description="rrweb events: their array, its JSON text, or that text as any function of LZ-String made it"),
    ]
    sdk_key: Annotated[str | None, _SDK_KEY] = None
    snapshot_count: Annotated[Raw, Meta(description="Not looked at: what was decoded counts")] = field(
        default_factory=Raw
    )
    is_initial_snapshot: bool | None = None
    device_info: Annotated[Raw, _DEVICE] = field(default_factory=Raw)
    batch_id: BatchName = None
    sent_at: Time | None = None


class EventsRequest(Struct):
    """`POST /api/events/ingest`."""

    session_id: SessionText
    events: Annotated[
        list[dict[str, Raw]],
        Meta(min_length=1, max_length=MAX_EVENTS, description="{type, timestamp, data}; other fields are kept"),
    ]
    sdk_key: Annotated[str | None, _SDK_KEY] = None
    device_info: Annotated[Raw, _DEVICE] = field(default_factory=Raw)
    batch_id: BatchName = None
    sent_at: Time | None = None


class _Keyed(Struct):
    sdk_key: str | None = None


class _Event(Struct):
    type: Annotated[str, Meta(min_length=1)]
    timestamp: Time
    data: Raw = Raw()


_keyed = msgspec.json.Decoder(_Keyed)
_snapshots = msgspec.json.Decoder(SnapshotsRequest)
_events = msgspec.json.Decoder(EventsRequest)
_event = msgspec.json.Decoder(_Event)
_any = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode


def read_sdk_key(body: bytes) -> str | None:
    """The key that stands in a body; Malformed or Invalid."""
    return decode_tolerantly(_keyed, body)[0].sdk_key


def decode_snapshots(body: bytes) -> tuple[SnapshotsRequest, SessionFields]:
    """A batch of rrweb events, which are not yet looked at, and what it says of its session; Malformed or Invalid."""
    request, odd = decode_tolerantly(_snapshots, body)
    return request, _session(request, body, odd)


def decode_events(body: bytes) -> tuple[EventsRequest, list[Event], SessionFields]:
    """A batch of events, as they are sent and stored, and what it says of its session; Malformed or Invalid."""
    request, odd = decode_tolerantly(_events, body)
    events = [_read_event(index, fields) for index, fields in enumerate(request.events)]
    return request, events, _session(request, body, odd)


def unpack_snapshots(text: bytes) -> list[Raw]:
    """The rrweb events of a JSON text, not yet checked; Invalid for a text that is not an array of at least one."""
    events = decode_list(text)
    if not events:
        raise Invalid("`snapshots` is empty: send at least one rrweb event.")
    return events


def _session(request: SnapshotsRequest | EventsRequest, body: bytes, odd: dict[str, Raw]) -> SessionFields:
    """Fields that are not known, or have odd values, are the session's, like `device_info`."""
    kept = {**unknown_fields(type(request), body), **odd}
    info = request.device_info or _NULL
    if info != _NULL:
        kept[DEVICE_INFO] = info
    metadata = json_object(kept, DEVICE_INFO)
    fields = device_fields(decode(_any, info))
    fields.metadata = metadata
    return fields


def _read_event(index: int, fields: dict[str, Raw]) -> Event:
    place = f"$.events[{index}]"
    if len(fields) > MAX_FIELDS:
        raise Invalid(f"`{place}` has {len(fields)} fields, more than {MAX_FIELDS}: nest them in `data`.")
    sent, _ = decode_tolerantly(
        _event, _encode({name: fields[name] for name in _Event.__struct_fields__ if name in fields}), place
    )
    if parse_time(sent.timestamp) is None:
        raise Invalid(
            f"`{place}.timestamp` is {sent.timestamp!r}: send an ISO 8601 text, epoch milliseconds or seconds."
        )
    extra = {name: value for name, value in fields.items() if name not in _Event.__struct_fields__}
    return Event(sent.timestamp, sent.type, page_url=_page(fields), event_data=with_extra(sent.data, extra))


def _page(fields: dict[str, Raw]) -> str | None:
    """The page that an event names, itself or in its data; it is kept there too."""
    for name in ("page_url", "url"):
        if name in fields:
            return text_or_none(decode(_any, fields[name]))
    data = bytes(fields.get("data", b""))
    return _data_page(data) if b'"page_url"' in data else None  # most have none, and need not be decoded


def _data_page(data: bytes) -> str | None:
    value = decode(_any, data)
    return text_or_none(cast("dict[str, Any]", value).get("page_url")) if isinstance(value, dict) else None
