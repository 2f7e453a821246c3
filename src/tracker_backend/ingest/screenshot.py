"""Decodes a screenshot and checks it against its own header, off the event loop and one at a time."""

import asyncio
import base64
import binascii
import hashlib
import io
import re
import struct
import zlib

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.ingest.batch import Image
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.settings import Settings

THUMBNAIL_WIDTH = 320
_THUMBNAIL_HEIGHT = 1280  # a long page's thumbnail shows its top
_FORMATS = ("JPEG", "PNG", "WEBP")
_DATA_URL = re.compile(r"data:image/(?P<type>jpeg|jpg|png|webp);base64,", re.IGNORECASE)
_REDUCIBLE = ("RGB", "RGBA", "L", "LA")  # the modes whose neighbours can be averaged, before any copy in full size
# What Pillow's readers raise on broken files.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, LookupError, struct.error, zlib.error)
Pillow.MAX_IMAGE_PIXELS = None  # it warns first and refuses at twice its limit; the check below refuses at ours
_slot = asyncio.Semaphore(1)  # a decoded page takes up to 4 bytes a pixel, 320 MB at the limit: never two at once


async def check_image(sent: ScreenshotRequest, settings: Settings) -> Image:
    """The image of an upload; TooLarge over the limits of bytes or pixels, Invalid when it is not what it says."""
    header = _DATA_URL.match(sent.image_data)
    if header is None:
        raise Invalid("`image_data` must begin with `data:image/jpeg;base64,` (or png or webp).")
    if (len(sent.image_data) - header.end()) * 3 // 4 > settings.max_image + 2:
        raise TooLarge(f"the image is larger than {settings.max_image} bytes: lower its quality or its size.")
    async with _slot:
        return await asyncio.to_thread(_check, sent, header, settings)


def _check(sent: ScreenshotRequest, header: re.Match[str], settings: Settings) -> Image:
    try:
        data = base64.b64decode(sent.image_data[header.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(f"`image_data` is not valid base64: {error}.") from error
    if len(data) > settings.max_image:
        raise TooLarge(f"the image is larger than {settings.max_image} bytes: lower its quality or its size.")
    declared = header["type"].lower().replace("jpg", "jpeg")
    try:
        with Pillow.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            kind = (image.format or "").lower()
            if kind != declared:
                raise Invalid(f"`image_data` says image/{declared}, but its bytes are {kind}.")
            if width * height > settings.max_image_pixels:
                raise TooLarge(
                    f"the image has {width} x {height} pixels, more than {settings.max_image_pixels}: scale it down."
                )
            thumbnail = _thumbnail(image)
    except UnidentifiedImageError as error:
        raise Invalid("`image_data` is not a JPEG, PNG or WebP image.") from error
    except _UNREADABLE as error:
        raise Invalid(f"`image_data` is not an image that can be read: {error}.") from error
    return Image(sent.page_url, kind, width, height, hashlib.sha256(data).digest(), data, thumbnail)


def _thumbnail(image: Pillow.Image) -> bytes:
    """A small JPEG of the top of the page; making it decodes the image, which proves that all of it can be."""
    scale = max(1, image.width // THUMBNAIL_WIDTH)
    image.draft("RGB", (image.width // scale, image.height // scale))  # JPEG decodes at a fraction of its size
    image.load()
    shrunk = image.reduce(scale) if image.mode in _REDUCIBLE and scale > 1 else image
    shrunk = shrunk.convert("RGB")
    shrunk.thumbnail((THUMBNAIL_WIDTH, image.height))  # never less than a pixel high
    shrunk = shrunk.crop((0, 0, shrunk.width, min(shrunk.height, _THUMBNAIL_HEIGHT)))
    out = io.BytesIO()
    shrunk.save(out, "JPEG", quality=75)
    return out.getvalue()
