"""What `incuera` sends after its start, which is `dialects/sessions.py`'s."""

from typing import Annotated

from litestar import post
from litestar.params import RawBody
from msgspec import Meta, Struct

from tracker_backend.dialects.incuera import examples
from tracker_backend.dialects.incuera.wire import IngestRequest, decode_ingest
from tracker_backend.dialects.wire import refusal
from tracker_backend.http.body import off_loop
from tracker_backend.http.cors import HEADERS, OPTION
from tracker_backend.http.examples import operation
from tracker_backend.http.ingest_request import receive, session_key, time_of
from tracker_backend.http.problem import SHAPE
from tracker_backend.http.request import AnyRequest
from tracker_backend.ingest.batch import SessionFields


class Ingested(Struct, frozen=True):
    """The events are stored."""

    received: Annotated[int, Meta(description="rrweb events of the batch")]
    success: bool = True


@post(
    "/api/ingest",
    operation_class=operation(IngestRequest, examples.INGEST),
    opt={OPTION: True, SHAPE: refusal},
    response_headers=HEADERS,
    status_code=200,
    summary="incuera: store a batch of rrweb events",
    tags=["incuera"],
)
async def ingest(request: AnyRequest, body: RawBody) -> Ingested:
    """Store a batch of rrweb events, at most 10 MiB inflated. An empty one keeps the session active.

    A batch that is sent again is stored once.
    """
    received = await receive(request, body)
    sent, rest = await off_loop(len(received.text), decode_ingest, received.text)
    key, text = session_key(received.caller.project_id, sent.session_id)
    batch = received.batch(key, SessionFields(client_session_id=text, metadata=rest))
    batch.rrweb = sent.events
    batch.sent_at = None if sent.timestamp is None else time_of(sent.timestamp, "timestamp")
    await received.submit(batch)
    return Ingested(len(sent.events))
