"""Decodes base64 as clients write it: standard or URL-safe, with or without padding, with white space."""

import binascii

_STANDARD = bytes.maketrans(b"-_", b"+/")
_SPACE = b" \t\r\n\v\f"


def from_base64(text: str) -> bytes:
    """The bytes that a base64 text stands for; ValueError with the reason if it is not one."""
    if not text.isascii():
        raise ValueError("it holds characters that are not ASCII")
    digits = text.encode().translate(_STANDARD, _SPACE).rstrip(b"=")
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4), strict_mode=True)
