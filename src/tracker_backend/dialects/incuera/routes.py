"""What `incuera` sends after its start, which is `dialects/sessions.py`'s."""

from typing import Annotated

from litestar import post
from litestar.params import RawBody
from msgspec import Meta, Struct

from tracker_backend.dialects.dialect import Dialect
from tracker_backend.dialects.error_shapes import success_and_error
from tracker_backend.dialects.incuera import examples
from tracker_backend.dialects.incuera.wire import BatchRequest, decode_batch
from tracker_backend.dialects.sessions import start_session
from tracker_backend.http.examples import operation
from tracker_backend.http.ingest_request import client_clock, read_ingest_request
from tracker_backend.http.request import AnyRequest
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.threads import run_in_thread_if_large


class Ingested(Struct, frozen=True):
    """The events are stored."""

    received: Annotated[int, Meta(description="rrweb events of the batch")]
    success: bool = True


@post(
    "/api/ingest",
    scope="write",
    cors=True,
    error_shape=success_and_error,
    operation_class=operation(BatchRequest, examples.INGEST),
    status_code=200,
    summary="incuera: store a batch of rrweb events",
    tags=["incuera"],
)
async def ingest(request: AnyRequest, body: RawBody) -> Ingested:
    """Store a batch of rrweb events, at most 10 MiB inflated. An empty one keeps the session active.

    A batch that is sent again is stored once.
    """
    received = await read_ingest_request(request, body)
    sent, rest = await run_in_thread_if_large(len(received.text), decode_batch, received.text)
    key, text = session_key(received.caller.project_id, sent.session_id)
    batch = received.batch(key, SessionFields(client_session_id=text, metadata=rest))
    batch.rrweb = await received.recorded(sent.events, lambda text: decode_batch(text)[0].events)
    batch.sent_at = client_clock(sent.timestamp, "sent_at")
    await received.submit(batch)
    return Ingested(len(sent.events))


DIALECT = Dialect(
    name="incuera",
    summary="Dialect: rrweb batches with an API key",
    routes=[start_session, ingest],
    examples={"POST /api/sessions/start": examples.START, "POST /api/ingest": examples.INGEST},
)
