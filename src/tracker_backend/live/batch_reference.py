"""References to committed batches: where the rows are, instead of the rows; and the messages that carry them."""

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from tracker_backend.ingest.batch import Placed

PAYLOAD_BYTES = 7900
"""PostgreSQL accepts less than 8,000 bytes in a NOTIFY."""

Key = tuple[int, UUID]
"""A session: project id and session id."""


class BatchReference(Struct, frozen=True, array_like=True):
    """Ids and times (µs since 1970) of the rows of a batch. Its ids are consecutive; 0 if it has no such rows."""

    project_id: int
    session_id: UUID
    first_id: int
    last_id: int
    first_at: int
    last_at: int
    recording_id: int
    recording_at: int

    @property
    def key(self) -> Key:
        """The session of the batch."""
        return self.project_id, self.session_id

    @property
    def lowest(self) -> int:
        """The lowest id of the batch."""
        return min(self.first_id or self.recording_id, self.recording_id or self.first_id)


class PeerMessage(Struct, array_like=True, omit_defaults=True):
    """A message between server processes, by kind.

    - `batches`: these batches were committed.
    - `hello`: the sender listens now, and asks which processes have subscribers.
    - `want`: the sender has subscribers; `rest`: it has none any more.
    - `welcome`: the process `to` gets the sender's batches from now on, and must check once for earlier ones.
    - `resync`: batches with ids above `since` could not be announced, so the receivers must check for them.
    """

    sender: str
    kind: Literal["batches", "hello", "want", "rest", "welcome", "resync"]
    to: str = ""
    since: int = 0
    references: list[BatchReference] = []


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(PeerMessage)


def reference_of(placed: Placed) -> BatchReference | None:
    """Return the reference of a committed batch; None without events and rrweb events (a session start, an image)."""
    rows, recording = placed.event_rows, placed.recording_row
    if not rows and recording is None:
        return None
    project_id, session_id = placed.key
    return BatchReference(
        project_id,
        UUID(bytes=session_id.bytes),
        rows[0][0] if rows else 0,
        rows[-1][0] if rows else 0,
        placed.first_at or 0,
        placed.last_at or 0,
        0 if recording is None else recording.recording_id,
        0 if recording is None else recording.timestamp,
    )


def encode(message: PeerMessage) -> str:
    """Return a message as JSON."""
    return _encode(message).decode()


def decode(text: str | bytes) -> PeerMessage:
    """Decode a message. Raises msgspec.MsgspecError for other text, which another version may send."""
    return _decoder.decode(text)


def pack(sender: str, references: Iterable[BatchReference]) -> list[tuple[str, int]]:
    """Return as few messages as possible for these references, each with the number of references in it."""
    packed: list[tuple[str, int]] = []
    part: list[BatchReference] = []
    room = PAYLOAD_BYTES - len(encode(PeerMessage(sender, "batches"))) - 16
    size = 0
    for reference in references:
        length = len(_encode(reference)) + 1
        if part and size + length > room:
            packed.append((encode(PeerMessage(sender, "batches", references=part)), len(part)))
            part, size = [], 0
        part.append(reference)
        size += length
    if part:
        packed.append((encode(PeerMessage(sender, "batches", references=part)), len(part)))
    return packed
