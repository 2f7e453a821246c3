"""Reads a request body: decompressed within a limit, and cleaned to a text that PostgreSQL can store."""

import asyncio
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli

from tracker_backend.errors import TooLarge, TrackerError, Undecodable
from tracker_backend.http.body_memory import held_bytes, too_large
from tracker_backend.http.request import AnyRequest
from tracker_backend.text_cleaning import clean_json
from tracker_backend.threads import run_in_thread_if_large
from tracker_backend.zstd import ZstdDecompressor, ZstdError

_GZIP_MAGIC = b"\x1f\x8b"
_MOST_FRAMES = 100  # each copies the rest of the body: a million empty ones would take minutes
_MOST_ENCODINGS = 3
_INLINE = 256 * 1024  # bytes that inflate in a millisecond; what is larger is inflated in a thread


async def read_body(request: AnyRequest, body: bytes, limit: int) -> bytes:
    """The decompressed body; it has at most `limit` bytes, compressed and decompressed.

    `Content-Encoding` is followed. Gzip is recognized without it, because a beacon cannot set the header.
    Raises TooLarge, and Undecodable for an encoding that is unknown or broken.
    """
    encoding = request.headers.get("content-encoding", "")
    if len(body) > limit:
        raise too_large(limit)
    if not encoding and not body.startswith(_GZIP_MAGIC):
        return body
    held = held_bytes(request)
    if len(body) < _INLINE:
        with suppress(TooLarge):
            inflated = inflate(body, encoding, min(_INLINE, limit))
            held.add(len(inflated))
            return inflated
    async with held.inflating:
        inflated = await asyncio.to_thread(inflate, body, encoding, limit)
        held.add(len(inflated))
        return inflated


async def clean_body(body: bytes) -> bytes:
    """The JSON text of a decompressed body as PostgreSQL can store it."""
    return await run_in_thread_if_large(len(body), clean_json, body)


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Undoes the content encodings, the last one first; gzip is recognized by its first bytes too."""
    names = [part.strip().lower() for part in encoding.split(",") if part.strip()]
    if len(names) > _MOST_ENCODINGS:
        raise Undecodable(f"the body has {len(names)} content encodings, more than {_MOST_ENCODINGS}: use one.")
    for name in reversed(names):
        if name == "identity":
            continue
        decoder = _DECODERS.get(name)
        if decoder is None:
            raise Undecodable(f"content encoding {name!r} is not known: use gzip, deflate, br or zstd.")
        if name in ("gzip", "x-gzip") and not body.startswith(_GZIP_MAGIC):
            raise Undecodable("the body does not begin like gzip, although its content encoding says so.")
        body = _decode(decoder, body, name, limit)
    if body.startswith(_GZIP_MAGIC):
        body = _decode(_gzip, body, "gzip", limit)
    return body


def _decode(decoder: Callable[[bytes, int], bytes], body: bytes, name: str, limit: int) -> bytes:
    try:
        inflated = decoder(body, limit + 1)
    except TrackerError:
        raise
    except (zlib.error, brotli.error, ZstdError, EOFError) as error:
        raise Undecodable(f"the body is not valid {name}: {error}.") from error
    if len(inflated) > limit:
        raise too_large(limit)
    return inflated


def _gzip(body: bytes, limit: int) -> bytes:
    inflated = b""
    for _ in range(_MOST_FRAMES):  # RFC 1952 allows several members
        part, body = _zlib(body, limit - len(inflated), 31)
        inflated += part
        if not body.startswith(_GZIP_MAGIC) or len(inflated) >= limit:
            return inflated
    raise _too_many("members")


def _deflate(body: bytes, limit: int) -> bytes:
    # HTTP's deflate is zlib's format (RFC 9110 8.4.1.2), but some clients send it bare.
    return _zlib(body, limit, zlib.MAX_WBITS if body[:1] and body[0] & 0x0F == 8 else -zlib.MAX_WBITS)[0]


def _zlib(body: bytes, limit: int, wbits: int) -> tuple[bytes, bytes]:
    """At most `limit` bytes of the first stream in the body, and what follows it."""
    decoder = zlib.decompressobj(wbits)
    inflated = decoder.decompress(body, limit)
    if not decoder.eof and len(inflated) < limit:
        raise Undecodable("the compressed body ends too early.")
    return inflated, decoder.unused_data


def _brotli(body: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    parts = [decoder.process(body, output_buffer_limit=limit)]
    size = len(parts[0])
    while size < limit and not decoder.is_finished():
        part = decoder.process(b"", output_buffer_limit=limit - size)
        if not part:
            raise Undecodable("the compressed body ends too early.")
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _zstd(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = frames = 0
    while body and size < limit:
        frames += 1
        if frames > _MOST_FRAMES:
            raise _too_many("frames")
        decoder = ZstdDecompressor()
        while not decoder.eof and size < limit:
            part = decoder.decompress(body, limit - size)
            body = b""
            if not part and decoder.needs_input:
                raise Undecodable("the compressed body ends too early.")
            parts.append(part)
            size += len(part)
        body = decoder.unused_data
    return b"".join(parts)


def _too_many(what: str) -> Undecodable:
    return Undecodable(f"the compressed body has more than {_MOST_FRAMES} {what}: send it as one.")


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
