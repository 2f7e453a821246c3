"""What stands in a file: rrweb events, alone or inside objects, and what our own export holds beside them.

An object with a list of `events` (or of `track_events` or `screenshots`) is a session of its own; so is a line
`{"session": …}` with what follows it, the export as NDJSON. All else is one session.
"""

from collections.abc import Iterator
from enum import Enum

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from tracker_backend.json_scanner import Scanner
from tracker_backend.text_cleaning import clean_json


class Kind(Enum):
    """What an item is; the values are names in exports."""

    BEGIN = "begin"
    """A session begins."""
    MEMBER = "member"
    """A member of the session's object."""
    END = "end"
    """The session ends: what follows is not its own."""
    EVENT = "events"
    TRACK_EVENT = "track_events"
    SCREENSHOT = "screenshots"


class Item(Struct, frozen=True):
    """A piece of a file."""

    kind: Kind
    at: int
    """The byte where it begins."""
    text: bytes = b""
    name: str = ""
    """Of a member."""


class _Special(Struct):
    """Names that an rrweb event does not have."""

    events: Raw | UnsetType = UNSET
    track_events: Raw | UnsetType = UNSET
    screenshots: Raw | UnsetType = UNSET
    session: Raw | UnsetType = UNSET
    track_event: Raw | UnsetType = UNSET
    screenshot: Raw | UnsetType = UNSET


_special = msgspec.json.Decoder(_Special)
_LISTS = {kind.value: kind for kind in (Kind.EVENT, Kind.TRACK_EVENT, Kind.SCREENSHOT)}
_LINES = {"track_event": Kind.TRACK_EVENT, "screenshot": Kind.SCREENSHOT}


def read_items(scanner: Scanner) -> Iterator[Item]:
    """All items of a file in their order, their texts such as PostgreSQL can hold."""
    for first in scanner.values():
        if first == b"[":
            for _ in scanner.elements():
                yield from _read_one(scanner)
        else:
            yield from _read_one(scanner)


def _read_one(scanner: Scanner) -> Iterator[Item]:
    """A session's object, a line of an export, or a bare event."""

    if scanner.peek() != b"{":
        raise scanner.error("an rrweb event is missing: it is an object with `type`, `data` and `timestamp`")
    mark = scanner.at
    if (whole := scanner.whole()) is not None:
        if not _is_special(whole):
            yield Item(Kind.EVENT, mark, clean_json(whole))
            return
        scanner.back_to(mark)
    scanner.keep()
    members: list[Item] = []
    is_session = False
    for name in scanner.members():
        first_byte = scanner.peek()
        if name in _LISTS and first_byte == b"[":
            if not is_session:
                is_session = True
                scanner.release()
                yield Item(Kind.BEGIN, mark)
                yield from members
            for _ in scanner.elements():
                yield Item(_LISTS[name], scanner.at, clean_json(scanner.value()))
            continue
        member = Item(Kind.MEMBER, scanner.at, clean_json(scanner.value()), name)
        if is_session:
            yield member
        else:
            members.append(member)
    if is_session:
        yield Item(Kind.END, scanner.at)
    else:
        yield from _line(members, Item(Kind.EVENT, mark, clean_json(scanner.kept(mark))))


def _line(members: list[Item], event: Item) -> Iterator[Item]:
    """What an object without lists is: a line of an export, told by its only member, or an event."""
    only = members[0] if len(members) == 1 else event
    if only.name == "session":
        yield Item(Kind.BEGIN, event.at)
        yield only
    elif only.name in _LINES:
        yield Item(_LINES[only.name], only.at, only.text)
    else:
        yield event


def _is_special(text: bytes) -> bool:
    """Whether an object is more than an rrweb event; whoever decodes it tells what is wrong in it."""
    try:
        return any(value is not UNSET for value in msgspec.structs.astuple(_special.decode(text)))
    except (msgspec.MsgspecError, RecursionError):
        return False
