"""Replaces in JSON texts, before they are decoded, what PostgreSQL cannot store and no decoder reads.

JSON may contain U+0000 and lone surrogates, and browsers send them, but PostgreSQL's text and jsonb cannot store them.
Each is replaced by U+FFFD, in values, names and nested data, so that no later step has to handle them. NaN and infinite
numbers, which some libraries write, become texts.
"""

import re
from collections.abc import Iterator

import msgspec
import re2

from tracker_backend.errors import Invalid
from tracker_backend.json_depth import MAX_DATA_DEPTH, is_deeper

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})")
_REPLACEMENT = rb"\ufffd"
_BACKSLASH = 0x5C


# What some libraries write as a number; it may also stand inside a text.
_NO_NUMBER = rb"-?(?:NaN|Infinity)"
_UNUSUAL = re2.compile(rb"[:,\[\s]" + _NO_NUMBER)
# Up to the first one that stands outside of texts, from a place outside of them. Without groups, RE2 reads it in one
# pass without a list of alternatives.
_TO_UNUSUAL = re2.compile(rb'(?s)(?:"(?:[^"\\]|\\.)*"|[^"])*?' + _NO_NUMBER)
_LETTERS = b"-NaInfity"
_MOST_UNUSUAL = 10_000  # each takes 2 µs


def clean_json(text: bytes, *, keep_null: bool = False) -> bytes:
    """Return the text with U+0000, lone surrogates and invalid UTF-8 replaced by U+FFFD, NaN and infinite numbers in
    quotes; usually the same object.

    `keep_null` is for what is not stored in columns of text: in recordings, binary data in strings holds U+0000.
    """
    if _UNUSUAL.search(text) is not None:
        text = _with_quoted_numbers(text)
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode(errors="replace").encode()
    if b"\\u" not in text:
        return text
    parts: list[bytes] = []
    copied = 0
    for start in _bad_escapes(text, keep_null=keep_null):
        parts += (text[copied:start], _REPLACEMENT)
        copied = start + len(_REPLACEMENT)
    return b"".join((*parts, text[copied:])) if parts else text


def _with_quoted_numbers(text: bytes) -> bytes:
    """The text with what is no number for JSON in quotes."""
    parts: list[bytes] = []
    copied = 0
    while (found := _TO_UNUSUAL.match(text, copied)) is not None:
        before = found[0].rstrip(_LETTERS)
        parts.append(b'%b"%b"' % (before, found[0][len(before) :]))
        if len(parts) > _MOST_UNUSUAL:
            raise Invalid(f"the body holds more than {_MOST_UNUSUAL} values that are NaN or infinite: send null.")
        copied = found.end()
    return b"".join((*parts, text[copied:]))


def _bad_escapes(text: bytes, *, keep_null: bool) -> Iterator[int]:
    """Yield the positions of escapes of U+0000 and of lone surrogates."""
    high = -1  # position of a high surrogate whose low surrogate has not come yet
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
        if is_real and high < 0 and (is_surrogate or not keep_null):
            yield start
    if high >= 0:
        yield high


def _is_escape(text: bytes, start: int) -> bool:
    """Return whether the backslash at `start` begins an escape, that is, is not escaped itself."""
    first = start
    while first and text[first - 1] == _BACKSLASH:
        first -= 1
    return (start - first) % 2 == 0


# May also match inside a string, such as the id 3e4567.
_LARGE_EXPONENT = re.compile(rb"[0-9][eE][+-]?[0-9]{3}")
_MAX_EXPONENT = 400  # doubles, as which browsers read numbers, end at 308


def _check_number(text: str) -> float:
    exponent = text.lower().partition("e")[2]
    if exponent and abs(int(exponent)) > _MAX_EXPONENT:
        raise ValueError(text)
    return 0.0


_numbers = msgspec.json.Decoder(float_hook=_check_number)


def check_numbers(json: bytes | msgspec.Raw, field: str) -> None:
    """Raise Invalid, with the field, for numbers beyond a double: jsonb would return them with up to 131,072 digits;
    and for more levels than all readers of JSON have.
    """
    if is_deeper(json, MAX_DATA_DEPTH):
        raise Invalid(f"`{field}` is nested too deeply: more than {MAX_DATA_DEPTH} levels. Send flatter JSON.")
    if _LARGE_EXPONENT.search(json) is None:
        return
    try:
        _numbers.decode(json)
    except msgspec.MsgspecError as error:
        raise Invalid(f"`{field}` holds a number beyond what a double can hold: {error}.") from error


def clean_text(text: str) -> str:
    """Do the same for a text that is not JSON, such as a header or a query parameter."""
    if text.isprintable():
        return text
    return text.replace("\0", "\ufffd").encode(errors="surrogatepass").decode(errors="replace")
