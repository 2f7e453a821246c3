"""The strings of a JSON text that hold a secret, found before it is decoded."""

import re
from collections.abc import Iterator

import msgspec

from tracker_backend.ingest.rules import CACHED, Rules

_REST = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_decode = msgspec.json.Decoder(str).decode


def secret_strings(rules: Rules, text: bytes) -> Iterator[bytes]:
    """Strings of a valid JSON text that hold a secret, and long ones that may: each once, as it is written, with its
    quotes.
    """
    seen: set[bytes] = set()
    for string in _hinted(rules, text):
        if string not in seen:
            seen.add(string)
            if _may_hold(rules, string):
                yield string


def _hinted(rules: Rules, text: bytes) -> Iterator[bytes]:
    """Strings with a hint of a secret."""
    at = 0  # outside of all strings: which quotes are escaped is told from their left
    while (end := rules.hints.end(text, at)) >= 0:
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
