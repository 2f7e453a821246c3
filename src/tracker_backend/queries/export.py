"""Exports sessions with all their rows in a format that `tracker-backend import` reads.

The text is streamed: memory holds one batch of the recording, one page of events, or one image.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import msgspec
from asyncpg import Record

from tracker_backend.errors import NotFound
from tracker_backend.queries import screenshots, sessions
from tracker_backend.queries.events import Event
from tracker_backend.recordings import replay
from tracker_backend.recordings.rrweb_events import decode_list
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.session_bounds import get_bounds
from tracker_backend.storage.sql import columns_of, load

Format = Literal["json", "ndjson"]
_PAGE = 100  # of events, each of which may hold 64 KB and more
_SESSIONS = 500
_BEGIN = datetime(1, 1, 1, tzinfo=UTC)
_sql = load(__file__, "export", event=columns_of(Event))
_encode = msgspec.json.Encoder().encode


async def export_session(pool: Pool, project_id: int, session: sessions.Session, form: Format) -> AsyncIterator[bytes]:
    """A session with its recording, events and screenshots.

    As `json` an object `{"session", "events", "track_events", "screenshots"}`. As `ndjson` a line each: first
    `{"session": …}`, then rrweb events as they were recorded, `{"track_event": …}` and `{"screenshot": …}`.
    """
    key = (pool, project_id, session.session_id)
    if form == "json":
        yield b'{"session":' + _encode(session) + b',"events":'
        async for text in replay.json_text(replay.replay(*key)):
            yield text
        yield b',"track_events":['
        async for text in _joined(_track_events(*key)):
            yield text
        yield b'],"screenshots":['
        async for text in _joined(_screenshots(*key)):
            yield text
        yield b"]}\n"
        return
    yield b'{"session":' + _encode(session) + b"}\n"
    async for part in replay.replay(*key):
        yield await asyncio.to_thread(_lines, part)
    async for text in _track_events(*key):
        yield b'{"track_event":' + text + b"}\n"
    async for text in _screenshots(*key):
        yield b'{"screenshot":' + text + b"}\n"


async def export_project(
    pool: Pool, project_id: int, time_from: datetime | None = None, time_to: datetime | None = None
) -> AsyncIterator[bytes]:
    """All sessions of a project that began in this time, as NDJSON, oldest first."""

    def page_after(started_at: datetime, session_id: UUID) -> Awaitable[list[Record]]:
        return pool.fetch(_sql.sessions, project_id, started_at, session_id, time_from, time_to, _SESSIONS)

    async for text in export_sessions(pool, project_id, page_after):
        yield text


async def export_sessions(
    pool: Pool, project_id: int, page_after: Callable[[datetime, UUID], Awaitable[list[Record]]]
) -> AsyncIterator[bytes]:
    """Sessions as NDJSON, of pages of rows (start, session id), each after the last row of the one before."""
    position = (_BEGIN, UUID(int=0))
    while rows := await page_after(*position):
        for started_at, session_id in rows:
            position = (started_at, session_id)
            try:
                session = await sessions.get_session(pool, project_id, session_id)
                async for text in export_session(pool, project_id, session, "ndjson"):
                    yield text
            except NotFound:
                continue  # deleted meanwhile


def _lines(part: replay.Part) -> bytes:
    """One event a line. A line break inside an event can only stand between two tokens: it becomes a space."""
    events = decode_list(b"[" + part.text() + b"]")
    return b"".join(bytes(event).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n" for event in events)


async def _joined(texts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    separator = b""
    async for text in texts:
        yield separator + text
        separator = b","


async def _track_events(pool: Pool, project_id: int, session_id: UUID) -> AsyncIterator[bytes]:
    bounds = await get_bounds(pool, project_id, session_id)
    position = (_BEGIN, 0)
    while True:
        span = (project_id, session_id, bounds.first, bounds.last)
        rows = await pool.fetch(_sql.track_events, *span, *position, _PAGE)
        for row in rows:
            yield _encode(Event(*row))
        if len(rows) < _PAGE:
            return
        position = (rows[-1]["timestamp"], rows[-1]["event_id"])


async def _screenshots(pool: Pool, project_id: int, session_id: UUID) -> AsyncIterator[bytes]:
    async for screenshot in screenshots.list_screenshots(pool, project_id, session_id, None, None):
        image = await screenshots.get_image(pool, project_id, screenshot.screenshot_id)
        yield _encode({**msgspec.structs.asdict(screenshot), "image_data": image.data_url})
