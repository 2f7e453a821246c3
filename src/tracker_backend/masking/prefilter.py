"""The prefilter: one RE2 pattern that finds where a JSON text may hold a secret. Most texts do not match, and are not
decoded.

RE2 searches in one pass, and in a time that is linear in the text whatever it holds (2 ms a MB; a search for one word
after another took 15).
"""

from collections.abc import Iterable

import re2

from tracker_backend.masking import words

_GAP = rb"(?:[ +-]|\xc2\xa0|\xe2\x80[\x89\xaf])"
_CARD = (
    rb"(?:[^.\d]|\D\.|^)[2-6]\d{3}(?:%b?\d){9}"
    # Behind a decimal point it is mostly a coordinate; a touched page sends thousands: `{"x":3.4111111111111112,`.
    rb"|\d\.[2-6]\d{3}(?:(?:\d{4})?%b|\d{9,15}[^\d,}\]e])"
) % (_GAP, _GAP)
# The last row: characters that are digits, or that Python takes for an `s` or a `k`.
_MARKS = (
    rb"<(?:input|texta|select|optio)|@|%[0-9a-f][0-9a-f]|&#|\\u|eyj|bearer"
    rb"|\xef\xbc|\xc5\xbf|\xe2\x84\xaa"
)
_I = rb"(?:i|\xc4\xb1)"  # without its dot, too
_LABELS = (
    rb"pass(?:w(?:or)?[dt]|phrase|code)|pwd|secret|ap%b[ _-]?key|token|author%bzat%bon|(?:card|cc)[ _-]?number|cvc|cvv"
    rb"|%bban|ssn"
) % (_I, _I, _I, _I)
_COLON = rb'(?:\\["\\/bfnrt]|[^"\\0-9A-Za-z:=])*[:=]'
_CC = rb'cc(?:[^a-z]|num|exp|csc)|"cc'
_NAMES = "|".join(words.literals()).encode()
"""Parts of the names of members and parameters."""
_NAME_END = rb"[^=&?#;\s\"'<>/]*="
_MEMORY = 32 << 20
"""Bytes that RE2 may take for a pattern, no more than it needs. All words that a project may have need 4 MB to be
taken at all, and room to be searched fast: with 1 MB, 200 words of 20 letters took 400 times as long as with 8.
"""


class Prefilter:
    """Matches whatever may be a secret, a project's own names included: JSON without a match has nothing to mask."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        names = b"|".join((_NAMES, *map(_any_case, own)))
        shapes = rb"%b|%b|(?:%b)%b" % (_CARD, _MARKS, _LABELS, _COLON)
        self._in_strings = _compile(rb"%b|(?:cc|%b)%b" % (shapes, names, _NAME_END))
        self._in_json = _compile(rb"%b|%b|%b" % (shapes, _CC, names))

    def match_end(self, text: bytes, start: int) -> int:
        """Where the first match from `start` on ends, in a string or in the digits of a number; -1 if there is none.

        The match lies in the same string as its last character.
        """
        found = self._in_strings.search(text, start)
        return -1 if found is None else found.end()

    def matches(self, text: bytes) -> bool:
        """Whether a JSON text may hold a secret, names of members included."""
        return self._in_json.search(text) is not None


def _any_case(word: str) -> bytes:
    return b"".join(map(_letter, word))


def _letter(letter: str) -> bytes:
    """RE2 knows capitals of ASCII only, where it reads bytes."""
    if letter.isascii():
        return re2.escape(letter.encode())
    return b"(?:%b)" % b"|".join(re2.escape(form.encode()) for form in {letter, letter.lower(), letter.upper()})


def _compile(pattern: bytes) -> "re2.Regexp":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes as they are, for not every text is UTF-8
    options.case_sensitive = False
    options.never_capture = True
    options.max_mem = _MEMORY
    return re2.compile(pattern, options)
