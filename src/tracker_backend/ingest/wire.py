"""What `v1` clients send, as typed structs, and the decoders of it.

Times are ISO 8601 texts, epoch milliseconds or epoch seconds (a number below 10^11); coordinates are CSS pixels.
"""

from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from tracker_backend import validation_errors
from tracker_backend.errors import Invalid, Malformed
from tracker_backend.event import EVENT_FIELDS, Event, Time
from tracker_backend.ingest.odd_values import read_members, read_oddly
from tracker_backend.text_cleaning import check_numbers

MAX_EVENTS = 100
MAX_FIELDS = 200
"""Fields of an event, those that `v1` does not know included."""
MAX_METADATA = 65_536
"""Bytes of a session's metadata. What a later session start would add beyond that is ignored."""
Label = Annotated[str, Meta(max_length=255)] | None
MOST_PIXELS = 1_000_000
MOST_TTL = 87_600
"""Hours: a session is kept for at most ten years after its last activity."""
Size = Annotated[int, Meta(ge=0, le=MOST_PIXELS)] | None


class TrackRequest(Struct, gc=False):
    """`POST /api/v1/track`."""

    session_id: UUID
    """The session, named by the client. An unknown id starts a session."""
    events: Annotated[list[Event], Meta(min_length=1, max_length=MAX_EVENTS)]
    """The events, as below."""
    batch_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """The client's name for this batch. A retry under the same name is stored once."""
    sent_at: Time | None = None
    """The client's clock at this attempt, from which the server [corrects](events.md#clocks) times."""
    partial: bool = False
    """The events are the beginning of a batch that may have been sent whole: if one of its name is stored, this is a
    repeat, whatever it holds.
    """


class LooseTrackRequest(Struct):
    """The same with events as plain objects: for those that carry fields or numbers that `Event` does not have."""

    session_id: UUID
    events: Annotated[list[dict[str, Raw]], Meta(min_length=1, max_length=MAX_EVENTS)]
    batch_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    sent_at: Time | None = None
    partial: bool = False


class RecordingRequest(Struct):
    """`POST /api/v1/track/recording`; `events` are rrweb's, as its version makes them."""

    session_id: UUID
    events: Annotated[list[Raw], Meta(min_length=1)]
    batch_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    sent_at: Time | None = None
    partial: bool = False


class ScreenshotRequest(Struct):
    """`POST /api/v1/track/screenshot`."""

    session_id: UUID
    """The session. An unknown id starts a session."""
    page_url: Annotated[str, Meta(min_length=1)]
    """URL of the page."""
    timestamp: Time
    """When the screenshot was taken, in the formats of an event's `timestamp`."""
    image_data: str
    """A URL `data:image/png;base64,…`, `image/jpeg` or `image/webp`."""
    width: int | float | None = None
    height: int | float | None = None
    """Accepted and ignored: the server measures the image."""


class SessionRequest(Struct):
    """`POST /api/v1/sessions`."""

    page_url: Annotated[str, Meta(min_length=1)]
    """The first page."""
    session_id: UUID | None = None
    """The session. If it is missing, the server creates an id."""
    user_id: Label = None
    user_email: Label = None
    fingerprint: Label = None
    """Who the visitor is."""
    referrer: str | None = None
    """The page from which the visitor came."""
    user_agent: str | None = None
    """Used instead of the request's header."""
    screen_width: Size = None
    screen_height: Size = None
    viewport_width: Size = None
    viewport_height: Size = None
    """Sizes in CSS pixels."""
    device_type: Label = None
    browser: Label = None
    os: Label = None
    """Used instead of what the user agent says."""
    language: Label = None
    app_id: Label = None
    ticket_id: Label = None
    """Labels of your own."""
    metadata: dict[str, Raw] | None = None
    """Your own data. Fields that are not in this table are added to it."""


T = TypeVar("T")
S = TypeVar("S", bound=Struct)

_track = msgspec.json.Decoder(TrackRequest)
_loose_track = msgspec.json.Decoder(LooseTrackRequest)
_recording = msgspec.json.Decoder(RecordingRequest)
_screenshot = msgspec.json.Decoder(ScreenshotRequest)
_session = msgspec.json.Decoder(SessionRequest)
_fields = msgspec.json.Decoder(dict[str, Raw])
_event = msgspec.json.Decoder(Event)


