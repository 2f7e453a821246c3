"""The strings of a JSON text, each once: what a page's secrets are looked for in, before it is decoded.

A page repeats its names and classes thousands of times. Of 250 KB of a recording 30 KB are left, and its 50 words that
secrets come with are looked for in those (1 ms in place of 8).
"""

from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from tracker_backend.ingest.rules import CACHED, CARD, Rules

# Control characters are not legal in JSON, so none of these stands in a text that was decoded before.
_BACKSLASH, _QUOTE = "\x01", "\x02"
_decode = msgspec.json.Decoder(str).decode


def strings_in(text: bytes) -> frozenset[str]:
    """All strings of a valid JSON text, names too, as they are written in it: escaped, UTF-8 read as Latin-1."""
    latin = text.decode("latin-1")
    if "\\" in latin:
        latin = latin.replace("\\\\", _BACKSLASH).replace('\\"', _QUOTE)
    return frozenset(latin.split('"')[1::2])


def secret_strings(rules: Rules, strings: frozenset[str]) -> Iterator[bytes]:
    """Those of these strings that hold a secret, and long ones that may, as they are written in the text."""
    for string in _hinted(rules, strings):
        written = _written(string)
        if _may_hold(rules, written):
            yield b'"%b"' % written


def _hinted(rules: Rules, strings: frozenset[str]) -> set[str]:
    """Strings with one of the words that secrets come with, or with the digits of a card."""
    joined = '"'.join(("", *strings, ""))
    # As masking reads them: what is escaped once more in a string is looked for, too. Places stay the same.
    small = joined.lower().replace(_BACKSLASH, "\\").replace(_QUOTE, '"')
    finders = [partial(small.find, hint) for hint in rules.hints_in(small)]
    # Not in small letters: of a no-break space's two bytes one would be another.
    return {string for find in (*finders, partial(_find_card, joined)) for string in _strings_with(find, joined)}


def _strings_with(find: Callable[[int], int], joined: str) -> Iterator[str]:
    """The strings in which something is found, each once: one of megabytes may hold it a million times."""
    place = find(0)
    while place >= 0:
        end = joined.index('"', place + 1)
        yield joined[joined.rindex('"', 0, place + 1) + 1 : end]
        place = find(end)


def _find_card(joined: str, start: int) -> int:
    found = CARD.search(joined, start)
    return -1 if found is None else found.start()


def _written(string: str) -> bytes:
    return string.replace(_QUOTE, '\\"').replace(_BACKSLASH, "\\\\").encode("latin-1")


def _may_hold(rules: Rules, written: bytes) -> bool:
    if len(written) > CACHED:
        return True
    try:
        text = _decode(b'"%b"' % written)
    except msgspec.MsgspecError:
        return True
    return rules.text(text) != text
