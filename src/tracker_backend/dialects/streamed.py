"""Answers that are longer than memory should hold."""

from collections.abc import AsyncIterator

from litestar.response import Stream

from tracker_backend.http.recordings import accepted
from tracker_backend.http.request import AnyRequest
from tracker_backend.queries.export import gzipped


def stream_json(request: AnyRequest, texts: AsyncIterator[bytes]) -> Stream:
    """The pieces of a JSON text, as gzip to clients that accept it."""
    headers = {"Vary": "Accept-Encoding"}
    if accepted(request.headers.get("accept-encoding", ""), ["gzip"]) == "gzip":
        return Stream(gzipped(texts), media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})
    return Stream(texts, media_type="application/json", headers=headers)
