"""Decodes a WebP image at a smaller size, by the libwebp that Pillow brings.

Pillow decodes a WebP as an animation: 15 bytes for each pixel, 600 MB for a long page. libwebp itself scales rows while
it decodes them: a lossy image takes a few megabytes, a lossless one 4 bytes for each pixel.
"""

import ctypes
from importlib.util import find_spec

from PIL import Image as Pillow

_ABI = 0x0200  # libwebp compares the upper byte, 2 since version 0.2 (decode.h, WEBP_DECODER_ABI_VERSION)
_RGBA = 1
_OK = 0


class _Features(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("width", "height", "has_alpha", "has_animation", "format")] + [
        ("pad", ctypes.c_uint32 * 5)
    ]


class _Rgba(ctypes.Structure):
    _fields_ = [("rgba", ctypes.c_void_p), ("stride", ctypes.c_int), ("size", ctypes.c_size_t)]


class _Yuva(ctypes.Structure):
    _fields_ = [
        ("planes", ctypes.c_void_p * 4),
        ("strides", ctypes.c_int * 4),
        ("sizes", ctypes.c_size_t * 4),
    ]


class _Pixels(ctypes.Union):
    _fields_ = [("rgba", _Rgba), ("yuva", _Yuva)]


class _Buffer(ctypes.Structure):
    _fields_ = [
        ("colorspace", ctypes.c_int),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("is_external", ctypes.c_int),
        ("pixels", _Pixels),
        ("pad", ctypes.c_uint32 * 4),
        ("private", ctypes.c_void_p),
    ]


class _Options(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int) for name in ("bypass_filtering", "no_fancy_upsampling", "use_cropping")),
        ("crop", ctypes.c_int * 4),
        *((name, ctypes.c_int) for name in ("use_scaling", "scaled_width", "scaled_height")),
        ("others", ctypes.c_int * 4),
        ("pad", ctypes.c_uint32 * 5),
    ]


class _Config(ctypes.Structure):
    _fields_ = [("input", _Features), ("output", _Buffer), ("options", _Options)]


def _load() -> ctypes.CDLL | None:
    """The libwebp that Pillow's module was linked with, where it is a library of its own."""
    module = find_spec("PIL._webp")
    if module is None or module.origin is None:
        return None
    try:
        library = ctypes.CDLL(module.origin)
        library.WebPDecode.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(_Config))
        library.WebPInitDecoderConfigInternal.argtypes = (ctypes.POINTER(_Config), ctypes.c_int)
        library.WebPFreeDecBuffer.argtypes = (ctypes.POINTER(_Buffer),)
        library.WebPFreeDecBuffer.restype = None
    except (OSError, AttributeError):
        return None
    return library


_library = _load()


def decode_scaled(data: bytes, size: tuple[int, int], factor: int) -> Pillow.Image | None:
    """An image of `size` at one `factor`th of its size; None for an animation, and where libwebp cannot be called.
    ValueError for a broken file.
    """
    config = _Config()
    if _library is None or not _library.WebPInitDecoderConfigInternal(config, _ABI):
        return None
    config.output.colorspace = _RGBA
    width, height = (-(-side // factor) for side in size)
    config.options.use_scaling = int(factor > 1)
    config.options.scaled_width, config.options.scaled_height = width, height
    status = _library.WebPDecode(data, len(data), config)
    try:
        if config.input.has_animation:
            return None
        if status != _OK:
            raise ValueError(f"libwebp's error {status}")
        pixels = config.output.pixels.rgba
        return Pillow.frombytes(
            "RGBA", (width, height), ctypes.string_at(pixels.rgba, pixels.size), "raw", "RGBA", pixels.stride
        )
    finally:
        _library.WebPFreeDecBuffer(config.output)
