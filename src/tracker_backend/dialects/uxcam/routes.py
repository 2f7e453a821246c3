"""`uxcam`: LZ-String snapshots and events in, a session with its snapshots out."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Litestar, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from litestar.response import Stream
from msgspec import Raw, Struct

from tracker_backend.accounts import keys, projects
from tracker_backend.dialects.dialect import Dialect
from tracker_backend.dialects.error_shapes import success_and_error
from tracker_backend.dialects.uxcam import examples
from tracker_backend.dialects.uxcam.lz_decoder import LzDecoder
from tracker_backend.dialects.uxcam.text_member import read_text_member
from tracker_backend.dialects.uxcam.wire import (
    DEVICE_INFO,
    SOURCE,
    EventsRequest,
    SnapshotsRequest,
    decode_events,
    decode_snapshots,
    read_sdk_key,
    unpack_snapshots,
)
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.http.audit import note_replay
from tracker_backend.http.caller import Account, Caller
from tracker_backend.http.encoding import stream
from tracker_backend.http.examples import operation
from tracker_backend.http.ingest_request import IngestRequest, client_clock, read_ingest_request
from tracker_backend.http.projects import projects_of
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.ingest.batch import Batch, SessionFields
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.queries import sessions
from tracker_backend.recordings.source_batches import Snapshot, snapshots
from tracker_backend.threads import run_in_thread_if_large
from tracker_backend.times import to_datetime

_TAG = "uxcam"
_DECODER = "uxcam_decoder"
_DEVICE_COLUMNS = (
    *("user_agent", "device_type", "browser", "os", "language"),
    *("screen_width", "screen_height", "viewport_width", "viewport_height"),
)
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])


class SnapshotsStored(Struct, frozen=True):
    """The snapshots are stored."""

    success: bool
    snapshot_count: int
    session_id: UUID


class EventsStored(Struct, frozen=True):
    """The events are stored."""

    success: bool
    events_processed: int


class ProjectLine(Struct, frozen=True):
    """A project; `sdk_key` is its public write key."""

    id: str
    name: str
    sdk_key: str
    platform: str


class ProjectList(Struct, frozen=True):
    """The caller's projects."""

    projects: list[ProjectLine]


class _SessionHead(Struct):
    id: UUID
    session_id: str
    start_time: datetime
    device_info: Raw | dict[str, Any]


class _SnapshotHead(Struct):
    id: int
    created_at: datetime
    is_initial_snapshot: bool


@post(
    "/api/snapshots/ingest",
    scope="write",
    key_in_body=True,
    cors=True,
    error_shape=success_and_error,
    status_code=200,
    operation_class=operation(SnapshotsRequest, examples.SNAPSHOTS),
    summary="Store a batch of rrweb events (uxcam)",
    tags=[_TAG],
)
async def ingest_snapshots(request: AnyRequest, body: RawBody) -> SnapshotsStored:
    """Store a batch of rrweb events, at most 10 MiB decompressed, as LZ-String or as they are.

    `snapshot_count` of the answer is the number of events that were decoded.
    """
    received = await read_ingest_request(request, body, read_sdk_key)
    size = len(received.text)
    sent, fields = await run_in_thread_if_large(size, decode_snapshots, received.text)
    limit = received.services.settings.max_recording
    events = bytes(await received.recorded(sent.snapshots, lambda text: decode_snapshots(text)[0].snapshots))
    if events.startswith(b'"'):
        # compress() makes lone surrogates and U+0000, which only the body as it was sent still has.
        text = await run_in_thread_if_large(size, read_text_member, received.inflated, received.text, "snapshots")
        if text is None:
            raise Invalid("`$.snapshots` cannot be read as a text: send a JSON string.")
        events = await _decoder_of(request).decompress(text, limit)
    batch = _batch(received, sent, fields)
    batch.rrweb = await run_in_thread_if_large(len(events), unpack_snapshots, events)
    batch.rrweb_field = "snapshots"
    batch.is_initial = sent.is_initial_snapshot
    count = len(batch.rrweb)
    await received.submit(batch)
    return SnapshotsStored(True, count, batch.session_id)


