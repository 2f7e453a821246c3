"""Makes a JSON text one that PostgreSQL can hold, before it is decoded.

U+0000 and lone surrogates are legal in JSON and are sent by browsers, but no PostgreSQL text or jsonb holds them. Each
becomes U+FFFD, wherever it stands: in values, names and nested data. So no later step can meet one.
"""

import re

import msgspec

from tracker_backend.errors import Invalid

_ESCAPE = re.compile(
    rb"\\(?:"
    rb"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair: one character, fine
    rb"|(?P<bad>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)",  # any other escape, so that the u0000 of `\\u0000` is not taken for one
    re.DOTALL,
)


def _replace(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match["bad"] else match[0]


def clean_json(text: bytes) -> bytes:
    """The text with U+0000, lone surrogates and bytes that are not UTF-8 replaced by U+FFFD; mostly the same object."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode(errors="replace").encode()
    if b"\\u" in text:
        text = _ESCAPE.sub(_replace, text)
    return text


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
