"""What `reev` sends, and how its events are read back: with times relative to the session's begin."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from tracker_backend.dialects.loose_values import text_or_none
from tracker_backend.event import Time
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.wire import decode, decode_tolerantly, json_object, unknown_fields
from tracker_backend.recordings.replay import Part
from tracker_backend.recordings.rrweb_events import decode_list, shift_event

_PAGE = "pageUrl"


class EventsRequest(Struct, rename="camel"):
    """`POST /events`; `events` are rrweb's. `batchId` and `sentAt` are understood here too."""

    session_id: Annotated[str, Meta(min_length=32, max_length=45, description="A UUID")]
    project_id: Annotated[str, Meta(min_length=1, max_length=200, description="The project's public write key")]
    events: Annotated[list[Raw], Meta(min_length=1, description="rrweb events, usually up to 50, more are fine")]
    batch_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    sent_at: Time | None = None


class _Named(Struct, rename="camel"):
    project_id: Annotated[str, Meta(min_length=1, max_length=200)]


_named = msgspec.json.Decoder(_Named)
_request = msgspec.json.Decoder(EventsRequest)
_any = msgspec.json.Decoder()


def read_project(body: bytes) -> str:
    """What a body names its project; Malformed or Invalid."""
    return decode_tolerantly(_named, body)[0].project_id


def decode_events(body: bytes) -> tuple[EventsRequest, SessionFields]:
    """A batch of rrweb events, not yet looked at, and what it says of its session; Malformed or Invalid."""
    request, odd = decode_tolerantly(_request, body)
    kept = {**unknown_fields(EventsRequest, body), **odd}
    page = text_or_none(decode(_any, kept[_PAGE])) if _PAGE in kept else None
    return request, SessionFields(page_url=page, metadata=json_object(kept, "metadata"))


def with_relative_times(part: Part, began: int) -> bytes:
    """The events of a part of a replay, joined by commas; times are milliseconds since the session began.

    Members other than `timestamp` stay as they are, also those that rrweb does not have.
    """
    return b",".join(shift_event(bytes(event), -began) for event in decode_list(b"[" + part.text() + b"]"))
