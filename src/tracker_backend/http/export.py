"""Everything of a session, or of all sessions of a project, as a file."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from tracker_backend.accounts import audit
from tracker_backend.http.caller import Caller
from tracker_backend.http.encoding import stream
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.http.sessions import From, To
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.queries import export, sessions
from tracker_backend.queries.filters import time_parameter

_TYPES: dict[export.Format, str] = {"json": "application/json", "ndjson": "application/x-ndjson"}


@get("/sessions/{session_id:str}/export", scope="read", summary="Export a session", tags=["read"])
async def export_session(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    session_id: FromPath[str],
    format: Annotated[  # noqa: A002 — errors name it
        export.Format, QueryParameter(description="One object, or lines")
    ] = "json",
) -> Stream:
    """Export everything of a session, streamed: `tracker-backend import` stores it again.

    `session`, its recording as `events`, the events that were sent as `track_events`, and `screenshots` with their
    images. Events found in the recording are left out: an import finds them again.
    """
    key, _ = session_key(caller.project_id, session_id)
    session = await sessions.get_session(services.pool, caller.project_id, key)  # 404 before the answer begins
    await audit.write(
        services.pool,
        caller.actor,
        "session exported",
        project_id=caller.project_id,
        target=f"session {session.session_id}",
        format=format,
    )
    content = export.export_session(services.pool, caller.project_id, session, format)
    name = f"session-{session.session_id}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return stream(request, content, media_type=_TYPES[format], headers=headers)


@get("/project/export", scope="admin", summary="Export a project", tags=["privacy"])
async def export_project(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    from_: From = None,
    to: To = None,
) -> Stream:
    """Export everything of all sessions that began from `from` on and before `to`, as NDJSON, streamed.

    `tracker-backend import` stores it again. The order is that in which the sessions began, so a later export can go on
    where one ended. Settings, keys and people are not in it. Needs an admin key, or an owner.
    """
    first, last = time_parameter(from_, "from"), time_parameter(to, "to")
    await audit.write(
        services.pool, caller.actor, "project exported", project_id=caller.project_id, since=first, before=last
    )
    content = export.export_project(services.pool, caller.project_id, first, last)
    headers = {"Content-Disposition": f'attachment; filename="project-{caller.project_id}.ndjson"'}
    return stream(request, content, media_type=_TYPES["ndjson"], headers=headers)
