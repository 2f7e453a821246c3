"""Hostile images: a few bytes that claim to be many pixels."""

import base64
import json
import struct
import zlib
from uuid import uuid4

from tests.hostile.hostile import Hostile, post

_TOO_LARGE = frozenset({413})
_STORED_OR_LATER = frozenset({201, 503})


def _png(width: int, height: int, depth: int, colour: int, row: int) -> bytes:
    """A PNG whose rows are all zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj()
    rows = b"".join([*(packer.compress(bytes(1 + row)) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _webp() -> bytes:
    """196 bytes that claim 16383 x 16383 pixels."""
    frame = b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(171)
    return b"RIFF" + struct.pack("<I", 12 + len(frame)) + b"WEBPVP8L" + struct.pack("<I", 176) + frame


def _picture(name: str, kind: str, data: bytes, answers: frozenset[int], connections: int = 1) -> Hostile:
    shot = {
        "session_id": str(uuid4()),
        "page_url": "https://shop.example/",
        "timestamp": 1795255200000,
        "image_data": f"data:image/{kind};base64,{base64.b64encode(data).decode()}",
    }
    return Hostile(name, post("/api/v1/track/screenshot", json.dumps(shot).encode()), answers, connections)


PICTURES = [
    _picture("a PNG of 80 million pixels", "png", _png(8000, 10000, 1, 0, 1000), _TOO_LARGE, 10),
    _picture("a PNG of 40 million pixels in 16 bits", "png", _png(8000, 5000, 16, 6, 64000), _STORED_OR_LATER, 3),
    _picture("196 bytes of WebP of 268 million pixels", "webp", _webp(), _TOO_LARGE, 10),
]
