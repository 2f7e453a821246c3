"""What a visitor has a right to: a copy of everything that is stored, and its erasure, with a receipt."""

import asyncio
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, RawBody
from litestar.response import Stream
from msgspec import Meta, Struct

from tracker_backend.accounts import audit
from tracker_backend.errors import Invalid, Unavailable
from tracker_backend.http import examples
from tracker_backend.http.caller import Caller
from tracker_backend.http.encoding import stream
from tracker_backend.http.json_body import read_json_body
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.privacy import erasure_check, erasures, receipts, visitor_export
from tracker_backend.storage.keyed_hash import Subject
from tracker_backend.text_cleaning import clean_text

_WAIT_SECONDS = 5.0


class ErasureRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is erased: one of the two."""

    user_id: Annotated[str, Meta(min_length=1)] | None = None
    """A visitor: all sessions that name this user id."""
    session_id: Annotated[str, Meta(min_length=1)] | None = None
    """One session, named as its client named it."""


_request = msgspec.json.Decoder(ErasureRequest)
_EXAMPLE = examples.operation(ErasureRequest, {"user_id": "customer-17"})


def erasure_context(services: Services) -> erasures.ErasureContext:
    """The server's database by its pool for reads, whose statements end with the request."""
    database = services.database
    return erasures.ErasureContext(services.settings, services.pool, database.node, database.installation.secret)


async def erase(
    services: Services, caller: Caller, subject: Subject, wanted: str, action: audit.Action
) -> receipts.Receipt:
    """Erases for a few seconds at most; a receipt that has not ended is finished by the task `erasures`."""
    context = erasure_context(services)
    erasure_id = await erasures.request_erasure(context, caller.project_id, subject, wanted, caller.actor, action)
    try:
        async with asyncio.timeout(min(_WAIT_SECONDS, services.settings.request_timeout / 2)):
            await erasures.run_erasure(context, erasure_id)
    except (TimeoutError, Unavailable):
        pass  # the task `erasures` finishes it
    return await receipts.get_receipt(services.pool, caller.project_id, erasure_id)


@get("/visitors/export", scope="admin", summary="Export a visitor", tags=["privacy"])
async def export_visitor(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    user_id: Annotated[str, QueryParameter(description="As the sessions name the visitor")],
) -> Stream:
    """Export everything of a visitor: all sessions with this user id as NDJSON, streamed.

    `tracker-backend import` reads it. Needs an admin key, or an owner.
    """
    user_id = clean_text(user_id)
    count = await visitor_export.count_sessions(
        services.pool, caller.project_id, user_id
    )  # 404 before the answer begins
    # Without the user's id: it would outlive the visitor in the audit log.
    await audit.write(services.pool, caller.actor, "visitor exported", project_id=caller.project_id, sessions=count)
    content = visitor_export.export_visitor(services.pool, caller.project_id, user_id)
    headers = {"Content-Disposition": 'attachment; filename="visitor.ndjson"', "Cache-Control": "no-store"}
    return stream(request, content, media_type="application/x-ndjson", headers=headers)


@post("/erasures", scope="admin", operation_class=_EXAMPLE, summary="Erase a visitor or a session", tags=["privacy"])
async def create_erasure(
    request: AnyRequest, services: NamedDependency[Services], caller: NamedDependency[Caller], body: RawBody
) -> Response[receipts.Receipt]:
    """Erase a visitor, by user id, or a session: every row and image. What is sent of them later is dropped.

    200 with the receipt, or 202 with that so far: then it goes on by itself. Needs an admin key, or an owner.
    """
    subject, wanted = _wanted(caller, read_json_body(request, body, _request))
    receipt = await erase(services, caller, subject, wanted, "visitor erased")
    return Response(receipt, status_code=202 if receipt.finished_at is None else 200)


@get("/erasures", scope="admin", summary="List erasures", tags=["privacy"])
async def list_erasures(
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    before: Annotated[UUID | None, QueryParameter(description="The last `erasure_id` of the page before")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> list[receipts.Receipt]:
    """List receipts, newest first."""
    return await receipts.list_receipts(services.pool, caller.project_id, before, limit)


@get("/erasures/{erasure_id:uuid}", scope="admin", summary="Look at an erasure", tags=["privacy"])
async def get_erasure(
    services: NamedDependency[Services], caller: NamedDependency[Caller], erasure_id: FromPath[UUID]
) -> receipts.Receipt:
    """Look at a receipt: what was removed, and whether all is done."""
    return await receipts.get_receipt(services.pool, caller.project_id, erasure_id)


@post(
    "/erasures/{erasure_id:uuid}/check",
    scope="admin",
    operation_class=_EXAMPLE,
    status_code=200,
    summary="Check an erasure",
    tags=["privacy"],
)
async def check_erasure(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    erasure_id: FromPath[UUID],
    body: RawBody,
) -> erasure_check.ErasureCheck:
    """Prove that nothing is left: looks through every table for the visitor or session of a receipt.

    The receipt does not contain the id: send it again. 422 if it is not the erased one.
    """
    subject, wanted = _wanted(caller, read_json_body(request, body, _request))
    try:
        return await erasure_check.check_erasure(
            erasure_context(services), caller.project_id, erasure_id, subject, wanted
        )
    except TimeoutError:
        raise Unavailable(
            "there is too much to look through within a request: run `tracker-backend visitor check`."
        ) from None


def _wanted(caller: Caller, sent: ErasureRequest) -> tuple[Subject, str]:
    """Whom, by the id that is stored."""
    if (sent.user_id is None) == (sent.session_id is None):
        raise Invalid("give `user_id` or `session_id`, one of them.")
    if sent.session_id is not None:
        return "session", str(session_key(caller.project_id, clean_text(sent.session_id))[0])
    assert sent.user_id is not None  # noqa: S101 — one of the two
    return "user", clean_text(sent.user_id)
