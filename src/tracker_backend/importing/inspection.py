"""Inspection of a file before anything is stored: its sessions, their times, and whether each event can be read."""

from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tracker_backend.errors import Invalid, TrackerError
from tracker_backend.event import Event, Time
from tracker_backend.importing.elements import Element, Kind
from tracker_backend.importing.files import OnProgress, by_session, invalid_at, read_file
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.clock import MOST_OFFSET
from tracker_backend.ingest.wire import MAX_METADATA, MOST_PIXELS, MOST_TTL, S, decode_tolerantly, with_extra
from tracker_backend.json_depth import has_room
from tracker_backend.times import FARTHEST, from_datetime, parse_time


class ExportedSession(Struct):
    """The session of an export: what an import needs in addition to its `SessionFields`."""

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
        offset = None if self.clock_offset_ms is None else self.clock_offset_ms * 1000
        return None if offset is None or abs(offset) > MOST_OFFSET else offset


class TimedEvent(Struct):
    """The time of an rrweb event. Decoding it also checks that the event is JSON."""

    timestamp: Time


class ExportedEvent(Event, forbid_unknown_fields=False):
    """An event of an export. The server computes all other fields again."""

    source: str = "native"


class ExportedScreenshot(Struct):
    """A screenshot of an export."""

    page_url: str
    timestamp: Time
    image_data: str


