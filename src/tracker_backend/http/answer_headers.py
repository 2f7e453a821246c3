"""Headers of all answers: what may keep them, and what browsers may take them for."""

from litestar.types import Message, Scope

from tracker_backend.http.cors import is_for_trackers

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")
_PAGES = [(b"x-frame-options", b"DENY"), (b"content-security-policy", b"frame-ancestors 'none'")]
"""No other site shows a page of this server in a frame, where it could have its people click."""


async def add_answer_headers(message: Message, scope: Scope) -> None:
    """Adds those that the handler did not set; for `before_send` of the app.

    An answer is kept by no cache unless its handler says so: most are about visitors. Those to trackers do not say it:
    no cache keeps the answer to a POST anyway, and Chromium counts a request with `no-store` as under way until its
    page has read the answer, which trackers do not do.
    """
    if message["type"] != "http.response.start":
        return
    sent = dict(message["headers"])
    wanted = [_NOSNIFF] if is_for_trackers(scope) else [_NOSNIFF, _NO_STORE]
    if sent.get(b"content-type", b"").startswith(b"text/html"):
        wanted += _PAGES
    message["headers"] = [*message["headers"], *(header for header in wanted if header[0] not in sent)]
