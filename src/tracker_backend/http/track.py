"""What trackers send: batches of events, and screenshots."""

import time
from typing import Annotated

from litestar import post
from litestar.params import RawBody
from msgspec import Meta, Struct

from tracker_backend.errors import Invalid
from tracker_backend.http import examples
from tracker_backend.http.body import off_loop, read_json
from tracker_backend.http.cors import HEADERS, OPTION
from tracker_backend.http.request import AnyRequest
from tracker_backend.ingest.agent import AGENT_LENGTH
from tracker_backend.ingest.batch import Batch, SessionFields
from tracker_backend.ingest.clean import clean_text
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.times import parse_time
from tracker_backend.ingest.wire import ScreenshotRequest, Time, TrackRequest, decode_screenshot, decode_track
from tracker_backend.queries import sessions
from tracker_backend.services import services_of


class Tracked(Struct, frozen=True):
    """The events are stored."""

    message: str
    count: Annotated[int, Meta(description="Events of the batch")]


class ScreenshotStored(Struct, frozen=True):
    """The screenshot is stored."""

    message: str
    screenshot_id: int


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def time_of(value: Time, field: str) -> int:
    """A client's time in microseconds; Invalid names the field."""
    parsed = parse_time(value)
    if parsed is None:
        raise Invalid(f"`{field}` is {value!r}: send an ISO 8601 text, epoch milliseconds or epoch seconds.")
    return parsed


def agent_of(request: AnyRequest) -> str:
    """The `User-Agent` header, as it can be stored."""
    return clean_text(request.headers.get("user-agent", "")[:AGENT_LENGTH])


@post(
    "/track",
    operation_class=examples.operation(TrackRequest, examples.TRACK),
    opt={OPTION: True},
    response_headers=HEADERS,
    summary="Store a batch of events",
    tags=["write"],
)
async def track(request: AnyRequest, body: RawBody) -> Tracked:
    """Store a batch of 1 to 100 events.

    Answered after the commit. A batch that is sent again is stored once: name it with `batch_id`, or leave that to a
    digest of its events.
    """
    received_at = now()
    services = services_of(request)
    caller = await services.access.check(request, "write")
    text = await read_json(request, body, services.settings.max_body)
    sent = await off_loop(len(text), decode_track, text)
    session = SessionFields(user_agent=agent_of(request))
    if not any(event.page_url for event in sent.events):
        session.page_url = await sessions.page_of(services.pool, caller.project_id, sent.session_id)
    batch = Batch(
        project_id=caller.project_id,
        session_id=sent.session_id,
        received_at=received_at,
        size=len(text),
        session=session,
        events=sent.events,
        name=sent.batch_id,
        sent_at=None if sent.sent_at is None else time_of(sent.sent_at, "sent_at"),
    )
    await services.pipeline.submit(batch)
    count = len(sent.events)
    return Tracked(f"{count} event{'s' if count > 1 else ''} stored", count)


@post(
    "/track/screenshot",
    operation_class=examples.operation(ScreenshotRequest, examples.SCREENSHOT),
    opt={OPTION: True},
    response_headers=HEADERS,
    summary="Store a screenshot",
    tags=["write"],
)
async def track_screenshot(request: AnyRequest, body: RawBody) -> ScreenshotStored:
    """Store a screenshot: JPEG, PNG or WebP, at most 10 MB decoded."""
    received_at = now()
    services = services_of(request)
    caller = await services.access.check(request, "write")
    text = await read_json(request, body, services.settings.max_body)
    sent = await off_loop(len(text), decode_screenshot, text)
    moment = time_of(sent.timestamp, "timestamp")
    image = await check_image(sent, services.settings)
    batch = Batch(
        project_id=caller.project_id,
        session_id=sent.session_id,
        received_at=received_at,
        size=len(image.data) + len(image.thumbnail),
        session=SessionFields(user_agent=agent_of(request), page_url=sent.page_url),
        times=[moment],
        image=image,
    )
    outcome = await services.pipeline.submit(batch)
    if outcome.ref is None:
        raise Invalid("this screenshot was stored before, and its session was deleted meanwhile.")
    return ScreenshotStored("screenshot stored", outcome.ref)
