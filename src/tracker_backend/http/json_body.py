"""What people's own calls send: a small JSON object, and from a page of this server."""

from typing import TypeVar

import msgspec

from tracker_backend.errors import Forbidden, Malformed, TooLarge
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of
from tracker_backend.ingest.wire import decode

T = TypeVar("T")
NO_STORE = {"Cache-Control": "no-store"}
"""Of answers that hold a link or a token."""
_MOST = 64 * 1024


def read_form(request: AnyRequest, body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body; Malformed, Invalid or TooLarge with a text.

    Only as `application/json`: what another site's form can send without asking first is no call of ours.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Malformed(f"the body's type is {kind or 'not told'!r}: send it with Content-Type: application/json.")
    if len(body) > _MOST:
        raise TooLarge(f"the body is larger than {_MOST} bytes: send only the fields of this call.")
    return decode(decoder, body)


def check_origin(request: AnyRequest) -> None:
    """Forbidden where another site's page calls: it could log a browser in as somebody else."""
    if not services_of(request).access.login_sessions.is_same_origin(request.headers):
        raise Forbidden("a page of another site may not call this: its Origin is not this Host.")
