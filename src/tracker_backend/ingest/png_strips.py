"""Decodes a PNG from top to bottom in strips of a few rows: memory holds one strip, whatever the size of the image.

PNG compresses all rows as one stream, and a row is stored as its difference to the row above (PNG 1.2, 6 and 9.2). So
each strip is decoded by Pillow with the last row of the strip before it on top. Of 16 bits only the upper 8 are kept:
each byte of a row depends on bytes of the same place in a sample, never on the lower ones.
"""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image as Pillow
from PIL import PngImagePlugin

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # a pixel's, by the colour type of IHDR
_MODES = ("L", "LA", "RGB", "RGBA")
_PALETTE = 3
_FULL, _DEEP = 8, 16  # bits of a sample
_STRIP = 1024 * 1024
_PIECE = 64 * 1024
_CHUNK = 12  # bytes of a chunk beside its content: length, type, checksum
_HIGHEST_FILTER = 4


def is_interlaced(data: bytes) -> bool:
    """Whether a PNG stores its rows in seven passes: it cannot be decoded from top to bottom."""
    return data[28] != 0


def png_strips(image: PngImagePlugin.PngImageFile, data: bytes, multiple: int) -> Iterator[Pillow.Image]:
    """Strips of an opened PNG, which is not interlaced, from top to bottom; all but the last have a multiple of
    `multiple` rows. ValueError and zlib.error for a broken file.
    """
    depth, colour = data[24], data[25]
    samples = _SAMPLES[colour]
    stored = -(-image.width * samples * depth // 8)  # bytes of a row
    kept = image.width * samples if depth == _DEEP else stored
    container = _MODES[samples - 1] if depth >= _FULL else "L"
    columns = image.width if depth >= _FULL else stored
    stream = _Inflated(data)
    above = bytes(kept)
    rows = multiple * max(1, _STRIP // (multiple * stored))
    for top in range(0, image.height, rows):
        count = min(rows, image.height - top)
        block = stream.read(count * (1 + stored))
        if max(block[:: 1 + stored]) > _HIGHEST_FILTER:
            raise ValueError("a row of the PNG has an unknown filter")
        if depth == _DEEP:
            block = _upper_bytes(block, 1 + stored)
        packed = zlib.compress(b"\0" + above + block, 0)
        strip = Pillow.frombytes(container, (columns, count + 1), packed, "zip", container)
        strip = strip.crop((0, 1, columns, count + 1))
        above = strip.crop((0, count - 1, columns, count)).tobytes()
        yield _coloured(image, strip, depth, is_palette=colour == _PALETTE)


def _upper_bytes(block: bytes, stride: int) -> bytes:
    """Rows of samples of 16 bits as rows of samples of 8 bits, with their filters."""
    rows = bytearray()
    for start in range(0, len(block), stride):
        rows += block[start : start + 1]
        rows += block[start + 1 : start + stride : 2]
    return bytes(rows)


def _coloured(image: Pillow.Image, strip: Pillow.Image, depth: int, *, is_palette: bool) -> Pillow.Image:
    """A strip with the image's palette and transparent colour."""
    if depth < _FULL:
        mode, layout = ("P", f"P;{depth}") if is_palette else ("1", "1") if depth == 1 else ("L", f"L;{depth}")
        strip = Pillow.frombytes(mode, (image.width, strip.height), strip.tobytes(), "raw", layout)
    elif is_palette:
        strip = Pillow.frombytes("P", strip.size, strip.tobytes())
    if is_palette:
        strip.putpalette(b"" if image.palette is None else bytes(image.palette.palette))
    transparent = image.info.get("transparency")
    if transparent is not None and (is_palette or depth == _FULL):
        strip.info["transparency"] = transparent
        return strip.convert("RGBA")
    return strip if strip.mode in _MODES else strip.convert("RGB" if is_palette else "L")


class _Inflated:
    """The decompressed stream of a PNG's IDAT chunks."""

    def __init__(self, data: bytes) -> None:
        self._parts = _inflate(data)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """The next `size` bytes; ValueError if the stream ends before."""
        parts = [self._rest]
        missing = size - len(self._rest)
        while missing > 0:
            part = next(self._parts, None)
            if part is None:
                raise ValueError("the image data ends too early")
            parts.append(part)
            missing -= len(part)
        block = b"".join(parts)
        self._rest = block[size:]
        return block[:size]


def _inflate(data: bytes) -> Iterator[bytes]:
    decoder = zlib.decompressobj()
    at = 8
    while at + _CHUNK <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        start, end = at + 8, min(at + 8 + size, len(data))
        at += _CHUNK + size
        if kind != b"IDAT":
            continue
        for begin in range(start, end, _PIECE):
            piece = data[begin : min(begin + _PIECE, end)]
            while piece:
                if part := decoder.decompress(piece, _STRIP):
                    yield part
                if decoder.eof:
                    return
                piece = decoder.unconsumed_tail
