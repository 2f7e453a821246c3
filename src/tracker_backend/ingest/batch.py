"""The two values of ingest: a `Batch` is what a client sent of one session, a `Placed` is the same with its rows."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from msgspec import Raw, Struct

from tracker_backend.accounts.project_settings import ProjectSettings
from tracker_backend.event import Event
from tracker_backend.masking import secret_fields
from tracker_backend.recordings.recording import Recording
from tracker_backend.recordings.row import RecordingRow


class Lane(Enum):
    """Which of the writer's queues a batch waits in. One lane never waits for the other."""

    CURRENT = "current"
    """Events of today and yesterday."""
    BULK = "bulk"
    """Images, recordings, and events of older chunks."""


class Drop(Enum):
    """Why a batch is not stored. Each reason is counted, and sent to the client as `X-Tracker-Dropped`."""

    GPC = "gpc"
    """The browser sends `Sec-GPC: 1`, and TRACKER_HONOUR_GPC is on."""
    DNT = "dnt"
    """The browser sends `DNT: 1`, and TRACKER_HONOUR_DNT is on."""
    SAMPLED = "sampled"
    """The project records a share of its sessions, and this is not one of them."""
    ERASED = "erased"
    """Its session or user was erased."""


class Counts(Struct, frozen=True):
    """Numbers of events, by kind."""

    events: int = 0
    clicks: int = 0
    errors: int = 0
    pages: int = 0
    rage_clicks: int = 0

    def by_kind(self) -> tuple[int, int, int, int]:
        """The counts of `KINDS`, in their order."""
        return self.clicks, self.errors, self.pages, self.rage_clicks


KINDS = ("click", "error", "pageview", "rage_click")
"""Types of events that are both sent and found in recordings; a session shows each kind from one source."""


def counted_kinds(counts: Sequence[int]) -> frozenset[str]:
    """Which of `KINDS` have a count above 0; `counts` are in their order."""
    return frozenset(kind for kind, count in zip(KINDS, counts, strict=True) if count > 0)


class SessionFields(Struct):
    """What a batch says of its session; None is unknown. The names are columns of `tracker.sessions`.

    The first batch to name a value wins: a late explicit start fills in what is missing.
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
    """The text of a JSON object."""
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


class Batch(Struct):
    """What a client sent of one session. The steps of the pipeline change it. Times are microseconds since 1970."""

    project_id: int
    session_id: UUID
    received_at: int
    size: int
    """Bytes that it holds in memory."""
    session: SessionFields
    project: ProjectSettings
    """Decides about sampling and masking."""
    privacy_signal: Drop | None = None
    """The visitor's browser asks not to be recorded, and the server honours that."""
    events: list[Event] = []
    source: str = "native"
    name: str | None = None
    """The client's own name for the batch."""
    name_is_digest: bool = False
    """The name is a digest of the content, so that no other content can have it: an import's."""
    is_partial: bool = False
    """It is the beginning of a batch that may be stored whole under its name."""
    sent_at: int | None = None
    image: Image | None = None
    rrweb: list[Raw] = []
    """rrweb events as they were sent; `pack_recording` makes `recording` of them."""
    rrweb_field: str = "events"
    """Where they stand in the request, for error messages."""
    is_initial: bool | None = None
    """What a client said of its rrweb events."""
    times: list[int] = []
    """When its events happened by the client's clock; an image has one time, and so may a session start."""
    ended_at: int | None = None
    """When the session ended by the client's clock."""
    client_stats: bytes | None = None
    """What the client counted itself: the text of a JSON object."""

    # What the steps find out.
    recording: Recording | None = None
    identity: UUID | None = None
    """Recognizes repeats; None for a session start, which may be repeated."""
    former_identity: UUID | None = None
    """Under which earlier versions stored it."""
    digest: bytes | None = None
    """Of its content, where the identity is a name: see `batch_identity`."""
    offset: int | None = None
    """What to add to the client's times, if this batch can estimate it."""
    counts: Counts = Counts()
    secret_fields: frozenset[str] = frozenset()
    """Fields in it that look secret: they are masked from now on."""
    is_unsearched: bool = False
    """A part was masked unsearched, because masking had spent its budget."""
    open_fields: dict[int, frozenset[str]] = {}
    """Events that hold a typed value, by their index: the names of its field."""

    @property
    def has_open_values(self) -> bool:
        """Whether it holds a typed value that is not masked."""
        return bool(self.open_fields) or (self.recording is not None and bool(self.recording.open_inputs))

    def open_among(self, secret: frozenset[str]) -> frozenset[str]:
        """Those of a session's secret fields of which this batch holds values."""
        names = frozenset[str]().union(*self.open_fields.values()) if self.open_fields else frozenset[str]()
        if self.recording is not None:
            names |= self.recording.open_inputs
        return names and secret & (names | {secret_fields.EVERY_FIELD})


class KnownSession(Struct, frozen=True):
    """What is stored of a session that the rows of its next batch depend on."""

    clock_offset: int = 0
    """Microseconds to add to the client's times."""
    page: str | None = None
    """The last page of its recording."""
    native_kinds: frozenset[str] = frozenset()
    """Types of `KINDS` that its own events count, so that those found in a recording are not stored."""
    secret_fields: frozenset[str] = frozenset()
    """Fields of it that once looked secret, as far as the batch holds values of them."""
    is_bot: bool = False
    """Its label, which its events get too."""


class Placed(Struct, frozen=True):
    """The rows of a batch, built for what is known of its session. Times are microseconds since 1970 by our clock."""

    batch: Batch
    known: KnownSession
    lane: Lane
    event_rows: list[tuple[Any, ...]] = []
    """In the order of `ingest.rows.EVENT_COLUMNS`."""
    recording_row: RecordingRow | None = None
    found_counts: Counts = Counts()
    """Of what was found in the recording."""
    found_kinds: frozenset[str] = frozenset()
    """Types of found events that became rows."""
    first_at: int | None = None
    last_at: int | None = None
    ended_at: int | None = None
    hours: frozenset[int] = frozenset()
    """The hours of its rows."""

    @property
    def has_typed(self) -> bool:
        """Whether its events hold a typed value that is not masked."""
        secret = self.known.secret_fields
        return any(not secret_fields.overlaps(names, secret) for names in self.batch.open_fields.values())

    def open_among(self, secret: frozenset[str]) -> frozenset[str]:
        """Those of a session's secret fields of which its rows hold values."""
        hidden, recording = self.known.secret_fields, self.batch.recording
        names = frozenset[str]()
        for of_event in self.batch.open_fields.values():
            if not secret_fields.overlaps(of_event, hidden):
                names |= of_event
        if recording is not None:
            names |= recording.open_inputs - secret_fields.among(recording.open_inputs, hidden)
        return names and secret & (names | {secret_fields.EVERY_FIELD})

    @property
    def key(self) -> tuple[int, UUID]:
        """Project and session."""
        return self.batch.project_id, self.batch.session_id


class Outcome(Struct, frozen=True):
    """What became of a batch, once it is committed or dropped."""

    repeated: bool
    """It was stored before, so nothing was written."""
    ref: int | None
    """The id of the screenshot, also of the first one when this was a repeat."""
    created: bool
    """The session was new."""
    started_at: datetime | None
    """When the session began; None for a repeat."""
    dropped: Drop | None = None
    """Nothing was stored, for this reason."""
    conflicts: bool = False
    """A batch with other content is stored under its name, so nothing was written."""

    @property
    def is_new(self) -> bool:
        """It was stored now."""
        return not self.repeated and self.dropped is None
