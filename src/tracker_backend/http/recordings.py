"""The recording of a session, streamed."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from tracker_backend.http.received import session_key
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.sessions import From, To
from tracker_backend.queries import recordings, sessions
from tracker_backend.queries.filters import time_parameter
from tracker_backend.services import services_of

_GZIP_LEVEL = 5


@get(
    "/sessions/{session_id:str}/recording",
    summary="Read a session's recording",
    tags=["read"],
    media_type="application/json",
)
async def get_recording(request: AnyRequest, session_id: FromPath[str], from_: From = None, to: To = None) -> Stream:
    """Read a session's rrweb events: one JSON array in order of time, streamed.

    Sent as it is stored to clients that accept `zstd`, as gzip or plain to others. A range begins at the full snapshot
    before `from`, so that a player can show it, and ends before `to`. The events carry the client's clock: add the
    session's `clock_offset_ms` (also in `X-Tracker-Clock-Offset`) to lie on the time line of its other events.
    """
    services = services_of(request)
    caller = await services.access.check(request, "read")
    key, _ = session_key(caller.project_id, session_id)
    first, last = time_parameter(from_, "from"), time_parameter(to, "to")
    bounds = await sessions.get_bounds(services.pool, caller.project_id, key)  # 404 before the answer begins
    parts = recordings.replay(services.pool, caller.project_id, key, first, last)
    headers = {"Vary": "Accept-Encoding", "X-Tracker-Clock-Offset": str(bounds.offset // 1000)}
    encoding = accepted(request.headers.get("accept-encoding", ""))
    if encoding == "zstd":
        content = recordings.zstd_frames(parts)
    elif encoding == "gzip":
        content = _gzip(recordings.json_text(parts))
    else:
        return Stream(recordings.json_text(parts), media_type="application/json", headers=headers)
    return Stream(content, media_type="application/json", headers={**headers, "Content-Encoding": encoding})


def accepted(header: str, known: Sequence[str] = ("zstd", "gzip")) -> str:
    """What an `Accept-Encoding` takes: the first of those known, else identity."""
    names: set[str] = set()
    for entry in header.lower().split(","):
        name, _, weight = entry.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            names.add(name.strip())
    return next((name for name in known if name in names), "identity")


async def _gzip(texts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=31)
    async for text in texts:
        packed = await asyncio.to_thread(packer.compress, text)
        yield packed + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
