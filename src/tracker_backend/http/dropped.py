"""Tells senders why their batch was not stored: `X-Tracker-Dropped: gpc`, whatever the dialect's answer looks like."""

from litestar.types import Message, Scope

from tracker_backend.http.request import AnyRequest
from tracker_backend.ingest.batch import Drop

_STATE = "tracker_dropped"


def tell_dropped(request: AnyRequest, reason: Drop) -> None:
    """Notes the reason for the answer to this request."""
    request.scope["state"][_STATE] = reason.value


async def add_header(message: Message, scope: Scope) -> None:
    """Adds the header to an answer whose request was told of; for `before_send` of the app."""
    if message["type"] == "http.response.start" and _STATE in scope["state"]:
        message["headers"] = [*message["headers"], (b"x-tracker-dropped", scope["state"][_STATE].encode())]
