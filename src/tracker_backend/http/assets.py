"""Files that browsers load: read once, sent gzipped to those who take it, with an ETag."""

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

from litestar import Response
from msgspec import Struct

from tracker_backend.errors import NotFound
from tracker_backend.http.request import AnyRequest

REVALIDATE = "no-cache"
IMMUTABLE = "public, max-age=31536000, immutable"
_COMPRESSED = ("text/", "application/javascript", "application/json", "image/svg+xml")


class Asset(Struct, frozen=True):
    """A file in memory; `packed` is its gzip where that saves anything."""

    content: bytes
    packed: bytes | None
    media_type: str
    tag: str


def make_asset(content: bytes, media_type: str) -> Asset:
    """An asset of these bytes."""
    packed = gzip.compress(content, 9, mtime=0) if media_type.startswith(_COMPRESSED) else None
    return Asset(content, packed, media_type, hashlib.sha256(content).hexdigest()[:32])


def find_asset(folder: Path, name: str, hint: str) -> Asset:
    """The file of a folder; NotFound, with `hint` for the operator, when it is not there or not inside."""
    try:
        path = (folder / name).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file():
            return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):  # a name that no file can have
        pass
    raise NotFound(f"there is no file {name!r} here{hint}.")


def answer(request: AnyRequest, asset: Asset, cache: str, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The file, or 304 if the browser has it."""
    tag = f'"{asset.tag}"'
    sent = {"ETag": tag, "Cache-Control": cache, "Vary": "Accept-Encoding", **(headers or {})}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=sent)
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers={**sent, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.media_type, headers=sent)


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> Asset:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    kind = "application/javascript" if kind == "text/javascript" else kind
    return make_asset(
        path.read_bytes(), f"{kind}; charset=utf-8" if kind.startswith(("text/", "application/j")) else kind
    )
