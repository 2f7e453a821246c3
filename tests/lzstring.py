"""LZ-String, code by code: also streams that its library would never make."""

import base64
from collections.abc import Sequence


def lz(codes: Sequence[int | str]) -> str:
    """Base64 of a stream of the codes, a text standing for the literal of its one unit."""
    bits, width, entries = "", 2, 3
    for code in codes:
        if isinstance(code, str):
            size = 8 if code < "\u0100" else 16
            bits += f"{size // 16:0{width}b}"[::-1] + f"{ord(code):0{size}b}"[::-1]
        else:
            bits += f"{code:0{width}b}"[::-1]
        entries += 1 if isinstance(code, int) or entries == 3 else 2
        width = max(3, entries.bit_length())
    bits += "0" * (-len(bits) % 8)
    return base64.b64encode(int(bits, 2).to_bytes(len(bits) // 8, "big")).decode()