class FileSession(Struct):
    """A session in a file. Times are microseconds since 1970."""

    path: Path
    at: int
    """The byte at which it begins."""
    empty: Any
    """A keyed hash of nothing, to copy."""
    hash: Any
    """A keyed hash of its elements."""
    header: ExportedSession | None = None
    client_id: str | None = None
    fields: SessionFields = msgspec.field(default_factory=SessionFields)
    other_members: dict[str, Raw] = msgspec.field(default_factory=dict[str, Raw])
    """Other members of its object."""
    left_out: list[str] = msgspec.field(default_factory=list[str])
    """Names of members that are too large for metadata."""
    elements: int = 0
    oldest: int = FARTHEST
    newest: int = -FARTHEST

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store, not even a session."""
        return self.elements == 0 and (self.header is None or self.header.started_at is None)


T = TypeVar("T")
_header = msgspec.json.Decoder(ExportedSession)
_members = msgspec.json.Decoder(dict[str, Raw])
_fields = msgspec.json.Decoder(SessionFields)
_timed_event = msgspec.json.Decoder(TimedEvent)
_exported_event = msgspec.json.Decoder(ExportedEvent)
_screenshot = msgspec.json.Decoder(ExportedScreenshot)
_text = msgspec.json.Decoder(str)
_any = msgspec.json.Decoder(Raw)


def inspect_file(path: Path, limit: int, secret: bytes, on_progress: OnProgress) -> list[FileSession]:
    """Return the sessions of a file. Raises Invalid, with the place, for an element that cannot be stored.

    rrweb events have at most `limit` bytes. The hashes are keyed with `secret`, because they are stored and the content
    is not masked yet.
    """
    empty = blake2b(digest_size=16, key=secret)
    sessions: list[FileSession] = []
    for number, element in by_session(read_file(path, on_progress)):
        if number == len(sessions):
            sessions.append(FileSession(path, element.at, empty, empty.copy()))
        session = sessions[number]
        if element.kind is Kind.MEMBER:
            _add_member(session, element)
        elif element.kind is not Kind.BEGIN:
            if element.kind is Kind.EVENT and len(element.text) > limit:
                raise invalid_at(path, element.at, f"this rrweb event has {len(element.text)} bytes, more than {limit}")
            if element.kind is Kind.EVENT and not has_room(element.text):
                raise invalid_at(path, element.at, "this rrweb event is nested too deeply")
            time = read_time(path, element)
            session.oldest, session.newest = min(session.oldest, time), max(session.newest, time)
            session.elements += 1
            update_digest(session.hash, element)
    for session in sessions:
        if session.header is not None:
            _set_times(session, session.header)
    if all(session.is_empty for session in sessions):
        raise Invalid(f"{path} holds no rrweb events: give a list of them, or objects with a list of `events`.")
    return sessions


def update_digest(digest: Any, element: Element) -> None:
    """Add an element to a hash."""
    digest.update(element.kind.value.encode())
    digest.update(element.text)
    digest.update(b"\n")


def read_time(path: Path, element: Element) -> int:
    """Return the time of an element in microseconds. Raises Invalid, with the place, if it has none."""
    kinds = {Kind.EVENT: "rrweb event", Kind.TRACK_EVENT: "event of an export", Kind.SCREENSHOT: "screenshot"}
    sent = decode(path, element, _timed_event, kinds[element.kind]).timestamp
    time = parse_time(sent)
    if time is None:
        raise invalid_at(path, element.at, f"`timestamp` is {sent!r}: give epoch milliseconds")
    return time


def read_event(path: Path, element: Element) -> tuple[str, Event]:
    """Decode an event of an export; returns its source and the event. Odd values are kept in its data."""
    exported, odd = _decode_tolerantly(path, element, _exported_event, "event of an export")
    event = Event(*(getattr(exported, name) for name in Event.__struct_fields__))
    event.event_data = with_extra(event.event_data, odd)
    return exported.source, event


def read_screenshot(path: Path, element: Element) -> ExportedScreenshot:
    """Decode a screenshot of an export."""
    return decode(path, element, _screenshot, "screenshot")


def decode(path: Path, element: Element, decoder: msgspec.json.Decoder[T], kind: str) -> T:
    """Decode an element. Raises Invalid, with the place, if it is not valid; `kind` says in the error what it is."""
    try:
        return decoder.decode(element.text)
    except msgspec.MsgspecError as error:
        raise invalid_at(path, element.at, f"this is not a valid {kind}: {error}") from error
    except RecursionError as error:
        raise invalid_at(path, element.at, "this is nested too deeply") from error


def _decode_tolerantly(
    path: Path, element: Element, decoder: msgspec.json.Decoder[S], kind: str
) -> tuple[S, dict[str, Raw]]:
    try:
        return decode_tolerantly(decoder, element.text)
    except TrackerError as error:
        raise invalid_at(path, element.at, f"this is not a valid {kind}: {error.detail.rstrip('.')}") from error


def _text_of(path: Path, element: Element, kind: str) -> str:
    """A text, or a number as it is written."""
    text = element.text if element.text[:1] not in b"-0123456789" else b'"%b"' % element.text
    return decode(path, msgspec.structs.replace(element, text=text), _text, kind)


def _add_member(session: FileSession, element: Element) -> None:
    match element.name:
        case "session":
            session.header, _ = _decode_tolerantly(session.path, element, _header, "session of an export")
            members = decode(session.path, element, _members, "session of an export")
            metadata = members.pop("metadata", None)
            rest = Element(element.kind, element.at, msgspec.json.encode(members))
            session.fields, odd = _decode_tolerantly(session.path, rest, _fields, "session of an export")
            metadata = with_extra(metadata or Raw(), odd)
            session.fields.metadata = bytes(metadata) or None
            _drop_sizes_out_of_range(session.fields)
        case "sessionId" | "session_id":
            session.client_id = _text_of(session.path, element, "session id")
        case "userId" | "user_id" | "appId" | "app_id" if element.text[:1] in b'"-0123456789':
            name = "user_id" if element.name.startswith("user") else "app_id"
            setattr(session.fields, name, _text_of(session.path, element, "name")[:255])
        case _:
            decode(session.path, element, _any, "JSON value")
            session.other_members[element.name] = Raw(element.text)
            if sum(map(len, session.other_members.values())) > MAX_METADATA // 2:
                del session.other_members[element.name]
                session.left_out.append(element.name)


def _drop_sizes_out_of_range(fields: SessionFields) -> None:
    """Drops numbers that no route accepts either: their columns, or the end of the session's life, cannot hold them."""
    if fields.ttl_hours is not None and not 0 < fields.ttl_hours <= MOST_TTL:
        fields.ttl_hours = None
    for name in ("screen_width", "screen_height", "viewport_width", "viewport_height"):
        size: int | None = getattr(fields, name)
        if size is not None and not 0 <= size <= MOST_PIXELS:
            setattr(fields, name, None)


def _set_times(session: FileSession, header: ExportedSession) -> None:
    """Use the times of the exported rows: an event may contain a time that was replaced when it was stored."""
    if header.first_at is not None and header.last_at is not None:
        session.oldest, session.newest = FARTHEST, -FARTHEST
    for moment in (header.started_at, header.first_at, header.last_at, header.last_activity_at):
        if moment is not None:
            time = from_datetime(moment)
            session.oldest, session.newest = min(session.oldest, time), max(session.newest, time)
