"""Thumbnails of screenshots: of every format and mode, and what memory they take."""

import asyncio
import base64
import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from uuid import uuid4

import pytest
from PIL import Image as Pillow

from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.ingest.batch import Image
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.settings import Settings

RED, WHITE = (255, 0, 0), (255, 255, 255)
_HEAD = "data:image/png;base64,"
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def check(url: str) -> Image:
    """What an upload becomes."""
    return asyncio.run(check_image(ScreenshotRequest(uuid4(), "https://shop.example/", 0, url), Settings()))


def stored(data: bytes, kind: str) -> Image:
    """The same for the bytes of a file."""
    return check(f"data:image/{kind};base64,{base64.b64encode(data).decode()}")


def encode(image: Pillow.Image, kind: str, **options: object) -> bytes:
    """A file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def shown(image: Image) -> Pillow.Image:
    """Its thumbnail."""
    return Pillow.open(io.BytesIO(image.thumbnail)).convert("RGB")


def pixel(image: Image, x: float = 0.5, y: float = 0.5) -> tuple[int, ...]:
    """A pixel of its thumbnail, at a share of width and height."""
    small = shown(image)
    found = small.getpixel((int((small.width - 1) * x), int((small.height - 1) * y)))
    assert isinstance(found, tuple)
    return tuple(int(value) for value in found)


def is_close(one: Iterable[int], two: Iterable[int]) -> bool:
    """Whether two colours look the same."""
    return all(abs(a - b) < 12 for a, b in zip(one, two, strict=True))


def png(width: int, height: int, depth: int, colour: int, rows: Iterable[bytes], *, interlaced: bool = False) -> bytes:
    """A PNG of rows that begin with their filter, as Pillow cannot write it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    compressor = zlib.compressobj(1)
    packed = b"".join([*(compressor.compress(row) for row in rows), compressor.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((641, 50), (320, 25)),
        ((1280, 720), (320, 180)),
        ((2600, 6000), (320, 738)),
        ((5200, 400), (320, 25)),
        ((640, 1), (320, 1)),
        ((1, 640), (1, 640)),
        ((300, 4000), (300, 1280)),
        ((320, 200), (320, 200)),
    ],
)
def test_a_thumbnail_is_320_pixels_wide_whatever_the_format(
    kind: str, size: tuple[int, int], small: tuple[int, int]
) -> None:
    image = stored(encode(Pillow.new("RGB", size, "red"), kind), kind)
    width, height = shown(image).size
    assert (width, abs(height - small[1]) <= 1) == (small[0], True)
    assert is_close(pixel(image), RED)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("width", [50, 1300])
def test_a_png_of_strips_looks_like_the_whole(mode: str, width: int) -> None:
    image = Pillow.linear_gradient("L").resize((width, 3000))  # pyright: ignore[reportUnknownMemberType]
    image = image.convert("I" if mode == "I;16" else "RGB")
    if mode == "I;16":
        image = image.point(lambda value: value * 257)  # pyright: ignore[reportUnknownMemberType]
    made = stored(encode(image.convert(mode), "PNG"), "png")
    for place in (0.0, 0.3, 0.6):
        row = place * (shown(made).height - 1) * width / shown(made).width / 3000
        if mode != "1":  # which dithers
            assert is_close(pixel(made, 0.5, place), (int(row * 255),) * 3)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_png_with_a_palette_has_its_colours_and_transparency(bits: int) -> None:
    image = Pillow.new("P", (1000, 800), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (0, 400, 1000, 800))
    plain = stored(encode(image, "PNG", bits=bits), "png")
    assert is_close(pixel(plain, 0.5, 0.2), RED)
    assert is_close(pixel(plain, 0.5, 0.8), (0, 0, 255))
    holed = stored(encode(image, "PNG", bits=bits, transparency=1), "png")
    assert is_close(pixel(holed, 0.5, 0.2), RED)
    assert is_close(pixel(holed, 0.5, 0.8), WHITE)


@pytest.mark.parametrize(("kind", "mode"), [("png", "RGBA"), ("png", "LA"), ("webp", "RGBA")])
def test_what_is_transparent_is_white(kind: str, mode: str) -> None:
    image = Pillow.new(mode, (1000, 400), (0, 0, 0, 0) if mode == "RGBA" else (0, 0))
    options = {"lossless": True} if kind == "webp" else {}
    assert is_close(pixel(stored(encode(image, kind, **options), kind)), WHITE)


