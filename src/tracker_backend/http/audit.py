"""Who did what, for owners; and the lines that readers of replays leave."""

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Struct

from tracker_backend.accounts import audit
from tracker_backend.http.caller import Caller
from tracker_backend.http.services import Services


class AuditPage(Struct, frozen=True):
    """Lines, newest first; `next_before` is where the next page begins, null on the last."""

    data: list[audit.AuditLine]
    next_before: int | None


@get("/audit", scope="admin", summary="See who did what", tags=["people"])
async def list_audit(
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    before: Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1, description="`next_before` of a page")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> AuditPage:
    """See who logged in, made or revoked a key, read a replay, erased what: newest first. For owners and admin keys."""
    lines = await audit.list_lines(services.pool, caller.project_id, before, limit + 1)
    more = len(lines) > limit
    return AuditPage(lines[:limit], lines[limit - 1].audit_id if more else None)


async def note_replay(services: Services, caller: Caller, session_id: UUID, how: str) -> None:
    """Notes that a replay is read, before its first byte: what cannot be noted is not shown."""
    await audit.write(
        services.pool,
        caller.actor,
        "replay read",
        project_id=caller.project_id,
        target=f"session {session_id}",
        how=how,
    )
