"""Answers that are longer than memory should hold, in an encoding that the client accepts."""

from collections.abc import AsyncIterator, Mapping, Sequence

from litestar.response import Stream

from tracker_backend.gzip_stream import gzipped
from tracker_backend.http.request import AnyRequest


def stream(
    request: AnyRequest,
    texts: AsyncIterator[bytes],
    frames: AsyncIterator[bytes] | None = None,
    *,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Stream:
    """The pieces of a text; as they are stored (`frames`, zstd) or as gzip to clients that accept it."""
    sent = {**(headers or {}), "Vary": "Accept-Encoding"}
    encoding = accepted(request.headers.get("accept-encoding", ""), ["gzip"] if frames is None else ["zstd", "gzip"])
    content = texts
    if encoding != "identity":
        sent["Content-Encoding"] = encoding
        content = frames if frames is not None and encoding == "zstd" else gzipped(texts)
    return Stream(content, media_type=media_type, headers=sent)


def accepted(header: str, known: Sequence[str]) -> str:
    """The first of the known encodings that an `Accept-Encoding` takes, else identity."""
    names: set[str] = set()
    for entry in header.lower().split(","):
        name, _, weight = entry.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            names.add(name.strip())
    return next((name for name in known if name in names), "identity")
