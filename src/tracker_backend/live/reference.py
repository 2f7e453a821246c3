"""A committed batch by reference: where its rows are found, instead of what they hold."""

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from tracker_backend.ingest.batch import Placed

PAYLOAD_BYTES = 7900
"""PostgreSQL takes less than 8,000 in a NOTIFY."""

Key = tuple[int, UUID]
"""A session: its project and its id."""


class Reference(Struct, frozen=True, array_like=True):
    """Ids and times (µs since 1970) of a batch's rows. Its ids were given in one go; 0 where it has no such rows."""

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
        """The session that the batch belongs to."""
        return self.project_id, self.session_id

    @property
    def lowest(self) -> int:
        """The lowest of its ids."""
        return min(self.first_id or self.recording_id, self.recording_id or self.first_id)


class Message(Struct, array_like=True, omit_defaults=True):
    """What processes tell each other.

    `batches` were committed. `hello`: a process hears from now on and asks who wants batches; `want`: the sender has
    subscribers; `rest`: it has none left; `welcome` tells `to` that from now on it is told of the sender's batches, so
    that it looks once for those before; `resync`: some since an id could not be told.
    """

    sender: str
    kind: Literal["batches", "hello", "want", "rest", "welcome", "resync"]
    to: str = ""
    since: int = 0
    references: list[Reference] = []


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Message)


def reference_to(placed: Placed) -> Reference | None:
    """Where the rows of a committed batch are; None if it has no such rows (a session's start, an image)."""
    rows, recording = placed.event_rows, placed.recording_row
    if not rows and recording is None:
        return None
    project_id, session_id = placed.key
    return Reference(
        project_id,
        UUID(bytes=session_id.bytes),
        rows[0][0] if rows else 0,
        rows[-1][0] if rows else 0,
        placed.first_at or 0,
        placed.last_at or 0,
        0 if recording is None else recording.recording_id,
        0 if recording is None else recording.timestamp,
    )


def encode(message: Message) -> str:
    """A message as it travels."""
    return _encode(message).decode()


def decode(text: str | bytes) -> Message:
    """The message of a text; msgspec.MsgspecError for what another version may send."""
    return _decoder.decode(text)


def pack(sender: str, references: Iterable[Reference]) -> list[tuple[str, int]]:
    """As few messages as hold these references, each with how many it holds."""
    packed: list[tuple[str, int]] = []
    part: list[Reference] = []
    room = PAYLOAD_BYTES - len(encode(Message(sender, "batches"))) - 16
    size = 0
    for reference in references:
        length = len(_encode(reference)) + 1
        if part and size + length > room:
            packed.append((encode(Message(sender, "batches", references=part)), len(part)))
            part, size = [], 0
        part.append(reference)
        size += length
    if part:
        packed.append((encode(Message(sender, "batches", references=part)), len(part)))
    return packed
