"""The routes to which trackers send: events, screenshots and rrweb events."""

from typing import Annotated

from litestar import post
from litestar.params import RawBody
from msgspec import Meta, Struct

from tracker_backend.errors import Invalid
from tracker_backend.http import examples
from tracker_backend.http.drop_reasons import response_message
from tracker_backend.http.ingest_request import client_clock, read_ingest_request, time_of
from tracker_backend.http.request import AnyRequest
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.wire import (
    RecordingRequest,
    ScreenshotRequest,
    TrackRequest,
    decode_recording,
    decode_screenshot,
    decode_track,
)
from tracker_backend.queries import sessions
from tracker_backend.threads import run_in_thread_if_large


class Tracked(Struct, frozen=True):
    """The events are stored, or `message` says why not."""

    message: str
    count: Annotated[int, Meta(description="Events of the batch")]


class ScreenshotStored(Struct, frozen=True):
    """The screenshot is stored, or `message` says why not."""

    message: str
    screenshot_id: Annotated[int, Meta(description="0 of one that is not stored")]


@post(
    "/track",
    scope="write",
    cors=True,
    operation_class=examples.operation(TrackRequest, examples.TRACK),
    summary="Store a batch of events",
    tags=["write"],
)
async def track(request: AnyRequest, body: RawBody) -> Tracked:
    """Store a batch of 1 to 100 events.

    Answered after the commit. A batch that is sent again is stored once: name it with `batch_id`, or leave that to a
    digest of its events.
    """
    received = await read_ingest_request(request, body)
    sent = await run_in_thread_if_large(len(received.text), decode_track, received.text)
    session = SessionFields()
    if not any(event.page_url for event in sent.events):
        project_id = received.caller.project_id
        session.page_url = await sessions.get_first_page(received.services.pool, project_id, sent.session_id)
    batch = received.batch(sent.session_id, session)
    batch.events = sent.events
    batch.name, batch.is_partial = sent.batch_id, sent.partial
    batch.sent_at = client_clock(sent.sent_at, "sent_at")
    outcome = await received.submit(batch)
    count = len(sent.events)
    return Tracked(response_message(outcome, _stored(count)), count)


@post(
    "/track/screenshot",
    scope="write",
    cors=True,
    operation_class=examples.operation(ScreenshotRequest, examples.SCREENSHOT),
    summary="Store a screenshot",
    tags=["write"],
)
async def track_screenshot(request: AnyRequest, body: RawBody) -> ScreenshotStored:
    """Store a screenshot: JPEG, PNG or WebP, at most 10 MiB decoded."""
    received = await read_ingest_request(request, body)
    sent = await run_in_thread_if_large(len(received.text), decode_screenshot, received.text)
    moment = time_of(sent.timestamp, "timestamp")
    image = await check_image(sent, received.services.settings)
    session = SessionFields(page_url=sent.page_url)
    batch = received.batch(sent.session_id, session, len(image.data) + len(image.thumbnail))
    batch.times = [moment]
    batch.image = image
    outcome = await received.submit(batch)
    if outcome.dropped is None and outcome.ref is None:
        raise Invalid("this screenshot was stored before, and its session was deleted meanwhile.")
    return ScreenshotStored(response_message(outcome, "screenshot stored"), outcome.ref or 0)


@post(
    "/track/recording",
    scope="write",
    cors=True,
    operation_class=examples.operation(RecordingRequest, examples.RECORDING),
    summary="Store a batch of rrweb events",
    tags=["write"],
)
async def track_recording(request: AnyRequest, body: RawBody) -> Tracked:
    """Store a batch of rrweb events, at most 10 MiB inflated, as they come.

    Clicks, page views, errors and rage clicks found in them become events of the session, unless its own events tell
    them already.
    """
    received = await read_ingest_request(request, body)
    sent = await run_in_thread_if_large(len(received.text), decode_recording, received.text)
    count = len(sent.events)
    batch = received.batch(sent.session_id)
    batch.rrweb = await received.recorded(sent.events, lambda text: decode_recording(text).events)
    batch.name, batch.is_partial = sent.batch_id, sent.partial
    batch.sent_at = client_clock(sent.sent_at, "sent_at")
    outcome = await received.submit(batch)
    return Tracked(response_message(outcome, _stored(count)), count)


def _stored(count: int) -> str:
    return f"{count} event{'s' if count > 1 else ''} stored"
