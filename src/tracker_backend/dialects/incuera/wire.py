"""What `incuera` sends to `POST /api/ingest`. Its session start is `dialects/session_start.py`'s."""

import msgspec
from msgspec import Raw, Struct

from tracker_backend.dialects.session_start import SessionText
from tracker_backend.event import Time
from tracker_backend.ingest.wire import decode_tolerantly, json_object, unknown_fields


class BatchRequest(Struct, rename="camel"):
    """`POST /api/ingest`; `timestamp` is when it was sent."""

    session_id: SessionText
    events: list[Raw]
    timestamp: Time | None = None


_ingest = msgspec.json.Decoder(BatchRequest)


def decode_batch(body: bytes) -> tuple[BatchRequest, bytes | None]:
    """A batch of rrweb events, not yet looked at, and its unknown fields as JSON text; Malformed or Invalid."""
    request, odd = decode_tolerantly(_ingest, body)
    return request, json_object({**unknown_fields(BatchRequest, body), **odd}, "metadata")
