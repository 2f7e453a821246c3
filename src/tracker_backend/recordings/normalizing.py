"""Rewrites in rrweb events what one player or reader of JSON takes and another does not; all others stay as they came.

| sent | stored |
| --- | --- |
| `timestamp` in epoch seconds, or as a text | epoch milliseconds: players count with it |
| `type` as `"3"` or `3.0` | `3` |
| a number beyond a double: 1e400, 5,000 digits | `null`, as browsers write what they read of it |
"""

import math
import re

import msgspec
import re2
from msgspec import Raw

from tracker_backend.recordings.rrweb_events import Head, decode_head, read_client_time

_EPOCH_SECONDS = range(10**9, 10**11)
"""Times from 2001 on. Smaller ones are no times of a clock, but of a recording that begins at 0: they stay."""
_SUSPECT = rb"[0-9]{309}|[0-9][eE]\+?[0-9]{3}"
_FINE = re.compile(
    rb'(?:[^"0-9]++|"(?:[^"\\]++|\\.)*+"|[0-9][0-9.]{0,300}+(?:[eE][+-]?[0-9]{1,2})?+(?![0-9.eE]))*+', re.DOTALL
)
"""Everything up to the next number that is long or has a large exponent."""
_NUMBER = re.compile(rb"[0-9][0-9.eE+-]*+")
_LONGEST_TYPE = 3  # digits; rrweb has types 0 to 6
_options = re2.Options()
_options.encoding = re2.Options.Encoding.LATIN1
_suspect = re2.compile(_SUSPECT, _options)
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def normalize(event: bytes, place: str) -> tuple[bytes, Head]:
    """An rrweb event's JSON as it is stored, and its head; Invalid with its `place` if it is not an rrweb event."""
    if _suspect.search(event) is not None:
        event = _without_infinities(event)
    head = decode_head(event, place)
    changed: dict[str, Raw] = {}
    if not isinstance(head.type, int) and (kind := _whole_number(head.type)) is not None:
        changed["type"] = Raw(str(kind).encode())
    if isinstance(head.timestamp, str) or _EPOCH_SECONDS.start <= head.timestamp < _EPOCH_SECONDS.stop:
        time = read_client_time(head, place)
        changed["timestamp"] = Raw(_encode(time // 1000 if time % 1000 == 0 else time / 1000))
    if not changed:
        return event, head
    event = _encode({**_members(event), **changed})
    return event, decode_head(event, place)


def _whole_number(value: float | str | None) -> int | None:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) <= _LONGEST_TYPE else None
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _without_infinities(text: bytes) -> bytes:
    parts: list[bytes] = []
    copied = at = 0
    while (match := _FINE.match(text, at)) is not None and match.end() < len(text):
        number = _NUMBER.match(text, match.end())
        if number is None:
            break  # not JSON
        at = number.end()
        if _is_infinite(number.group()):
            begin = number.start()
            parts += (text[copied : begin - (text[begin - 1 : begin] == b"-")], b"null")
            copied = at
    return b"".join((*parts, text[copied:])) if parts else text


def _is_infinite(number: bytes) -> bool:
    try:
        return math.isinf(float(number))
    except ValueError:
        return False  # not JSON
