"""LZ-String (npm `lz-string` 1.5), in any of its encodings, back to the JSON that was compressed.

The format is LZ78 over UTF-16 code units. A stream is a row of codes, each read low bit first, whose width grows with
the dictionary: 0 and 1 bring a new unit of 8 or 16 bits, 2 ends the stream, the rest name a dictionary entry. The
encodings put 6, 15 or 16 bits of it into a character, high bit first.

The output can be quadratic in the input, and so could a dictionary of strings. Here an entry is two positions in the
output, so that memory is bounded by the limit and the input, and a code costs the same however long its text is.
"""

import binascii
import re
import struct
import sys
from array import array
from collections.abc import Iterator

import msgspec

from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.text_cleaning import clean_json

# Base64, and the URI alphabet, which differs in the 64th digit and may have had its `+` read as a space.
_SIX_BITS = re.compile(r"[A-Za-z0-9+/ -]+[=$]*")
_SAME_DIGITS = bytes.maketrans(b"- ", b"/+")
_FIFTEEN_BITS = re.compile("[ -\u801f]+")  # compressToUTF16 adds 32 to each 15 bits
_PLAIN = re.compile(r"[ \t\r\n]*[\[{]")
_STARTS = frozenset(b"[{ \t\r\n")
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LITERAL_8, _LITERAL_16, _END = 0, 1, 2


class _NotThis(Exception):
    """The text is not in the encoding that was tried; the message says why, after "as base64"."""


def decompress(text: str, limit: int) -> bytes:
    """The JSON array or object that a compressed text holds, as UTF-8 of at most `limit` bytes; plain JSON text too.

    The characters of `text` are taken as UTF-16, lone surrogates and U+0000 included: `compress()` makes both. The
    answer has been through `clean_json`. Raises Invalid when no encoding gives JSON, TooLarge over the limit.
    """
    reasons: list[str] = []
    bomb: TooLarge | None = None
    for name, decode in (("plain", _plain), ("base64", _six_bits), ("UTF-16", _fifteen_bits), ("raw", _sixteen_bits)):
        # Few texts fit two encodings, and in a wrong one nearly all end at the first unit, which must begin JSON. So
        # neither a wrong guess nor the bomb that it may turn out to be takes the right one's place.
        try:
            units = decode(text, limit)
            return _check_json(units, limit)
        except TooLarge as error:
            bomb = error
        except _NotThis as error:
            if error.args:
                reasons.append(f"as {name} {error}")
    if bomb is not None:
        raise bomb
    raise Invalid(
        "the text is not LZ-String compressed JSON: "
        + ("; ".join(reasons) or "it is empty")
        + ". Send what compress, compressToUTF16, compressToBase64 or compressToEncodedURIComponent made, unchanged."
    )


def _check_json(units: bytes | bytearray, limit: int) -> bytes:
    """UTF-16 to clean UTF-8 that is JSON; a lone surrogate becomes U+FFFD, as it does in a browser."""
    json = units.decode("utf-16-le", "replace").encode()
    if len(json) > limit:
        raise _too_large(limit)
    json = clean_json(json, keep_null=True)
    try:
        msgspec.json.decode(json, type=msgspec.Raw)
    except msgspec.MsgspecError as error:
        raise _NotThis(f"it decodes to a text that is not JSON ({error})") from error
    except RecursionError as error:
        raise _NotThis("it decodes to JSON that is nested too deep") from error
    return json


def _plain(text: str, limit: int) -> bytes:
    if _PLAIN.match(text) is None:
        raise _NotThis
    if len(text) > limit:
        raise _too_large(limit)
    return text.encode("utf-16-le", "surrogatepass")


def _six_bits(text: str, limit: int) -> bytearray:
    if _SIX_BITS.fullmatch(text) is None:
        raise _NotThis
    digits = text.rstrip("=$").encode("ascii").translate(_SAME_DIGITS)
    digits += b"A" * (-len(digits) % 4)  # zero bits, which a stream may end in anyway
    return _unpack(*_words(binascii.a2b_base64(digits)), limit)