@post(
    "/api/events/ingest",
    scope="write",
    key_in_body=True,
    cors=True,
    error_shape=success_and_error,
    status_code=200,
    operation_class=operation(EventsRequest, examples.EVENTS),
    summary="Store a batch of events (uxcam)",
    tags=[_TAG],
)
async def ingest_events(request: AnyRequest, body: RawBody) -> EventsStored:
    """Store a batch of 1 to 10,000 events: `type` becomes the event's type, `data` and other fields its data."""
    received = await read_ingest_request(request, body, read_sdk_key)
    sent, events, fields = await run_in_thread_if_large(len(received.text), decode_events, received.text)
    batch = _batch(received, sent, fields)
    batch.events = events
    batch.source = SOURCE
    if fields.page_url is None and not any(event.page_url for event in events):
        fields.page_url = await sessions.get_first_page(received.services.pool, batch.project_id, batch.session_id)
    await received.submit(batch)
    return EventsStored(True, len(events))


@get(
    "/api/projects",
    scope="account",
    error_shape=success_and_error,
    summary="List the caller's projects (uxcam)",
    tags=[_TAG],
)
async def list_projects(services: NamedDependency[Services], account: NamedDependency[Account]) -> ProjectList:
    """List the projects of the caller: a person's, or a key's own one."""
    found = await projects_of(services, account)
    public = await keys.public_keys(services.pool, [project.project_id for project in found])
    return ProjectList([ProjectLine(str(it.project_id), it.name, public[it.project_id], it.platform) for it in found])


@get(
    "/api/sessions/{project_id:str}/{session_id:str}",
    scope="read",
    error_shape=success_and_error,
    summary="Read a session with its snapshots (uxcam)",
    tags=[_TAG],
    media_type="application/json",
)
async def get_snapshots(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    project_id: FromPath[str],
    session_id: FromPath[str],
) -> Stream:
    """Read a session with its snapshots, each a batch as it came in, in order of time; streamed.

    The project is named by its id or its `sdk_key`, the session by the client's text or by the stored id.
    """
    if not await projects.identifies_project(services.pool, caller.project_id, project_id):
        raise NotFound(f"there is no project {project_id} for this caller.")
    key, _ = session_key(caller.project_id, session_id)
    session = await sessions.get_session(services.pool, caller.project_id, key)  # 404 before the answer begins
    await note_replay(services, caller, key, "uxcam snapshots")
    return stream(request, _texts(session, snapshots(services.pool, caller.project_id, key)))


@asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncGenerator[None]:
    app.state[_DECODER] = decoder = LzDecoder()
    try:
        yield
    finally:
        await decoder.close()


def _decoder_of(request: AnyRequest) -> LzDecoder:
    return request.app.state[_DECODER]


def _batch(received: IngestRequest, sent: SnapshotsRequest | EventsRequest, fields: SessionFields) -> Batch:
    """What both kinds of batches have in common."""
    key, fields.client_session_id = session_key(received.caller.project_id, sent.session_id)
    batch = received.batch(key, fields)
    batch.name = sent.batch_id
    batch.sent_at = client_clock(sent.sent_at, "sent_at")
    return batch


async def _texts(session: sessions.Session, found: AsyncIterator[Snapshot]) -> AsyncIterator[bytes]:
    head = _SessionHead(
        session.session_id,
        session.client_text,
        session.started_at,
        _device_info(session),
    )
    yield b'{"session":' + _encode(head) + b',"snapshots":['
    separator = b""
    async for snapshot in found:
        yield separator + _snapshot_text(snapshot)
        separator = b","
    yield b"]}"


def _device_info(session: sessions.Session) -> Raw | dict[str, Any]:
    """`device_info` as the client sent it; for a session of another dialect the columns of its device."""
    sent = _members.decode(session.metadata).get(DEVICE_INFO)
    return sent or {name: value for name in _DEVICE_COLUMNS if (value := getattr(session, name)) is not None}


def _snapshot_text(snapshot: Snapshot) -> bytes:
    member = snapshot.member
    head = _encode(_SnapshotHead(member.id, to_datetime(member.at * 1000), member.initial))
    return head[:-1] + b',"snapshot_data":[' + b",".join(snapshot.events) + b"]}"


DIALECT = Dialect(
    name=_TAG,
    summary="Dialect: snapshots packed by LZ-String, `sdk_key` in the body",
    routes=[ingest_snapshots, ingest_events, list_projects, get_snapshots],
    session_field="session_id",
    examples={"POST /api/snapshots/ingest": examples.SNAPSHOTS, "POST /api/events/ingest": examples.EVENTS},
    lifespan=_lifespan,
)
