"""Tickets: each opens one stream.

Browsers add no headers of a page to a WebSocket or an EventSource, and a key in a URL ends up in logs. A ticket in a
log is worthless, because it works once.
"""

import secrets
from datetime import datetime
from typing import Annotated

import asyncpg
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from tracker_backend.accounts import keys, tickets
from tracker_backend.errors import Unauthorized
from tracker_backend.http.caller import Caller
from tracker_backend.http.json_body import NO_STORE
from tracker_backend.http.request import Connection
from tracker_backend.http.services import Services, services_of
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.live.batch_reference import Key
from tracker_backend.storage.session_bounds import get_bounds


class TicketMade(Struct, frozen=True):
    """A ticket, which cannot be read again."""

    ticket: Annotated[str, Meta(description="For `?ticket=` of one stream of this session")]
    expires_at: datetime


@post(
    "/sessions/{session_id:str}/live/ticket", scope="read", summary="Ask for a ticket to watch a session", tags=["read"]
)
async def make_ticket(
    services: NamedDependency[Services], caller: NamedDependency[Caller], session_id: FromPath[str]
) -> Response[TicketMade]:
    """Ask for a ticket that opens one stream of this session, within 30 seconds.

    The stream ends when the key or the login that asked for it does.
    """
    key, _ = session_key(caller.project_id, session_id)
    await get_bounds(services.pool, caller.project_id, key)  # 404 for an unknown session
    token = secrets.token_urlsafe(32)
    ticket = tickets.Ticket(caller.project_id, key, caller.key, caller.login)
    try:
        expires_at = await tickets.insert_ticket(services.pool, keys.digest(token), ticket)
    except asyncpg.ForeignKeyViolationError:  # it ended within the second for which it is cached
        raise Unauthorized("this key or login has ended: use another key, or log in again.") from None
    return Response(TicketMade(token, expires_at), status_code=201, headers=NO_STORE)


async def authorize_stream(connection: Connection, session_id: str, ticket: str | None) -> tuple[Caller, Key]:
    """The caller, by the ticket if there is one, and the session that they may watch; TrackerError for others."""
    access = services_of(connection).access
    if ticket is None:
        caller = await access.authorize(connection)
        return caller, (caller.project_id, session_key(caller.project_id, session_id)[0])
    caller, opened = await access.authorize_ticket(connection, ticket)
    if session_key(caller.project_id, session_id)[0] != opened:
        raise Unauthorized("this ticket is for another session, and used up now: ask for one of this session.")
    return caller, (caller.project_id, opened)
