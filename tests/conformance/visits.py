"""What visitors of a test do: events as a browser sends them, received at a moment of the test's choice.

`received_at` moves data through time: the late window, thus where an event is stored, counts from it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from tracker_backend.accounts.project_settings import Masking, ProjectSettings
from tracker_backend.event import Event
from tracker_backend.ingest.batch import Batch, Image, Outcome, Placed, SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.recordings.reading import read_recording
from tracker_backend.settings import Settings
from tracker_backend.times import EPOCH

CART = "https://shop.example/cart?step=1#top"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONG_AGO = Settings(late_days=40, compress_after_days=40, retention_days=60, batch_days=50)
"""A server whose late window reaches 40 days back: it makes the days on which a test's past happens."""

_events = msgspec.json.Decoder(list[Event])


def now() -> datetime:
    return datetime.now(UTC)


def days_ago(days: float) -> datetime:
    """Noon of a past day, or half of the day later: far from midnight in any hour a test runs."""
    return now().replace(hour=12, minute=0, second=0, microsecond=0) - days * DAY


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def event(moment: datetime, kind: str = "click", url: str = CART, **fields: Any) -> dict[str, Any]:
    """An event on the wire."""
    return {"timestamp": moment.isoformat(), "event_type": kind, "page_url": url, **fields}


def clicks(start: datetime, count: int, url: str = CART) -> list[dict[str, Any]]:
    """One click every 10 ms."""
    return [event(start + number * timedelta(milliseconds=10), url=url) for number in range(count)]


def batch(
    events: Sequence[dict[str, Any]] = (),
    *,
    session: UUID | None = None,
    received: datetime | None = None,
    project: int = 1,
    source: str = "native",
    name: str | None = None,
    sent: datetime | None = None,
    image: Image | None = None,
    recording: Sequence[dict[str, Any]] = (),
    fields: SessionFields | None = None,
) -> Batch:
    """A batch as `http/track` makes it; received right after its last event unless told."""
    text = msgspec.json.encode(events)
    if received is None:
        received = max((datetime.fromisoformat(each["timestamp"]) for each in events), default=now())
    return Batch(
        project_id=project,
        session_id=session or uuid4(),
        received_at=microseconds(received),
        size=len(text),
        session=fields or SessionFields(),
        project=ProjectSettings(),
        events=_events.decode(text),
        source=source,
        name=name,
        sent_at=None if sent is None else microseconds(sent),
        image=image,
        recording=read_recording(msgspec.json.encode(recording), 10_000_000, Masking()) if recording else None,
        times=[] if image is None else [microseconds(received)],
    )


def placed(pipeline: Pipeline, made: Batch) -> Placed:
    """A batch with its rows, as the writer takes it."""
    prepared = pipeline.run_steps(made)
    assert isinstance(prepared, Batch)
    return pipeline.place(prepared)


async def visit(pipeline: Pipeline, events: Sequence[dict[str, Any]] = (), **about: Any) -> UUID:
    """Stores one batch of a session and returns the session's id."""
    made = batch(events, **about)
    await pipeline.submit(made)
    return made.session_id


async def submit(pipeline: Pipeline, *batches: Batch) -> list[Outcome]:
    """Stores batches one after another, each in its own transaction."""
    return [await pipeline.submit(each) for each in batches]
