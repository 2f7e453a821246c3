"""The strings of a JSON text that hold a secret, found before it is decoded."""

from collections.abc import Iterator

import msgspec

from tracker_backend.masking.caching import CACHED
from tracker_backend.masking.prefilter import compile_bytes
from tracker_backend.masking.rules import Rules

_MOST_MATCHES = 2000  # 10 ms
_REST = compile_bytes(rb'(?s)[^"\\]*(?:\\.[^"\\]*)*"')
_decode = msgspec.json.Decoder(str).decode


def secret_strings(rules: Rules, text: bytes) -> Iterator[bytes]:
    """Strings of a valid JSON text that hold a secret, and long ones that may: each once, as it is written, with its
    quotes. The empty string, which is in every text, ends them where there are too many to look at each.
    """
    seen: set[bytes] = set()
    for string in _candidates(rules, text):
        if string not in seen:
            seen.add(string)
            if not string or _may_hold(rules, string):
                yield string


def _candidates(rules: Rules, text: bytes) -> Iterator[bytes]:
    """Strings that match the prefilter, and the empty one after too many matches."""
    matches = 0
    at = 0  # outside of all strings: whether a quote is escaped depends on what precedes it
    while (end := rules.prefilter.match_end(text, at)) >= 0:
        matches += 1
        if matches > _MOST_MATCHES:
            yield b""
            return
        last = end - 1
        before = text[at:last].replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
        if before.count(b'"') % 2 == 0:
            at = end  # the digits of a number
            continue
        rest = _REST.match(text, last)
        end = len(text) if rest is None else rest.end()
        yield text[at + before.rindex(b'"') : end]
        at = end


def _may_hold(rules: Rules, written: bytes) -> bool:
    if len(written) > CACHED:
        return True
    try:
        text = _decode(written)
    except msgspec.MsgspecError:
        return True
    return rules.text(text) != text
