"""rrweb events as JSON texts: what every reader of a recording has to know of one.

The format is rrweb's (`packages/types/src/index.ts`, 2.1): `{"type": 0-6, "data": …, "timestamp": epoch ms}`. Types and
sources that are not known here are stored like the others.
"""

import msgspec
from msgspec import Raw, Struct

from tracker_backend.errors import Invalid
from tracker_backend.event import Time
from tracker_backend.times import parse_time

FULL_SNAPSHOT, INCREMENTAL, META, CUSTOM, PLUGIN = 2, 3, 4, 5, 6
"""Types of events."""


class Head(Struct, gc=False):
    """An event's members that are looked at; its data is not decoded."""

    timestamp: Time
    type: int | float | str | None = None
    data: Raw = msgspec.field(default_factory=Raw)


_list = msgspec.json.Decoder(list[Raw])
_head = msgspec.json.Decoder(Head)
_members = msgspec.json.Decoder(dict[str, Raw])


def decode_list(text: bytes) -> list[Raw]:
    """The elements of a JSON array of events; Invalid if the text is not one."""
    try:
        return _list.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Invalid(f"the rrweb events are not a JSON array: {error}.") from error


def decode_head(text: bytes, place: str) -> Head:
    """The head of an event; Invalid with its `place` in the request if it is not an rrweb event."""
    try:
        return _head.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Invalid(f"`{place}` is not an rrweb event: {error}.") from error


def read_client_time(head: Head, place: str) -> int:
    """Microseconds since 1970 by the client's clock; Invalid if the event has no readable time."""
    time = parse_time(head.timestamp)
    if time is None:
        raise Invalid(f"`{place}.timestamp` is {head.timestamp!r}: send epoch milliseconds.")
    return time


def client_time(event: bytes) -> int:
    """The same of an event that is stored, and so was read before."""
    time = parse_time(_head.decode(event).timestamp)
    assert time is not None  # noqa: S101 — `read_client_time` lets none through without
    return time


def shift_event(event: bytes, microseconds: int) -> bytes:
    """The event with its time moved. Members other than `timestamp` stay as they are, also those that rrweb does not
    have.
    """
    members = _members.decode(event)
    time = client_time(event) + microseconds
    members["timestamp"] = Raw(msgspec.json.encode(time // 1000 if time % 1000 == 0 else time / 1000))
    return msgspec.json.encode(members)


def is_type(event: bytes, *types: int) -> bool:
    """Whether an event is of one of these types."""
    return _head.decode(event).type in types
