"""What `spectra` sends, as typed structs, and the decoders of it.

Times are epoch milliseconds, seconds or ISO 8601. A batch is read whole before anything of it is stored.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from tracker_backend.dialects.session_start import SessionText
from tracker_backend.dialects.spectra.custom import custom_time, decode_custom, decode_error
from tracker_backend.dialects.spectra.inflate import inflate_text
from tracker_backend.errors import Invalid
from tracker_backend.event import Event, Time
from tracker_backend.ingest.wire import Label, S, decode_tolerantly, json_object, unknown_fields
from tracker_backend.recordings.rrweb_events import decode_list
from tracker_backend.text_cleaning import clean_json

MAX_CUSTOM = 10_000
"""Custom events and errors of a batch: their rows are made while other requests wait, 10 µs each."""

Loose = Annotated[list[Raw], Meta(description="Objects; fields that are not known are kept")]


class Packed(Struct):
    """rrweb events as `pako.deflate` or `pako.gzip` and base64 made a text of their JSON array, or the array itself."""

    data: str | list[Raw]
    compressed: bool = True


class BatchMetadata(Struct, rename="camel"):
    """What the client says of its batch. Its counts are not looked at: what was decoded counts."""

    timestamp: Time | None = None
    event_count: Any = None
    custom_event_count: Any = None
    error_count: Any = None


class BatchRequest(Struct, rename="camel"):
    """`POST /api/sessions/{sessionId}/events`."""

    session_id: SessionText | None = None
    user_id: Label = None
    app_id: Label = None
    events: list[Raw] | Packed | None = None
    custom_events: Loose | None = None
    errors: Loose | None = None
    metadata: BatchMetadata | None = None


class HeartbeatRequest(Struct, rename="camel"):
    """`POST /api/sessions/{sessionId}/heartbeat`."""

    session_id: SessionText | None = None
    timestamp: Time | None = None
    stats: dict[str, Raw] | None = None


class EndRequest(Struct, rename="camel"):
    """`POST /api/sessions/{sessionId}/end`."""

    session_id: SessionText | None = None
    end_time: Time | None = None
    stats: dict[str, Raw] | None = None


_batch = msgspec.json.Decoder(BatchRequest)
_heartbeat = msgspec.json.Decoder(HeartbeatRequest)
_end = msgspec.json.Decoder(EndRequest)


def decode_batch(body: bytes) -> tuple[BatchRequest, bytes | None]:
    """A batch, whose events are not yet looked at, and its unknown fields as JSON text; Malformed or Invalid."""
    return _decode(_batch, body)


def decode_heartbeat(body: bytes) -> tuple[HeartbeatRequest, bytes | None]:
    """A heartbeat, and its unknown fields as JSON text; an empty body is one. Malformed or Invalid."""
    return _decode(_heartbeat, body or b"{}")


def decode_end(body: bytes) -> tuple[EndRequest, bytes | None]:
    """An end, and its unknown fields as JSON text; an empty body is one. Malformed or Invalid."""
    return _decode(_end, body or b"{}")


def unpack_events(sent: Packed, limit: int) -> list[Raw]:
    """The rrweb events of a packed batch, not yet checked; Invalid, or TooLarge over `limit` bytes."""
    if isinstance(sent.data, list):
        return sent.data
    if not sent.compressed:
        raise Invalid("`$.events.data` is a text although `compressed` is false: send the array itself.")
    return decode_list(clean_json(inflate_text(sent.data, limit), keep_null=True))


def read_custom(request: BatchRequest) -> list[Event]:
    """The custom events and errors of a batch as events, in order of time."""
    custom, errors = request.custom_events or [], request.errors or []
    if len(custom) + len(errors) > MAX_CUSTOM:
        raise Invalid(
            f"`customEvents` and `errors` have {len(custom) + len(errors)} entries, more than {MAX_CUSTOM}: send fewer."
        )
    read = [
        *(decode_custom(raw, f"$.customEvents[{index}]") for index, raw in enumerate(custom)),
        *(decode_error(raw, f"$.errors[{index}]") for index, raw in enumerate(errors)),
    ]
    return sorted(read, key=custom_time)


def _decode(decoder: msgspec.json.Decoder[S], body: bytes) -> tuple[S, bytes | None]:
    request, odd = decode_tolerantly(decoder, body)
    return request, json_object({**unknown_fields(decoder.type, body), **odd}, "metadata")
