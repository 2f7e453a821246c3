"""A batch of rrweb events as it is stored, and what was found in it."""

from msgspec import Struct
from msgspec.structs import replace

from tracker_backend.event import Event
from tracker_backend.recordings.frames import decode_frame, encode_frame, join_events
from tracker_backend.recordings.rrweb_events import shift_event


class Found(Struct, frozen=True):
    """A click, page view, error or rage click that was found among rrweb events."""

    time: int
    """Microseconds by the client's clock."""
    page_url: str | None
    """The page, if the batch names it."""
    event: Event


class Recording(Struct):
    """A batch of rrweb events, masked and packed; times are microseconds by the client's clock."""

    count: int
    inflated_size: int
    client_first: int
    client_last: int
    has_full_snapshot: bool
    digest: bytes
    """Of the masked events in the order in which they came."""
    data: bytes
    """The frame: see `recordings.frames`."""
    is_initial: bool | None
    """What the client said of the batch."""
    found: list[Found]
    """In order of time."""
    last_page: str | None
    secret_inputs: frozenset[str] = frozenset()
    """Inputs in it that look secret: `rrweb` and the node's id."""
    late_secret_inputs: frozenset[str] = frozenset()
    """Those of them that only a typed value revealed: earlier batches may hold its beginning."""
    open_inputs: frozenset[str] = frozenset()
    """Inputs of which it holds a typed value."""


def shift_recording(recording: Recording, microseconds: int) -> Recording:
    """The same with all times moved, also those inside of the frame."""
    text = join_events(shift_event(event, microseconds) for event in decode_frame(recording.data))
    return replace(
        recording,
        inflated_size=len(text),
        client_first=recording.client_first + microseconds,
        client_last=recording.client_last + microseconds,
        data=encode_frame(text),
        found=[replace(found, time=found.time + microseconds) for found in recording.found],
    )
