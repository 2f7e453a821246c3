"""Why a batch is dropped: the answer's header `X-Tracker-Dropped: gpc`, in every dialect, and its message."""

from litestar.datastructures import Headers
from litestar.types import Message, Scope

from tracker_backend.http.request import AnyRequest
from tracker_backend.ingest.batch import Drop, Outcome
from tracker_backend.settings import Settings

_STATE = "tracker_dropped"
_EXPLANATIONS = {
    Drop.GPC: "the browser sends Sec-GPC, by which its user asks for that",
    Drop.DNT: "the browser sends DNT, by which its user asks for that",
    Drop.SAMPLED: "the project records a share of its sessions, and this is not one of them",
    Drop.ERASED: "this visitor or session was erased",
}


def privacy_signal(headers: Headers, settings: Settings) -> Drop | None:
    """The header by which the browser objects to being recorded, `Sec-GPC` or `DNT`, if the settings honour it."""
    if settings.honour_gpc and headers.get("sec-gpc") == "1":
        return Drop.GPC
    return Drop.DNT if settings.honour_dnt and headers.get("dnt") == "1" else None


def response_message(outcome: Outcome, stored: str) -> str:
    """The message of an answer: `stored`, or why the batch was dropped."""
    return stored if outcome.dropped is None else f"not recorded: {_EXPLANATIONS[outcome.dropped]}"


def set_drop_reason(request: AnyRequest, reason: Drop) -> None:
    """Keeps the reason for the header of the answer to this request."""
    request.scope["state"][_STATE] = reason.value


async def add_drop_header(message: Message, scope: Scope) -> None:
    """Adds the header to the answer to a request whose batch was dropped; for `before_send` of the app."""
    if message["type"] == "http.response.start" and _STATE in scope["state"]:
        message["headers"] = [*message["headers"], (b"x-tracker-dropped", scope["state"][_STATE].encode())]
