"""A row of `tracker.recordings`: one stored frame with its bounds."""

from asyncpg.pgproto.pgproto import UUID
from msgspec import Struct


class RecordingRow(Struct, gc=False):
    """The row as it is written; the fields are the columns. Times are microseconds since 1970."""

    recording_id: int
    project_id: int
    session_id: UUID
    timestamp: int
    """When its first event happened, by the server's clock."""
    last_at: int
    arrival: int
    """Orders events of one time: those that arrived first come first."""
    event_count: int
    inflated_size: int
    has_full_snapshot: bool
    client_first: int
    client_last: int
    batches: bytes
    """JSON: the batches that its events came from."""
    data: bytes
    """The frame."""


RECORDING_COLUMNS = RecordingRow.__struct_fields__
