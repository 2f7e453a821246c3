"""Reads JSON as masking needs it: whatever the door took is read, or replaced as a whole.

Numbers that Python has no value for (1e309) stay as they are written.
"""

from typing import Any

import msgspec
from msgspec import Raw

from tracker_backend.masking.patterns import MASK

UNREADABLE = (msgspec.MsgspecError, RecursionError, OverflowError, ValueError)
"""What `decode` and `encode` raise for a text nested too deeply, or with an integer of more than 4,300 digits."""
CLOSED = b'{"masked":"%b"}' % MASK.encode()
"""In place of an object that cannot be read, and so not be searched."""


def _as_written(number: str) -> Raw:
    return Raw(number.encode())


_decode = msgspec.json.Decoder().decode
_decode_exactly = msgspec.json.Decoder(float_hook=_as_written).decode
encode = msgspec.json.Encoder().encode


def decode(text: bytes | Raw) -> Any:
    """The value of a JSON text; `UNREADABLE` if it has none."""
    try:
        return _decode(text)
    except msgspec.MsgspecError:
        return _decode_exactly(text)


def closed(text: bytes) -> bytes:
    """What replaces a text that cannot be read: an object for an object."""
    return CLOSED if text.lstrip()[:1] == b"{" else b'"%b"' % MASK.encode()
