"""The value that flows through ingest: one batch of a session, from the decoded request to rows."""

from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from msgspec import Raw, Struct

from tracker_backend.accounts.project_settings import Masking
from tracker_backend.ingest.wire import Event, Time


class Lane(Enum):
    """Which of the writer's queues a batch waits in: the one never waits for the other."""

    CURRENT = "current"
    """Events of today and yesterday."""
    BULK = "bulk"
    """Images, recordings, and events of older chunks."""


class Drop(Enum):
    """Why a batch is not stored. Each is counted, and told to the sender as `X-Tracker-Dropped`."""

    GPC = "gpc"
    """The browser sends `Sec-GPC: 1`, and TRACKER_HONOUR_GPC says to heed it."""
    DNT = "dnt"
    """The browser sends `DNT: 1`, and TRACKER_HONOUR_DNT says to heed it."""
    SAMPLED = "sampled"
    """The project records a share of its sessions, and this is not one of them."""
    ERASED = "erased"
    """Its session or user was erased."""


class Counts(Struct, frozen=True):
    """How many of a batch's events are what."""

    events: int = 0
    clicks: int = 0
    errors: int = 0
    pages: int = 0
    rage_clicks: int = 0


class SessionFields(Struct):
    """What a batch can say about its session; None is unknown. The names are columns of `tracker.sessions`.

    The first to say something wins: a late explicit start fills in what is missing.
    """

    client_session_id: str | None = None
    user_id: str | None = None
    user_email: str | None = None
    fingerprint: str | None = None
    page_url: str | None = None
    referrer: str | None = None
    user_agent: str | None = None
    screen_width: int | None = None
    screen_height: int | None = None
    viewport_width: int | None = None
    viewport_height: int | None = None
    device_type: str | None = None
    browser: str | None = None
    os: str | None = None
    language: str | None = None
    app_id: str | None = None
    ticket_id: str | None = None
    ttl_hours: int | None = None
    """Only for a session that begins with this batch."""
    metadata: bytes | None = None
    """A JSON object's text."""
    bot_reason: str | None = None
    client_address: str | None = None
    """Truncated; only where TRACKER_STORE_ADDRESS says so."""


class Image(Struct):
    """A screenshot, decoded and checked."""

    page_url: str
    format: str
    width: int
    height: int
    sha256: bytes
    data: bytes
    thumbnail: bytes


class Recording(Struct):
    """A batch of rrweb events as it is stored; times are microseconds by the client's clock."""

    count: int
    inflated_size: int
    client_first: int
    client_last: int
    has_full_snapshot: bool
    digest: bytes
    data: bytes
    """A zstd frame of the events, sorted by time and joined by commas."""
    initial: bool | None
    found: list[Event]
    """Clicks, page views, errors and rage clicks among them, with their times and, as far as the batch tells, pages."""
    found_times: list[int]
    found_pages: list[str | None]
    last_page: str | None
    masked: frozenset[str] = frozenset()
    """Inputs in it that look secret: `rrweb` and the node's id."""
    late: frozenset[str] = frozenset()
    """Those of them that only a typed value told: earlier batches may hold its beginning."""
    open: frozenset[str] = frozenset()
    """Inputs of which it holds a typed value."""

    # What the steps find out.
    sent: list[tuple[Time, Raw]] = []
    counts: Counts = Counts()
    written: frozenset[str] = frozenset()
    """The types of found events that became rows."""
    row: tuple[Any, ...] = ()


EVERY_FIELD = "*"
"""Among a session's secret fields: it had too many of them, all are secret."""
MOST_FIELDS = 500

KINDS = ("click", "error", "pageview", "rage_click")
"""Types of events that are both sent and found in recordings; a session shows each from one source."""


class Known(Struct, frozen=True):
    """What is stored of a session that its next batch depends on."""

    offset: int = 0
    """What to add to the client's times."""
    page: str | None = None
    """The last page of its recording."""
    told: frozenset[str] = frozenset()
    """Types of `KINDS` that its own events tell, so that those found in a recording are not."""
    masked: frozenset[str] = frozenset()
    """Fields of it that once looked secret."""


class Batch(Struct):
    """Times are microseconds since 1970."""

    project_id: int
    session_id: UUID
    received_at: int
    size: int
    """Bytes it holds while it waits."""
    session: SessionFields
    masking: Masking = Masking()
    """The project's rules."""
    events: list[Event] = []
    source: str = "native"
    name: str | None = None
    """The client's own name for the batch."""
    sent_at: int | None = None
    image: Image | None = None
    recording: Recording | None = None
    times: list[int] = []
    """When its events happened by the client's clock; an image has one, and so may a start."""
    ended_at: int | None = None
    """The session ended, by the client's clock."""
    client_stats: bytes | None = None
    """What the client counted itself: a JSON object's text."""

    # What the steps find out.
    sent: list[tuple[Time, Raw]] = []
    """Each event's time and data as they came: `place` puts those of the row into the event, and may do so again."""
    identity: UUID | None = None
    """Against repeats; None for a session start, which repeats itself harmlessly."""
    offset: int | None = None
    """What to add to the client's times, if this batch can tell."""
    lane: Lane = Lane.CURRENT
    counts: Counts = Counts()
    masked: frozenset[str] = frozenset()
    """Fields in it that look secret: they are masked from now on."""
    open: dict[int, frozenset[str]] = {}
    """Events that tell a typed value, by their index: the names of its field."""
    rows: list[tuple[Any, ...]] = []
    placed_with: Known | None = None
    """What the rows were made with."""
    first_at: int | None = None
    last_at: int | None = None
    end: int | None = None
    """When the session ended, by our clock."""
    hours: set[int] = set()

    @property
    def tells_typed(self) -> bool:
        """Something in it was typed, and is not masked."""
        return bool(self.open) or (self.recording is not None and bool(self.recording.open))

    def concerned(self, masked: frozenset[str]) -> frozenset[str]:
        """Which of a session's secret fields this batch tells values of."""
        names = frozenset[str]().union(*self.open.values()) if self.open else frozenset[str]()
        if self.recording is not None:
            names |= self.recording.open
        return names and masked & (names | {EVERY_FIELD})


class Outcome(Struct, frozen=True):
    """What became of a batch, once it is committed."""

    repeated: bool
    """It had been stored before, so nothing was written."""
    ref: int | None
    """The id of the screenshot, also of the first one when this was a repeat."""
    created: bool
    """The session was new."""
    started_at: datetime | None
    """When the session began; None for a repeat."""
    dropped: Drop | None = None
    """Nothing was stored, for this reason."""

    @property
    def is_new(self) -> bool:
        """It was stored now."""
        return not self.repeated and self.dropped is None
