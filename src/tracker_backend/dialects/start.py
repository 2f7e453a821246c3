"""`POST /api/sessions/start`: one body for `spectra` and `incuera`, and what it says of the session.

`metadata` is kept whole, and what has a column is also read from it: leniently, since it is the page's own object.
"""

from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Raw, Struct

from tracker_backend.dialects.wire import pixels_of, text_of
from tracker_backend.event import Time
from tracker_backend.ingest.agent import AGENT_LENGTH
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.wire import Label, decode, json_object, unknown_fields

SPECTRA_TTL = 72
"""Hours that a session of `spectra` is kept after its last activity, unless its start says otherwise."""
_MOST_TTL = 87_600  # ten years
_LABEL = 255

SessionText = Annotated[str, Meta(min_length=1, max_length=200)]


class StartRequest(Struct, rename="camel"):
    """`POST /api/sessions/start`. With `appId` it is `spectra`'s, without `incuera`'s."""

    session_id: SessionText
    user_id: Label = None
    user_email: Label = None
    app_id: Label = None
    ticket_id: Label = None
    start_time: Time | None = None
    ttl_hours: int | None = None
    metadata: dict[str, Raw] | None = None


_start = msgspec.json.Decoder(StartRequest)
_values = msgspec.json.Decoder(dict[str, Any])
_time = msgspec.json.Decoder(Time)


def decode_start(body: bytes) -> StartRequest:
    """A session start; fields that neither dialect knows go to `metadata`. Malformed or Invalid."""
    request = decode(_start, body)
    request.metadata = {**unknown_fields(StartRequest, body), **(request.metadata or {})}
    return request


def start_fields(request: StartRequest) -> SessionFields:
    """What a start says of its session."""
    kept = json_object(request.metadata, "metadata")
    told = decode(_values, kept or b"{}")
    screen, viewport = _size(told.get("screen")), _size(told.get("viewport"))
    return SessionFields(
        user_id=request.user_id or None,
        user_email=request.user_email or None,
        page_url=text_of(told.get("url")),
        referrer=text_of(told.get("referrer")),
        user_agent=text_of(told.get("userAgent"), AGENT_LENGTH),
        screen_width=screen[0],
        screen_height=screen[1],
        viewport_width=viewport[0],
        viewport_height=viewport[1],
        language=text_of(told.get("language"), _LABEL),
        app_id=request.app_id or None,
        ticket_id=request.ticket_id or None,
        ttl_hours=_ttl(request, told.get("ttlHours")),
        metadata=kept,
    )


def start_time(request: StartRequest) -> Time | None:
    """When the session began by the client's clock: `incuera` tells it as `metadata.timestamp`."""
    if request.start_time is not None or request.app_id is not None:
        return request.start_time
    told = (request.metadata or {}).get("timestamp")
    return None if told is None or told == Raw(b"null") else decode(_time, told, "$.metadata.timestamp")


def _ttl(request: StartRequest, in_metadata: Any) -> int | None:
    """The hours that were asked for, if they make sense; else the dialect's."""
    for asked in (request.ttl_hours, in_metadata):
        if type(asked) is int and 0 < asked <= _MOST_TTL:
            return asked
    return None if request.app_id is None else SPECTRA_TTL


def _size(value: Any) -> tuple[int | None, int | None]:
    size = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return pixels_of(size.get("width")), pixels_of(size.get("height"))
