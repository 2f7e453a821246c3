"""`POST /api/sessions/start`: one body for `spectra` and `incuera`, and the fields of the session in it.

`metadata` is stored whole. Fields that have a column are also read from it; invalid values are skipped, because the
page may put anything there.
"""

from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Raw, Struct

from tracker_backend.dialects.loose_values import pixels_or_none, text_or_none
from tracker_backend.event import Time
from tracker_backend.ingest.agent import AGENT_LENGTH
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.wire import MOST_TTL, Label, decode, decode_tolerantly, json_object, unknown_fields

SPECTRA_TTL = 72
"""Hours that a session of `spectra` is kept after its last activity, unless its start says otherwise."""
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
_time = msgspec.json.Decoder(Time | None)


def decode_start(body: bytes) -> StartRequest:
    """A session start; fields that neither dialect knows go to `metadata`. Malformed or Invalid."""
    request, odd = decode_tolerantly(_start, body)
    request.metadata = {**unknown_fields(StartRequest, body), **odd, **(request.metadata or {})}
    return request


def start_fields(request: StartRequest) -> SessionFields:
    """The fields of the session in a start."""
    kept = json_object(request.metadata, "metadata")
    values = decode(_values, kept or b"{}")
    screen, viewport = _size(values.get("screen")), _size(values.get("viewport"))
    return SessionFields(
        user_id=request.user_id or None,
        user_email=request.user_email or None,
        page_url=text_or_none(values.get("url")),
        referrer=text_or_none(values.get("referrer")),
        user_agent=text_or_none(values.get("userAgent"), AGENT_LENGTH),
        screen_width=screen[0],
        screen_height=screen[1],
        viewport_width=viewport[0],
        viewport_height=viewport[1],
        language=text_or_none(values.get("language"), _LABEL),
        app_id=request.app_id or None,
        ticket_id=request.ticket_id or None,
        ttl_hours=_ttl(request, values.get("ttlHours")),
        metadata=kept,
    )


def start_time(request: StartRequest) -> Time | None:
    """When the session began by the client's clock; `incuera` sends it as `metadata.timestamp`."""
    if request.start_time is not None or request.app_id is not None:
        return request.start_time
    timestamp = (request.metadata or {}).get("timestamp")
    try:
        return None if timestamp is None else _time.decode(timestamp)
    except msgspec.ValidationError:  # it is kept in the metadata
        return None


def _ttl(request: StartRequest, in_metadata: Any) -> int | None:
    """The hours that the request asks for, if they are valid; else those of the dialect."""
    for hours in (request.ttl_hours, in_metadata):
        if type(hours) is int and 0 < hours <= MOST_TTL:
            return hours
    return None if request.app_id is None else SPECTRA_TTL


def _size(value: Any) -> tuple[int | None, int | None]:
    size = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return pixels_or_none(size.get("width")), pixels_or_none(size.get("height"))
