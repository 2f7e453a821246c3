"""What a file holds, before any of it is stored: its sessions, when they were, and that every event can be read."""

from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tracker_backend.errors import Invalid
from tracker_backend.event import Event, Time
from tracker_backend.importing.files import Told, by_session, read_file, refuse
from tracker_backend.importing.items import Item, Kind
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.wire import MAX_METADATA
from tracker_backend.times import from_datetime, parse_time

_MOST = 2**62  # microseconds that a bigint holds


class Header(Struct):
    """The session of an export, as far as an import needs it beside its `SessionFields`."""

    session_id: UUID | None = None
    client_session_id: str | None = None
    started_at: datetime | None = None
    last_activity_at: datetime | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    ended_at: datetime | None = None
    clock_offset_ms: int | None = None
    client_stats: Raw = msgspec.field(default_factory=Raw)

    @property
    def offset(self) -> int | None:
        """Microseconds to add to the client's times."""
        return None if self.clock_offset_ms is None else self.clock_offset_ms * 1000


class Timed(Struct):
    """The time of an rrweb event; decoding it proves that the rest is JSON."""

    timestamp: Time


class StoredEvent(Event, forbid_unknown_fields=False):
    """An event of an export. What else it holds, the server makes anew."""

    source: str = "native"


class Shot(Struct):
    """A screenshot of an export."""

    page_url: str
    timestamp: Time
    image_data: str


class Found(Struct):
    """A session of a file. Times are microseconds."""

    path: Path
    at: int
    empty: Any
    """The hash of nothing, to make others from."""
    hash: Any
    header: Header | None = None
    client_id: str | None = None
    fields: SessionFields = msgspec.field(default_factory=SessionFields)
    more: dict[str, Raw] = msgspec.field(default_factory=dict[str, Raw])
    """What else its object told."""
    left_out: list[str] = msgspec.field(default_factory=list[str])
    """Members too large for metadata."""
    items: int = 0
    oldest: int = _MOST
    newest: int = -_MOST

    @property
    def is_empty(self) -> bool:
        """Nothing to store, not even a session."""
        return self.items == 0 and (self.header is None or self.header.started_at is None)


T = TypeVar("T")
_header = msgspec.json.Decoder(Header)
_members = msgspec.json.Decoder(dict[str, Raw])
_fields = msgspec.json.Decoder(SessionFields)
_timed = msgspec.json.Decoder(Timed)
_stored = msgspec.json.Decoder(StoredEvent)
_shot = msgspec.json.Decoder(Shot)
_text = msgspec.json.Decoder(str)
_any = msgspec.json.Decoder(Raw)


def survey(path: Path, limit: int, secret: bytes, told: Told) -> list[Found]:
    """The sessions of a file; Invalid with the place of what cannot be stored, such as an rrweb event of more than
    `limit` bytes. Their hashes are keyed with `secret`: they are stored, and made of what is not masked yet.
    """
    empty = blake2b(digest_size=16, key=secret)
    sessions: list[Found] = []
    for number, item in by_session(read_file(path, told)):
        if number == len(sessions):
            sessions.append(Found(path, item.at, empty, empty.copy()))
        found = sessions[number]
        if item.kind is Kind.MEMBER:
            _add_member(found, item)
        elif item.kind is not Kind.BEGIN:
            if item.kind is Kind.EVENT and len(item.text) > limit:
                raise refuse(path, item.at, f"this rrweb event has {len(item.text)} bytes, more than {limit}")
            time = read_time(path, item)
            found.oldest, found.newest = min(found.oldest, time), max(found.newest, time)
            found.items += 1
            add_to(found.hash, item)
    for found in sessions:
        if found.header is not None:
            _take_times(found, found.header)
    if all(found.is_empty for found in sessions):
        raise Invalid(f"{path} holds no rrweb events: give a list of them, or objects with a list of `events`.")
    return sessions


def add_to(content: Any, item: Item) -> None:
    """Adds an item to a hash."""
    content.update(item.kind.value.encode())
    content.update(item.text)
    content.update(b"\n")


def read_time(path: Path, item: Item) -> int:
    """When an item happened, as it tells; Invalid with the place if it does not."""
    kinds = {Kind.EVENT: "rrweb event", Kind.TRACK_EVENT: "event of an export", Kind.SCREENSHOT: "screenshot"}
    sent = decode(path, item, _timed, kinds[item.kind]).timestamp
    time = parse_time(sent)
    if time is None or abs(time) > _MOST:
        raise refuse(path, item.at, f"`timestamp` is {sent!r}: epoch milliseconds are wanted")
    return time


def read_event(path: Path, item: Item) -> tuple[str, Event]:
    """The source of an event of an export, and the event."""
    stored = decode(path, item, _stored, "event of an export")
    return stored.source, Event(*(getattr(stored, name) for name in Event.__struct_fields__))


def read_shot(path: Path, item: Item) -> Shot:
    """A screenshot of an export."""
    return decode(path, item, _shot, "screenshot")


def decode(path: Path, item: Item, decoder: msgspec.json.Decoder[T], kind: str) -> T:
    """The item as that kind; Invalid with the place if it is none."""
    try:
        return decoder.decode(item.text)
    except msgspec.MsgspecError as error:
        raise refuse(path, item.at, f"this is no {kind}: {error}") from error
    except RecursionError as error:
        raise refuse(path, item.at, "this is nested too deeply") from error


def _add_member(found: Found, item: Item) -> None:
    match item.name:
        case "session":
            found.header = decode(found.path, item, _header, "session of an export")
            members = decode(found.path, item, _members, "session of an export")
            metadata = members.pop("metadata", None)
            rest = Item(item.kind, item.at, msgspec.json.encode(members))
            found.fields = decode(found.path, rest, _fields, "session of an export")
            found.fields.metadata = None if metadata is None else bytes(metadata)
        case "sessionId" | "session_id":
            found.client_id = decode(found.path, item, _text, "session's id")
        case "userId" | "user_id" | "appId" | "app_id" if item.text.startswith(b'"'):
            name = "user_id" if item.name.startswith("user") else "app_id"
            setattr(found.fields, name, decode(found.path, item, _text, "name")[:255])
        case _:
            decode(found.path, item, _any, "JSON")
            found.more[item.name] = Raw(item.text)
            if sum(map(len, found.more.values())) > MAX_METADATA // 2:
                del found.more[item.name]
                found.left_out.append(item.name)


def _take_times(found: Found, header: Header) -> None:
    """The times of an export are those of its rows: an event inside may tell one that was no clock's."""
    if header.first_at is not None and header.last_at is not None:
        found.oldest, found.newest = _MOST, -_MOST
    for moment in (header.started_at, header.first_at, header.last_at, header.last_activity_at):
        if moment is not None:
            time = from_datetime(moment)
            found.oldest, found.newest = min(found.oldest, time), max(found.newest, time)