def decode_track(body: bytes) -> TrackRequest:
    """A batch of events; Malformed or Invalid with the place and the reason."""
    try:
        return _track.decode(body)
    except msgspec.ValidationError:
        # Unknown fields, fractional pixels and values of other types are rare and fine.
        return _decode_loose(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from error


def decode_recording(body: bytes) -> RecordingRequest:
    """A batch of rrweb events, not yet looked at; Malformed or Invalid."""
    return decode_tolerantly(_recording, body)[0]


def decode_screenshot(body: bytes) -> ScreenshotRequest:
    """A screenshot upload; Malformed or Invalid."""
    return decode_tolerantly(_screenshot, body)[0]


def decode_session(body: bytes) -> SessionRequest:
    """A session start; fields that `v1` does not know or cannot read go to `metadata`. Malformed or Invalid."""
    request, odd = decode_tolerantly(_session, body)
    request.metadata = {**unknown_fields(SessionRequest, body), **odd, **(request.metadata or {})}
    json_object(request.metadata, "metadata")
    return request


def with_extra(event_data: Raw, extra: dict[str, Raw]) -> Raw:
    """`event_data` with more members; a name it has already gets a `$` in front, data that is not an object becomes
    the member `$value`.
    """
    if not extra:
        return event_data
    text = bytes(event_data).lstrip()
    if text.startswith(b"{"):
        members = _fields.decode(text)
    elif text in (b"", b"null"):
        members = {}
    else:
        members = {"$value": event_data}
    more = {f"${name}" if name in members else name: value for name, value in extra.items()}
    return Raw(msgspec.json.encode({**members, **more}))


def decode(decoder: msgspec.json.Decoder[T], text: bytes | Raw, place: str = "$") -> T:
    """The decoded JSON text; Malformed if it is not JSON, Invalid with the place and the reason if it does not fit.

    `place` is the text's place in the body, for messages.
    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        detail = validation_errors.explain(error, decoder.type)
        if place != "$":
            detail = detail.replace("`$", f"`{place}") if "`$" in detail else f"{detail} - at `{place}`"
        raise Invalid(f"{detail}.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from error


def decode_tolerantly(
    decoder: msgspec.json.Decoder[S], text: bytes | Raw, place: str = "$"
) -> tuple[S, dict[str, Raw]]:
    """The same of an object whose fields may have odd values: see `read_oddly`."""
    try:
        try:
            return decoder.decode(text), {}
        except msgspec.ValidationError:
            return read_oddly(decoder.type, text, place)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from error


def unknown_fields(kind: type[Struct], text: bytes | Raw) -> dict[str, Raw]:
    """The members of an object that `kind` does not have."""
    known = set(kind.__struct_encode_fields__)
    return {name: value for name, value in decode(_fields, text).items() if name not in known}


def json_object(members: dict[str, Raw] | None, field: str) -> bytes | None:
    """The JSON text of an object as a session keeps it, None for an empty one; Invalid if it is too large."""
    if not members:
        return None
    text = msgspec.json.encode(members)
    if len(text) > MAX_METADATA:
        raise Invalid(f"`{field}` with all unknown fields has {len(text)} bytes, more than {MAX_METADATA}: send less.")
    check_numbers(text, field)
    return text


def _malformed(error: Exception) -> Malformed:
    if isinstance(error, RecursionError):
        return Malformed("the body is nested too deeply to be read: send flatter JSON.")
    return Malformed(f"the body is not JSON: {error}.")


def _decode_loose(body: bytes) -> TrackRequest:
    loose, _ = decode_tolerantly(_loose_track, body)
    events = [_loose_event(index, fields) for index, fields in enumerate(loose.events)]
    return TrackRequest(loose.session_id, events, loose.batch_id, loose.sent_at, loose.partial)


def _loose_event(index: int, fields: dict[str, Raw]) -> Event:
    if len(fields) > MAX_FIELDS:
        raise Invalid(
            f"`$.events[{index}]` has {len(fields)} fields, more than {MAX_FIELDS}: nest them in `event_data`."
        )
    extra = {name: raw for name, raw in fields.items() if name not in EVENT_FIELDS}
    known = {name: raw for name, raw in fields.items() if name in EVENT_FIELDS}
    try:
        event = _event.decode(msgspec.json.encode(known))
    except msgspec.ValidationError:
        event, odd = read_members(Event, known, f"$.events[{index}]")
        extra |= odd
    event.event_data = with_extra(event.event_data, extra)
    return event
