"""The answer of a replay: one object whose arrays are streamed, so that memory holds one piece of one of them."""

from collections.abc import AsyncIterator

import msgspec

from tracker_backend.dialects.spectra.custom import ERROR, to_custom_event, to_error
from tracker_backend.ingest.rows import RRWEB
from tracker_backend.queries import events, sessions
from tracker_backend.recordings import replay
from tracker_backend.recordings.frames import encode_frame
from tracker_backend.storage.pool import Pool

_PAGE = 1000
_encode = msgspec.json.Encoder().encode


class Replay:
    """The replay of one session, which the caller looked up before."""

    def __init__(self, pool: Pool, project_id: int, session: sessions.Session) -> None:
        self._pool = pool
        self._key = (project_id, session.session_id)
        self._offset = (session.clock_offset_ms or 0) * 1000
        self._head = b'{"sessionId":' + _encode(session.client_text) + b',"events":'

    async def texts(self) -> AsyncIterator[bytes]:
        """The JSON text."""
        yield self._head
        async for text in replay.json_text(replay.replay(self._pool, *self._key)):
            yield text
        async for text in self._tail():
            yield text

    async def zstd_frames(self) -> AsyncIterator[bytes]:
        """The same as zstd frames one after the other; those of the recording as they are stored."""
        yield encode_frame(self._head)
        async for frame in replay.zstd_frames(replay.replay(self._pool, *self._key)):
            yield frame
        async for text in self._tail():
            yield encode_frame(text)

    async def _tail(self) -> AsyncIterator[bytes]:
        separator = b',"customEvents":['
        async for page in self._pages(None):
            # What was found in the recording is among its events already.
            shown = [event for event in page if event.source != RRWEB and event.event_type != ERROR]
            if shown:
                yield separator + b",".join([_encode(to_custom_event(event, self._offset)) for event in shown])
                separator = b","
        yield (b"" if separator == b"," else separator) + b'],"errors":['
        separator = b""
        async for page in self._pages(ERROR):
            yield separator + b",".join([_encode(to_error(event, self._offset)) for event in page])
            separator = b","
        yield b"]}"

    async def _pages(self, event_type: str | None) -> AsyncIterator[list[events.Event]]:
        cursor: str | None = None
        while True:
            page = await events.list_events(self._pool, *self._key, limit=_PAGE, event_type=event_type, cursor=cursor)
            if page.data:
                yield page.data
            if page.next_cursor is None:
                return
            cursor = page.next_cursor
