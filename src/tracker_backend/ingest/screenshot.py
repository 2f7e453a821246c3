"""Decodes a screenshot and checks it against its own header, off the event loop and one at a time."""

import asyncio
import hashlib
import io
import struct
import zlib
from urllib.parse import unquote

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.ingest.base64_text import from_base64
from tracker_backend.ingest.batch import Image
from tracker_backend.ingest.thumbnail import WIDTH, is_sideways, thumbnail
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.settings import Settings

THUMBNAIL_WIDTH = WIDTH
_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp"}
"""What Pillow's formats are stored as. Phones write MPO: JPEGs one after the other, of which viewers show the first."""
_LONGEST_SIDE = 65_500  # of a JPEG
_TYPES = {"image/jpeg": "jpeg", "image/jpg": "jpeg", "image/png": "png", "image/webp": "webp"}
_HEADER_LENGTH = 1000
# What Pillow's readers raise on broken files.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, LookupError, struct.error, zlib.error)
Pillow.MAX_IMAGE_PIXELS = None  # it warns first and refuses at twice its limit; the check below refuses at ours
_slot = asyncio.Semaphore(1)  # a decoded image takes up to 160 MB: never two at once


async def check_image(sent: ScreenshotRequest, settings: Settings) -> Image:
    """The image of an upload; TooLarge over the limits of bytes or pixels, Invalid when it is not what it says."""
    declared, start = _read_header(sent.image_data)
    async with _slot:
        return await asyncio.to_thread(_check, sent, declared, start, settings)


def _read_header(url: str) -> tuple[str, int]:
    """The format that a data URL names, and where its base64 begins; parameters such as a charset are skipped."""
    comma = url.find(",", 0, _HEADER_LENGTH)
    scheme, _, rest = url[: max(comma, 0)].strip().lower().partition(":")
    kind, *parameters = [part.strip() for part in rest.split(";")]
    if scheme != "data" or kind not in _TYPES or parameters[-1:] != ["base64"]:
        raise Invalid("`image_data` must begin with `data:image/jpeg;base64,` (or png or webp).")
    return _TYPES[kind], comma + 1


def _check(sent: ScreenshotRequest, declared: str, start: int, settings: Settings) -> Image:
    text = sent.image_data[start:]
    try:
        data = from_base64(unquote(text) if "%" in text else text)
    except ValueError as error:
        raise Invalid(f"`image_data` is not valid base64: {error}.") from error
    if len(data) > settings.max_image:
        raise TooLarge(f"the image is larger than {settings.max_image} bytes: lower its quality or its size.")
    try:
        with Pillow.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"]) as image:
            width, height = image.size
            kind = _FORMATS.get(image.format or "", "")
            if kind != declared:
                raise Invalid(f"`image_data` says image/{declared}, but its bytes are {kind}.")
            if width * height > settings.max_image_pixels or max(width, height) > _LONGEST_SIDE:
                raise TooLarge(
                    f"the image has {width} x {height} pixels, more than {settings.max_image_pixels} or more than"
                    f" {_LONGEST_SIDE} on one side: scale it down."
                )
            if is_sideways(image):
                width, height = height, width
            small = thumbnail(image, data)
    except UnidentifiedImageError as error:
        raise Invalid("`image_data` is not a JPEG, PNG or WebP image.") from error
    except _UNREADABLE as error:
        raise Invalid(f"`image_data` is not an image that can be read: {error}.") from error
    return Image(sent.page_url, kind, width, height, hashlib.sha256(data).digest(), data, small)
