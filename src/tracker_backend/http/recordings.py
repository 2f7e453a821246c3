"""The recording of a session, streamed."""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from tracker_backend.http.audit import note_replay
from tracker_backend.http.caller import Caller
from tracker_backend.http.encoding import stream
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.http.sessions import From, To
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.queries.filters import time_parameter
from tracker_backend.recordings import replay
from tracker_backend.storage.session_bounds import get_bounds


@get(
    "/sessions/{session_id:str}/recording",
    scope="read",
    summary="Read a session's recording",
    tags=["read"],
    media_type="application/json",
)
async def get_recording(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    session_id: FromPath[str],
    from_: From = None,
    to: To = None,
) -> Stream:
    """Read a session's rrweb events: one JSON array in order of time, streamed.

    Sent as it is stored to clients that accept `zstd`, as gzip or plain to others. A range begins at the full snapshot
    before `from`, so that a player can show it, and ends before `to`. The events carry the client's clock: add the
    session's `clock_offset_ms` (also in `X-Tracker-Clock-Offset`) to lie on the time line of its other events.
    """
    key, _ = session_key(caller.project_id, session_id)
    first, last = time_parameter(from_, "from"), time_parameter(to, "to")
    bounds = await get_bounds(services.pool, caller.project_id, key)  # 404 before the answer begins
    await note_replay(services, caller, key, "recording")
    parts = replay.replay(services.pool, caller.project_id, key, first, last)
    headers = {"X-Tracker-Clock-Offset": str(bounds.offset // 1000)}
    return stream(request, replay.json_text(parts), replay.zstd_frames(parts), headers=headers)
