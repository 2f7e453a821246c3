"""Makes a JSON text one that PostgreSQL can hold, before it is decoded.

U+0000 and lone surrogates are legal in JSON and are sent by browsers, but no PostgreSQL text or jsonb holds them. Each
becomes U+FFFD, wherever it stands: in values, names and nested data. So no later step can meet one.
"""

import re
from collections.abc import Iterator

import msgspec

from tracker_backend.errors import Invalid

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})")
_REPLACEMENT = rb"\ufffd"
_BACKSLASH = 0x5C


def clean_json(text: bytes) -> bytes:
    """The text with U+0000, lone surrogates and bytes that are not UTF-8 replaced by U+FFFD; mostly the same object."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode(errors="replace").encode()
    if b"\\u" not in text:
        return text
    parts: list[bytes] = []
    copied = 0
    for start in _bad_escapes(text):
        parts += (text[copied:start], _REPLACEMENT)
        copied = start + len(_REPLACEMENT)
    return b"".join((*parts, text[copied:])) if parts else text


def _bad_escapes(text: bytes) -> Iterator[int]:
    """Where the escapes of U+0000 and of surrogates without a partner begin."""
    high = -1  # where a high surrogate begins that still needs its partner
    for match in _SUSPECT.finditer(text):
        start = match.start()
        follows = high >= 0 and start == high + len(_REPLACEMENT)
        is_real = follows or _is_escape(text, start)
        is_surrogate = is_real and text[start + 2] != ord("0")
        is_low = is_surrogate and text[start + 3] in b"cCdDeEfF"
        if high >= 0 and not (follows and is_low):
            yield high
        elif high >= 0:
            high = -1
            continue
        high = start if is_surrogate and not is_low else -1
        if is_real and high < 0:
            yield start
    if high >= 0:
        yield high


def _is_escape(text: bytes, start: int) -> bool:
    """Whether the backslash there is one, or escaped itself by the one before it."""
    first = start
    while first and text[first - 1] == _BACKSLASH:
        first -= 1
    return (start - first) % 2 == 0


# Only a suspicion: it may stand in a text, such as the id 3e4567.
_LARGE_EXPONENT = re.compile(rb"[0-9][eE][+-]?[0-9]{3}")
_MAX_EXPONENT = 400  # a double, which is what every browser reads numbers as, ends at 308


def _check_number(text: str) -> float:
    exponent = text.lower().partition("e")[2]
    if exponent and abs(int(exponent)) > _MAX_EXPONENT:
        raise ValueError(text)
    return 0.0


_numbers = msgspec.json.Decoder(float_hook=_check_number)


def check_numbers(json: bytes | msgspec.Raw, field: str) -> None:
    """Refuses numbers that are short as they are sent and 131,072 digits long as jsonb gives them back; Invalid names
    the field.
    """
    if _LARGE_EXPONENT.search(json) is None:
        return
    try:
        _numbers.decode(json)
    except msgspec.MsgspecError as error:
        raise Invalid(f"`{field}` holds a number beyond what a double can hold: {error}.") from error


def clean_text(text: str) -> str:
    """The same for a text that did not come as JSON (a header, a query parameter)."""
    if text.isprintable():
        return text
    return text.replace("\0", "\ufffd").encode(errors="surrogatepass").decode(errors="replace")
