"""Makes a screenshot's thumbnail and reduces the image while it is decoded, so that memory never holds all of it.

| format | how | memory of 40 million pixels |
| --- | --- | --- |
| JPEG | decoded at 1/2, 1/4 or 1/8 of its size | at most 64 MB |
| progressive JPEG | the same; libjpeg holds the coefficients of all pixels, 2 bytes each | 120 MB as 4:2:0 |
| PNG | in strips, each reduced at once | 10 MB |
| WebP | scaled by libwebp | 160 MB if it is lossless, else 5 MB |
| interlaced PNG, animated WebP | whole, so fewer pixels are taken | - |
"""

import io

from PIL import Image as Pillow
from PIL import ImageOps, JpegImagePlugin, PngImagePlugin

from tracker_backend.errors import TooLarge
from tracker_backend.ingest.png_strips import is_interlaced, png_strips
from tracker_backend.ingest.webp_scaled import decode_scaled

WIDTH = 320
_HEIGHT = 1280  # a long page's thumbnail shows its top
_WHOLE = 8_000_000  # pixels of an image that is decoded whole: an animated WebP takes up to 20 bytes for each, 150 MB
_DECODED = 16_000_000  # pixels of an image after its first reduction, 4 bytes each
_COEFFICIENTS = 80_000_000  # of 2 bytes; 40 million pixels as 4:2:0 have 60 million
_MOST_SCANS = 100  # each is a pass over all pixels; encoders write about 10
_LARGEST_FACTOR = 16  # of a strip's reduction: a strip has as many rows at least
_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_REDUCIBLE = ("RGB", "RGBA", "L", "LA", "CMYK")  # the modes whose neighbours can be averaged


def orientation_of(image: Pillow.Image) -> int:
    """The EXIF orientation of an opened image, 1 to 8: 5 and more lie on their side."""
    try:
        exif = Pillow.Exif()
        exif.load(image.info.get("exif", b""))
        value: object = exif.get(_ORIENTATION)
    except Exception:  # whatever Pillow raises for broken EXIF: the image itself can be read
        return 1
    return value if isinstance(value, int) and 1 <= value <= max(_SIDEWAYS) else 1


def is_sideways(image: Pillow.Image) -> bool:
    """Whether a viewer shows an opened image with width and height exchanged."""
    return orientation_of(image) in _SIDEWAYS


def thumbnail(image: Pillow.Image, data: bytes) -> bytes:
    """A JPEG of the top of the page, at most 320 pixels wide, on white; all of the image is decoded for it.

    TooLarge for an image that cannot be reduced while it is decoded and has too many pixels for that.
    """
    orientation = orientation_of(image)
    rows = image.height if orientation > 1 else min(image.height, max(_HEIGHT, image.width * _HEIGHT // WIDTH))
    factor = max(1, (image.height if orientation in _SIDEWAYS else image.width) // WIDTH)
    if isinstance(image, PngImagePlugin.PngImageFile) and not is_interlaced(data):
        shrunk = _reduce_strips(image, data, factor, rows)
    elif image.format == "WEBP" and (scaled := _scaled_webp(image, data, factor)) is not None:
        shrunk = _on_white(scaled)
    else:
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            factor = _draft(image, data, factor)
        elif image.width * image.height > _WHOLE:
            what = "an interlaced PNG" if image.format == "PNG" else "an animated WebP"
            raise TooLarge(
                f"{what} has {image.width} x {image.height} pixels, more than {_WHOLE}: send a JPEG, or a PNG that"
                " is not interlaced."
            )
        image.load()
        if orientation == 1:
            image = image.crop((0, 0, image.width, min(image.height, max(_HEIGHT, image.width * _HEIGHT // WIDTH))))
        shrunk = _on_white(_reduce(image, factor))
    if orientation > 1:
        shrunk.getexif()[_ORIENTATION] = orientation
        shrunk = ImageOps.exif_transpose(shrunk)
    shrunk.thumbnail((WIDTH, max(1, shrunk.height)))  # never less than a pixel high
    shrunk = shrunk.crop((0, 0, shrunk.width, min(shrunk.height, _HEIGHT)))
    out = io.BytesIO()
    shrunk.save(out, "JPEG", quality=75, exif=b"")
    return out.getvalue()


def _draft(image: JpegImagePlugin.JpegImageFile, data: bytes, factor: int) -> int:
    """Lets a JPEG be decoded at a fraction of its size; by how much it must still be reduced."""
    scans = _scans(data)
    parts = image.layer
    most = max((across * down for _, across, down, _ in parts), default=1)
    values = image.width * image.height * sum(across * down for _, across, down, _ in parts) // most
    if scans > _MOST_SCANS:
        raise TooLarge(f"the JPEG has {scans} scans, more than {_MOST_SCANS}: save it as a baseline JPEG.")
    if ("progressive" in image.info or scans > 1) and values > _COEFFICIENTS:
        raise TooLarge(
            f"the progressive JPEG has {image.width} x {image.height} pixels in full colour, which take too much"
            " memory: save it as a baseline JPEG."
        )
    scale = next(each for each in (8, 4, 2, 1) if each <= factor)
    while scale < 8 and image.width * image.height > _DECODED * scale * scale:
        scale *= 2
    image.draft(image.mode, (max(1, image.width // scale), max(1, image.height // scale)))
    return max(1, factor // scale)


def _scans(data: bytes) -> int:
    """How many scans a JPEG has, of all its pictures; in the data of a scan 0xFF is never followed by 0xDA."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return max(1, data.count(b"\xff\xda", at))


def _scaled_webp(image: Pillow.Image, data: bytes, factor: int) -> Pillow.Image | None:
    while image.width * image.height > _DECODED * factor * factor:
        factor += 1
    return decode_scaled(data, image.size, factor)


def _reduce_strips(image: PngImagePlugin.PngImageFile, data: bytes, factor: int, rows: int) -> Pillow.Image:
    """The upper `rows` of a PNG, reduced; the others are decoded only."""
    factor = min(factor, _LARGEST_FACTOR)
    while image.width * rows > _DECODED * factor * factor:
        factor += 1
    canvas = Pillow.new("RGB", (-(-image.width // factor), -(-rows // factor)), "white")
    top = 0
    for strip in png_strips(image, data, factor):
        if top < canvas.height:
            reduced = _on_white(_reduce(strip, factor))
            canvas.paste(reduced, (0, top))
            top += reduced.height
    return canvas


def _eight_bits(image: Pillow.Image) -> Pillow.Image:
    """Grey of 16 bits as grey of 8; Pillow's own conversion takes all above 255 for white."""
    if image.mode != "I;16":
        return image
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")  # pyright: ignore[reportUnknownMemberType]


def _reduce(image: Pillow.Image, factor: int) -> Pillow.Image:
    image = _eight_bits(image)
    if "transparency" in image.info or image.mode not in _REDUCIBLE:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.reduce(factor) if factor > 1 else image


def _on_white(image: Pillow.Image) -> Pillow.Image:
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    image = image.convert("RGBA")
    ground = Pillow.new("RGBA", image.size, "white")
    ground.alpha_composite(image)
    return ground.convert("RGB")