def _fifteen_bits(text: str, limit: int) -> bytearray:
    if _FIFTEEN_BITS.fullmatch(text) is None:
        raise _NotThis
    units = text.encode("utf-16-be")
    # All units at once: each is at least 32, so that as one number none borrows from the next.
    shifted = int.from_bytes(units, "big") - int.from_bytes(b"\0\x20" * len(text), "big")
    return _unpack(_words_of_60(shifted.to_bytes(len(units), "big")), 60, limit)


def _sixteen_bits(text: str, limit: int) -> bytearray:
    if not text:
        raise _NotThis
    return _unpack(*_words(text.encode("utf-16-be", "surrogatepass")), limit)


def _words(data: bytes) -> tuple[Iterator[int], int]:
    """The stream as numbers of 64 bits, the first bit lowest; the last is zero, as the end may lack its zero bits."""
    words = array("Q", data.translate(_REVERSED) + bytes(8 + -len(data) % 8))
    if sys.byteorder == "big":
        words.byteswap()
    return iter(words), 64


def _words_of_60(data: bytes) -> Iterator[int]:
    """The same of 16-bit units whose highest bit is not of the stream: reversed it is the lowest, and shifted out."""
    padded = data.translate(_REVERSED) + bytes(8 + -len(data) % 8)
    for a, b, c, d in struct.iter_unpack("<4H", padded):
        yield a >> 1 | b << 14 | c << 29 | d << 44


def _unpack(words: Iterator[int], size: int, limit: int) -> bytearray:
    """Decodes a stream that comes in words of `size` bits to UTF-16-LE; TooLarge over `limit` units."""
    try:
        return _run(words, size, limit * 2)
    except StopIteration:
        raise _NotThis("it ends too early") from None


# One function: a call would cost as much as the rest of a code, and a body can hold four million.
def _run(words: Iterator[int], size: int, limit: int) -> bytearray:  # noqa: C901, PLR0912, PLR0915
    bits, have = next(words), size
    code = bits & 3
    if code > _LITERAL_16:
        raise _NotThis("it holds nothing" if code == _END else "it does not begin like LZ-String")
    unit = bits >> 2 & (0xFFFF if code else 0xFF)
    if unit not in _STARTS:
        raise _NotThis("it does not begin like JSON")
    used = 18 if code else 10
    bits, have = bits >> used, have - used

    out = bytearray((unit, 0))
    # Entry n is out[starts[n]:ends[n]]. Both columns have the 3 special codes and the first unit.
    starts, ends = array("I", (0, 0, 0, 0)), array("I", (0, 0, 0, 2))
    add_start, add_end = starts.append, ends.append
    entries, full, width, mask = 4, 8, 3, 7
    last, end = 0, 2  # where the entry before this one begins and ends
    while True:
        if have < width:
            bits |= next(words) << have
            have += size
        code = bits & mask
        bits >>= width
        have -= width
        begin = end
        if code > _END:
            if code < entries:
                first = starts[code]
                out += out[first : ends[code]]
            elif code == entries:  # the entry that this code is about to make: the one before, and its first unit again
                out += out[last:begin]
                out += out[last : last + 2]
            else:
                raise _NotThis("it holds a code that is not defined yet")
            end = len(out)
        elif code == _END:
            return out
        else:
            if have < 16:
                bits |= next(words) << have
                have += size
            if code == _LITERAL_16:
                out += (bits & 0xFFFF).to_bytes(2, "little")
                bits >>= 16
                have -= 16
            else:
                out += (bits & 0xFF).to_bytes(2, "little")
                bits >>= 8
                have -= 8
            end = begin + 2
            add_start(begin)
            add_end(end)
            entries += 1
        if end > limit:
            raise _too_large(limit // 2)
        add_start(last)
        add_end(begin + 2)
        last = begin
        entries += 1
        if entries >= full:
            width += 1
            full <<= 1
            mask = full - 1


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the text decompresses to more than {limit} bytes: send smaller batches.")
