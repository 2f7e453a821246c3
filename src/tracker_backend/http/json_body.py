"""Reads the small JSON bodies of the API's own calls, and checks that a page of this server sends them."""

from typing import TypeVar

import msgspec

from tracker_backend.errors import Forbidden, Malformed
from tracker_backend.http.query_parameters import check_query_parameters
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of
from tracker_backend.ingest.wire import decode

T = TypeVar("T")
NO_STORE = {"Cache-Control": "no-store"}
"""Headers of answers that hold a link or a token."""


def read_json_body(request: AnyRequest, body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body, decoded; Malformed or Invalid.

    It must be `application/json`: a form of another site can send other types without a preflight request.
    """
    check_query_parameters(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Malformed(f"the body's type is {kind or 'missing'!r}: send it with Content-Type: application/json.")
    return decode(decoder, body)


def check_origin(request: AnyRequest) -> None:
    """Raises Forbidden for a page of another site: it could log the browser in as somebody else."""
    if not services_of(request).access.login_sessions.is_same_origin(request.headers):
        raise Forbidden("a page of another site may not call this: its Origin is not this Host.")
