"""Stored frames: a zstd frame of the comma-joined JSON texts of rrweb events. No other module knows this format."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from tracker_backend.masking.rrweb import hide_inputs
from tracker_backend.recordings.rrweb_events import decode_list
from tracker_backend.zstd import compress, decompress

LEVEL = 3
"""Of zstd, while the sender waits."""
PACKED_LEVEL = 9
"""Of zstd, when compaction packs a finished session. It makes a twelfth of the JSON of rrweb's sample (81 seconds);
batches of 5 s at level 3 are an eighth.
"""


def join_events(events: Iterable[bytes]) -> bytes:
    """The text that a frame compresses."""
    return b",".join(events)


def encode_frame(text: bytes, level: int = LEVEL) -> bytes:
    """The frame of joined events."""
    return compress(text, level)


def frame_text(frame: bytes) -> bytes:
    """The joined events of a frame."""
    return decompress(frame)


def decode_frame(frame: bytes) -> list[bytes]:
    """The JSON texts of a frame's events; Invalid or ZstdError for a broken frame."""
    return [bytes(event) for event in decode_list(b"[" + frame_text(frame) + b"]")]


def hide_in_frame(frame: bytes, inputs: AbstractSet[str]) -> tuple[bytes, int]:
    """A frame without the values of these inputs, and its size when inflated; the same frame if it has none.

    Inputs are named as `masking.rrweb` names them: `rrweb 17`.
    """
    events = decode_frame(frame)
    text = join_events(events)
    masked = join_events(hide_inputs(events, inputs))
    return (frame if masked == text else encode_frame(masked)), len(masked)