@pytest.mark.parametrize("interlaced", [False, True])
def test_grey_of_16_bits_is_not_white(interlaced: bool) -> None:
    rows = (b"\0" + b"\x40\x00" * 900 for _ in range(300))
    if interlaced:
        rows = (
            b"\0" + b"\x40\x00" * -(-(900 - x) // across)
            for x, y, across, down in _PASSES
            for _ in range(-(-(300 - y) // down))
        )
    assert is_close(pixel(stored(png(900, 300, 16, 0, rows, interlaced=interlaced), "png")), (64, 64, 64))


@pytest.mark.parametrize("kind", ["jpeg", "webp", "png"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_turns_the_thumbnail_and_the_size(kind: str, orientation: int) -> None:
    image = Pillow.new("RGB", (1200, 800), "blue")
    image.paste("red", (0, 0, 1200, 300))  # the top, as it is stored
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    made = stored(encode(image, kind, exif=exif), kind)
    assert (made.width, made.height) == ((1200, 800) if orientation == 3 else (800, 1200))
    assert shown(made).width == 320
    red = {3: (0.5, 0.9), 6: (0.9, 0.5), 8: (0.1, 0.5)}[orientation]
    assert is_close(pixel(made, *red), RED)


def test_mpo_of_a_phone_is_jpeg() -> None:
    data = encode(
        Pillow.new("RGB", (900, 700), "red"),
        "MPO",
        save_all=True,
        append_images=[Pillow.new("RGB", (900, 700), "blue")],
    )
    made = stored(data, "jpeg")
    assert (made.format, made.data) == ("jpeg", data)
    assert is_close(pixel(made), RED)


def test_a_jpeg_of_cmyk_or_grey_and_a_progressive_one_are_read() -> None:
    for mode, options in (("CMYK", {}), ("L", {}), ("RGB", {"progressive": True})):
        made = stored(encode(Pillow.new("RGB", (1400, 900), "white").convert(mode), "JPEG", **options), "jpeg")
        assert is_close(pixel(made), WHITE)


_URLS: tuple[Callable[[str], str], ...] = (
    lambda body: f"data:image/png;charset=utf-8;base64,{body}",
    lambda body: f"DATA:image/PNG;name=a.png;BASE64,{body}",
    lambda body: f" data: image/png ;base64, {body[:20]}\r\n {body[20:]}\n",
    lambda body: _HEAD + body.rstrip("="),
    lambda body: _HEAD + body.replace("+", "-").replace("/", "_"),
    lambda body: _HEAD + body.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
)


@pytest.mark.parametrize("number", range(len(_URLS)))
def test_data_urls_are_read_as_browsers_write_them(number: int) -> None:
    data = encode(Pillow.radial_gradient("L").crop((0, 0, 37, 41)), "PNG")
    body = base64.b64encode(data).decode()
    assert {"+", "/", "="} <= set(body)
    assert check(_URLS[number](body)).data == data


@pytest.mark.parametrize(
    "url",
    ["", "data:image/png,abc", "data:image/gif;base64,R0lG", "data:image/png;base64,===", "data:image/png;base64,ÿ"],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check(url)


def test_broken_pngs_are_refused() -> None:
    rows = [b"\0" + bytes(range(256)) * 3] * 300
    whole = png(256, 300, 8, 2, rows)
    for broken in (
        png(256, 300, 8, 2, rows[:-1]),
        png(256, 300, 8, 2, [*rows[:-1], b"\7" + rows[0][1:]]),
        whole[: len(whole) // 2],
        whole[:60] + b"\xff" * 40 + whole[100:],
        whole[:24] + b"\x10\x03" + whole[26:],
    ):
        with pytest.raises(Invalid):
            stored(broken, "png")


_MEASURE = """
import asyncio, base64, resource, sys, uuid
from tracker_backend.errors import TooLarge
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.settings import Settings
url = sys.stdin.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    asyncio.run(check_image(ScreenshotRequest(uuid.uuid4(), "https://shop.example/", 0, url), Settings()))
    outcome = "taken"
except TooLarge:
    outcome = "too large"
print(outcome, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def _large(name: str) -> tuple[str, bytes, str]:
    """An image of 40 million pixels or more, what it is, and what becomes of it."""
    pngs = {
        "png": (8000, 5000, 8, 6, 2, 32000, "taken"),
        "png of 16 bits": (8000, 5000, 16, 6, 1, 64000, "taken"),
        "long png": (620, 64000, 8, 2, 4, 1860, "taken"),
        "wide png": (65500, 600, 8, 2, 3, 196500, "taken"),
        "png of 80 million": (8000, 10000, 1, 0, 0, 1000, "too large"),
        "too long png": (10, 65501, 8, 0, 0, 10, "too large"),
    }
    if name in pngs:
        width, height, depth, colour, kind, row, outcome = pngs[name]
        rows = (bytes([kind]) + bytes(row) for _ in range(height))
        return "png", png(width, height, depth, colour, rows), outcome
    if name == "interlaced png":
        return "png", png(8000, 5000, 8, 0, [b"\0"], interlaced=True), "too large"
    if name == "webp of a few bytes":  # a VP8L frame that claims 16383 x 16383
        frame = b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(171)
        return (
            "webp",
            b"RIFF" + struct.pack("<I", 12 + len(frame)) + b"WEBPVP8L" + struct.pack("<I", 176) + frame,
            "too large",
        )
    if name.endswith("webp"):
        return (
            "webp",
            encode(Pillow.new("L", (4000, 10000)), "WEBP", lossless=name == "lossless webp", method=0),
            "taken",
        )
    image = Pillow.new("L", (8000, 5000))
    return "jpeg", encode(image, "JPEG", progressive=name == "progressive jpeg"), "taken"


@pytest.mark.parametrize(
    "name",
    [
        "png", "png of 16 bits", "long png", "wide png", "png of 80 million", "too long png", "interlaced png",
        "webp", "lossless webp", "webp of a few bytes", "jpeg", "progressive jpeg",
    ],
)  # fmt: skip
def test_an_image_of_40_million_pixels_takes_little_memory(name: str) -> None:
    kind, data, outcome = _large(name)
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    made = subprocess.run(
        [sys.executable, "-c", _MEASURE], input=url, capture_output=True, text=True, check=name != "webp"
    )
    found, megabytes = made.stdout.rsplit(" ", 1)
    assert found == outcome
    assert int(megabytes) < (175 if name == "lossless webp" else 120), "the decoded image would take 160 and more"


def test_a_jpeg_of_many_scans_is_refused() -> None:
    data = encode(Pillow.new("RGB", (64, 64), "red"), "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    many = data[:scan] + data[scan : scan + 20] * 200 + data[scan:]
    with pytest.raises((TooLarge, Invalid)):
        stored(many, "jpeg")
