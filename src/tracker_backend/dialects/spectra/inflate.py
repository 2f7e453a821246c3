"""Decompresses base64 of what `pako` compressed in a browser, within a limit of memory."""

import zlib

from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.ingest.base64_text import from_base64

_GZIP_MAGIC = b"\x1f\x8b"


def inflate_text(data: str, limit: int) -> bytes:
    """The bytes, at most `limit`, that base64 of pako's `deflate`, `gzip` or `deflateRaw` stands for.

    Base64 may be standard or URL-safe, with or without its padding. Raises Invalid when either layer is broken or cut
    off, TooLarge over the limit. Holds the limit's bytes and the decoded base64, never more of the output.
    """
    packed = _from_base64(data)
    name, wbits = _format(packed)
    decoder = zlib.decompressobj(wbits)
    try:
        inflated = decoder.decompress(packed, limit + 1)
    except zlib.error as error:
        raise Invalid(f"the compressed data is not valid {name}: {error}.") from error
    if len(inflated) > limit:
        raise TooLarge(f"the data inflates to more than {limit} bytes: send smaller batches.")
    if not decoder.eof:
        raise Invalid(f"the compressed data ({name}) ends too early.")
    if decoder.unused_data.strip(b"\0"):  # zeros are the rest of a buffer that was sent whole
        raise Invalid(f"{len(decoder.unused_data)} bytes follow the end of the compressed data ({name}).")
    return inflated


def _from_base64(data: str) -> bytes:
    try:
        packed = from_base64(data)
    except ValueError as error:
        raise Invalid(f"the compressed data is not valid base64: {error}.") from error
    if not packed:
        raise Invalid("the compressed data is empty.")
    return packed


def _format(packed: bytes) -> tuple[str, int]:
    """Name and zlib's number of the format. No bare deflate begins like the others: gzip's magic would be a block of
    type 3, which does not exist, and zlib's 8 a stored block with bits set that are always zero.
    """
    if packed.startswith(_GZIP_MAGIC):
        return "gzip", 16 + zlib.MAX_WBITS
    if packed[0] & 0x0F == 8 and int.from_bytes(packed[:2], "big") % 31 == 0:
        return "zlib", zlib.MAX_WBITS
    return "deflate", -zlib.MAX_WBITS
