"""Why a batch is not stored, and how its sender is told: `X-Tracker-Dropped: gpc`, whatever the dialect's answer looks
like.
"""

from litestar.datastructures import Headers
from litestar.types import Message, Scope

from tracker_backend.http.request import AnyRequest
from tracker_backend.ingest.batch import Drop, Outcome
from tracker_backend.settings import Settings

_STATE = "tracker_dropped"
_TOLD = {
    Drop.GPC: "the browser sends Sec-GPC, by which its user asks for that",
    Drop.DNT: "the browser sends DNT, by which its user asks for that",
    Drop.SAMPLED: "the project records a share of its sessions, and this is not one of them",
    Drop.ERASED: "this visitor or session was erased",
}


def objection(headers: Headers, settings: Settings) -> Drop | None:
    """What a visitor's browser has against being recorded, as far as the server's settings heed it."""
    if settings.honour_gpc and headers.get("sec-gpc") == "1":
        return Drop.GPC
    return Drop.DNT if settings.honour_dnt and headers.get("dnt") == "1" else None


def told(outcome: Outcome, stored: str) -> str:
    """The message of an answer: `stored`, unless the batch was dropped."""
    return stored if outcome.dropped is None else f"not recorded: {_TOLD[outcome.dropped]}"


def tell_dropped(request: AnyRequest, reason: Drop) -> None:
    """Notes the reason for the answer to this request."""
    request.scope["state"][_STATE] = reason.value


async def add_header(message: Message, scope: Scope) -> None:
    """Adds the header to an answer whose request was told of; for `before_send` of the app."""
    if message["type"] == "http.response.start" and _STATE in scope["state"]:
        message["headers"] = [*message["headers"], (b"x-tracker-dropped", scope["state"][_STATE].encode())]
