"""The elements of a file: rrweb events, bare or inside objects, and the events and screenshots of our own exports.

An object with a list of `events`, `track_events` or `screenshots` is a session. So is a line `{"session": …}` with the
lines after it (an export as NDJSON). All other elements are one session.
"""

from collections.abc import Iterator
from enum import Enum

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from tracker_backend.errors import TrackerError
from tracker_backend.json_scanner import Scanner
from tracker_backend.recordings.packed_events import Unpacker
from tracker_backend.text_cleaning import clean_json


class Kind(Enum):
    """The kind of an element. The values of lists are their names in exports."""

    BEGIN = "begin"
    """A session begins."""
    MEMBER = "member"
    """A member of the session's object."""
    END = "end"
    """The session ends: later elements belong to another one."""
    EVENT = "events"
    TRACK_EVENT = "track_events"
    SCREENSHOT = "screenshots"


class Element(Struct, frozen=True):
    """An element of a file."""

    kind: Kind
    at: int
    """The byte at which it begins."""
    text: bytes = b""
    name: str = ""
    """Name of a member."""


class _Special(Struct):
    """Members that an rrweb event does not have."""

    events: Raw | UnsetType = UNSET
    track_events: Raw | UnsetType = UNSET
    screenshots: Raw | UnsetType = UNSET
    session: Raw | UnsetType = UNSET
    track_event: Raw | UnsetType = UNSET
    screenshot: Raw | UnsetType = UNSET


_MOST_UNPACKED = 16 * 1024 * 1024  # bytes of an event, more than the server stores
_special = msgspec.json.Decoder(_Special)
_LISTS = {kind.value: kind for kind in (Kind.EVENT, Kind.TRACK_EVENT, Kind.SCREENSHOT)}
_LINES = {"track_event": Kind.TRACK_EVENT, "screenshot": Kind.SCREENSHOT}


def read_elements(scanner: Scanner) -> Iterator[Element]:
    """Yield all elements of a file in order. Their texts contain nothing that PostgreSQL cannot store."""
    for first in scanner.values():
        if first == b"[":
            for _ in scanner.elements():
                yield from _read_one(scanner)
        else:
            yield from _read_one(scanner)


def _read_one(scanner: Scanner) -> Iterator[Element]:
    """Read the object of a session, a line of an export, or a bare event."""
    if scanner.peek() != b"{":
        yield _packed_event(scanner)
        return
    start = scanner.at
    if (whole := scanner.whole()) is not None:
        if not _is_special(whole):
            yield Element(Kind.EVENT, start, _clean_event(whole))
            return
        scanner.back_to(start)
    scanner.keep()
    members: list[Element] = []
    is_session = False
    for name in scanner.members():
        first_byte = scanner.peek()
        if name in _LISTS and first_byte == b"[":
            if not is_session:
                is_session = True
                scanner.release()
                yield Element(Kind.BEGIN, start)
                yield from members
            for _ in scanner.elements():
                at, text = scanner.at, scanner.value()
                kind = _LISTS[name]
                yield Element(kind, at, _clean_event(text) if kind is Kind.EVENT else clean_json(text))
            continue
        member = Element(Kind.MEMBER, scanner.at, clean_json(scanner.value()), name)
        if is_session:
            yield member
        else:
            members.append(member)
    if is_session:
        yield Element(Kind.END, scanner.at)
    else:
        yield from _line(members, Element(Kind.EVENT, start, _clean_event(scanner.kept(start))))


def _packed_event(scanner: Scanner) -> Element:
    """Read an event that `@rrweb/packer` made a text."""
    if scanner.peek() != b'"':
        raise scanner.error("an rrweb event is missing: it is an object with `type`, `data` and `timestamp`")
    return Element(Kind.EVENT, scanner.at, _clean_event(scanner.value()))


def _line(members: list[Element], event: Element) -> Iterator[Element]:
    """Read an object without lists: a line of an export, recognized by its only member, or an event."""
    only = members[0] if len(members) == 1 else event
    if only.name == "session":
        yield Element(Kind.BEGIN, event.at)
        yield only
    elif only.name in _LINES:
        yield Element(_LINES[only.name], only.at, only.text)
    else:
        yield event


def _clean_event(text: bytes) -> bytes:
    """An rrweb event with its U+0000, unpacked: its time is read from now on. One that cannot be unpacked stays."""
    text = clean_json(text, keep_null=True)
    try:
        return Unpacker(_MOST_UNPACKED).unpack(text, "event") if text.startswith(b'"') else text
    except TrackerError:
        return text


def _is_special(text: bytes) -> bool:
    """Return whether an object is more than an rrweb event. Errors in it are reported when it is decoded."""
    try:
        return any(value is not UNSET for value in msgspec.structs.astuple(_special.decode(text)))
    except (msgspec.MsgspecError, RecursionError):
        return False
