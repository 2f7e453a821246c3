"""Custom events and errors: as `spectra` sends them, as they are stored, and as they are given back.

A custom event's `data` becomes `event_data` with the event's unknown fields beside it. What else is needed to give it
back as it came stands in one member, `$sent`: its `type`, and which members were fields of the event.
"""

from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tracker_backend.errors import Invalid
from tracker_backend.event import EVENT_FIELDS, Event, Time
from tracker_backend.ingest.steps import EVENT_TYPE_LENGTH
from tracker_backend.ingest.wire import decode_tolerantly
from tracker_backend.queries import events
from tracker_backend.times import from_datetime, parse_time

SOURCE = "spectra"
ERROR = "error"
_SENT, _VALUE, _CLIENT_TIME = "$sent", "$value", "$client_timestamp"
_NULL = Raw(b"null")
_RESERVED = frozenset({_SENT, _VALUE, _CLIENT_TIME})
_COLUMNS = [name for name in EVENT_FIELDS if name not in ("timestamp", "event_type", "event_data")]


class _Custom(Struct, rename="camel"):
    timestamp: Time
    type: Raw = _NULL
    event_type: str | None = None
    data: Raw = Raw(b"{}")


class _Typed(Struct):
    type: str | None = None


class _Error(Struct):
    timestamp: Time


class _Sent(Struct, rename="camel"):
    type: Raw = _NULL
    event_type: str | None = None
    """The full type, where the column holds only its beginning."""
    also: list[str] = []


_custom = msgspec.json.Decoder(_Custom)
_error = msgspec.json.Decoder(_Error)
_fields = msgspec.json.Decoder(dict[str, Raw])
_typed = msgspec.json.Decoder(_Typed)
_sent = msgspec.json.Decoder(_Sent)
_time = msgspec.json.Decoder(Time)
_encode = msgspec.json.Encoder().encode


def decode_custom(raw: Raw, place: str) -> Event:
    """A custom event; its type is `eventType`, else `type`. Invalid names the place."""
    sent, odd = decode_tolerantly(_custom, raw, place)
    _check_time(sent.timestamp, place)
    kind = sent.event_type or decode_tolerantly(_typed, _encode({"type": sent.type}), place)[0].type
    if not kind:
        raise Invalid(f"`{place}` has neither `eventType` nor `type` that is a text: send one.")
    also = {
        f"${name}" if name in _RESERVED else name: value
        for name, value in _fields.decode(raw).items()
        if name not in _Custom.__struct_encode_fields__ or name in odd
    }
    members = _fields.decode(sent.data) if bytes(sent.data).lstrip().startswith(b"{") else None
    if members is None or not members.keys().isdisjoint(_RESERVED | also.keys()):
        members = {_VALUE: sent.data}
    how: dict[str, Any] = {}
    if sent.event_type and sent.type != _NULL:
        how["type"] = sent.type
    if len(kind) > EVENT_TYPE_LENGTH:
        how["eventType"] = kind
    if also:
        how["also"] = list(also)
    if how:
        also[_SENT] = Raw(_encode(how))
    return Event(sent.timestamp, kind, event_data=Raw(_encode({**members, **also})))


def decode_error(raw: Raw, place: str) -> Event:
    """An error: all its fields are its data. Invalid names the place."""
    sent, _ = decode_tolerantly(_error, raw, place)
    _check_time(sent.timestamp, place)
    members = _fields.decode(raw)
    del members["timestamp"]
    return Event(sent.timestamp, ERROR, event_data=Raw(_encode(members)))


def custom_time(event: Event) -> int:
    """When a custom event or error happened, in microseconds by the client's clock."""
    return parse_time(event.timestamp) or 0


def to_custom_event(event: events.Event, offset: int) -> dict[str, Any]:
    """A stored event as a custom event, with the client's own time (`offset` is that of the session's clock).

    An event of another dialect has its columns in `data`.
    """
    members, time = _members(event, offset)
    if event.source != SOURCE:
        columns = {name: value for name in _COLUMNS if (value := getattr(event, name)) not in (None, "")}
        return {
            "type": event.event_type,
            "eventType": event.event_type,
            "data": {**columns, **members},
            "timestamp": time,
        }
    how = _sent.decode(members.pop(_SENT, b"{}"))
    also = {name: members.pop(name) for name in how.also}
    kind = how.event_type or event.event_type
    return {
        **also,
        "type": kind if how.type == _NULL else how.type,
        "eventType": kind,
        "data": members.get(_VALUE, members),
        "timestamp": time,
    }


def to_error(event: events.Event, offset: int) -> dict[str, Any]:
    """A stored error as `spectra` sends one, with the client's own time."""
    members, time = _members(event, offset)
    return {"type": ERROR, "message": "", "stack": None, **members, "timestamp": time}


def _members(event: events.Event, offset: int) -> tuple[dict[str, Any], int | float]:
    data = event.event_data
    members: dict[str, Any] = {}
    if data is not None:
        members = dict(_fields.decode(data)) if bytes(data).lstrip().startswith(b"{") else {_VALUE: data}
    time = from_datetime(event.timestamp) - offset
    with suppress(msgspec.MsgspecError):  # any other thing by this name is the event's own
        time = parse_time(_time.decode(members.get(_CLIENT_TIME, _NULL))) or time
        del members[_CLIENT_TIME]
    return members, time // 1000 if time % 1000 == 0 else time / 1000


def _check_time(value: Time, place: str) -> None:
    if parse_time(value) is None:
        raise Invalid(f"`{place}.timestamp` is {value!r}: send epoch milliseconds, seconds or an ISO 8601 text.")
