"""The prefilter: one RE2 pattern that finds where a JSON text may hold a secret. Most texts do not match, and are not
decoded.

RE2 searches in one pass, and in a time that is linear in the text whatever it holds (2 ms a MB; a search for one word
after another took 15).
"""

from collections.abc import Iterable

import re2

from tracker_backend.masking import words

_GAP = rb"(?:[ +.-]|\xc2\xa0|\xe2\x80[\x89\xaf])"
_CARD = (
    rb"(?:[^.\d]|\D\.|^\.?)[2-6]\d{3}(?:%b?\d){9}"
    # Behind a decimal point it is mostly a coordinate; a touched page sends thousands: `{"x":3.4111111111111112,`.
    rb"|\d\.[2-6]\d{3}(?:(?:\d{4})?%b|\d{9,15}[^\d,}\]e])"
) % (_GAP, _GAP)
# The last rows: digits of other scripts, and characters that NFKC makes letters.
_MARKS = (
    rb"<(?:input|texta|select|optio)|@|%%[0-9a-f][0-9a-f]|&#|\\u|eyj|bearer[ +]|basic[ +]|-----begin"
    rb"|(?-i:[A-Z]{2}\d\d ?[A-Z0-9]{4} ?[A-Z0-9]{4} ?[A-Z0-9]{4})"
    rb"|(?-i:[rs]k_(?:live|test)_|whsec_|gh[opsur]_|github_pat_|glpat-|xox[a-z]-|A[KS]IA[0-9A-Z]|AIza|sk-(?:proj|ant)-"
    rb"|npm_|SG\.)"
    rb"|(?:%b)[\w.~-]{0,30}(?:/|\\/)"
    rb"|\xef[\xbc\xbd]|\xc5\xbf|\xe2\x84\xaa|\xe2\x92|\xe2\x93|\xf0\x9d|[\xd9\xdb][\xa0-\xb9]|\xe0[\xa5-\xaf][\xa0-\xaf]"
) % words.BEFORE_SECRETS.encode()
_LABELS = words.alternatives(words.LABEL).encode()
_COLON = rb'(?:\\["\\/bfnrt]|[^"\\0-9A-Za-z:=])*[:=]'
_SHORT = words.SHORT.encode()
_NAMES = "|".join(words.literals()).encode()
"""Parts of the names of members and parameters."""
_NAME_END = rb"[^=&?#;\s\"'<>/]*="
_WINDOW, _OVERLAP = 1 << 16, 1 << 10
"""A match is looked for in so many bytes at a time; those of two windows share the overlap."""
_MEMORY = 32 << 20
"""Bytes that RE2 may take for a pattern, no more than it needs. All words that a project may have need 4 MB to be
taken at all, and room to be searched fast: with 1 MB, 200 words of 20 letters took 400 times as long as with 8.
"""


class Prefilter:
    """Matches whatever may be a secret, a project's own names included: JSON without a match has nothing to mask."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        names = b"|".join(map(_any_case, own))
        self._own = compile_bytes(names) if names else None
        self._own_parameters = compile_bytes(rb"(?:%b)%b" % (names, _NAME_END)) if names else None

    def match_end(self, text: bytes, start: int) -> int:
        """Where the first match from `start` on ends, in a string or in the digits of a number; -1 if there is none.

        The match lies in the same string as its last character.
        """
        while start < len(text):
            # A match may end far behind the next: without the window many would be looked at again and again.
            end = min(start + _WINDOW, len(text))
            found = _IN_STRINGS.search(text, start, end)
            last = end if found is None else found.end()
            own = self._own_parameters and self._own_parameters.search(text, start, last)
            if found is not None or own is not None:
                return min(each.end() for each in (found, own) if each is not None)
            if end == len(text):
                break
            start = end - _OVERLAP
        return -1

    def may_hold_secret(self, text: str) -> bool:
        """Whether a text may hold a secret."""
        return self._is_in(_IN_TEXT, text.encode(errors="surrogatepass"))

    def matches(self, text: bytes) -> bool:
        """Whether a JSON text may hold a secret, names of members included."""
        return self._is_in(_IN_JSON, text)

    def _is_in(self, pattern: "re2.Regexp[bytes]", text: bytes) -> bool:
        return pattern.search(text) is not None or (self._own is not None and self._own.search(text) is not None)


def _any_case(word: str) -> bytes:
    return b"".join(map(_letter, word))


def _letter(letter: str) -> bytes:
    """RE2 knows capitals of ASCII only, where it reads bytes."""
    if letter.isascii():
        return re2.escape(letter.encode())
    return b"(?:%b)" % b"|".join(re2.escape(form.encode()) for form in {letter, letter.lower(), letter.upper()})


def compile_bytes(pattern: bytes) -> "re2.Regexp[bytes]":
    """A pattern that is searched in bytes, in lower and upper case, and captures nothing."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes as they are, for not every text is UTF-8
    options.case_sensitive = False
    options.never_capture = True
    options.max_mem = _MEMORY
    return re2.compile(pattern, options)


_SHAPES = rb"%b|%b|--[\w-]*(?:%b)[ =]|(?:%b)%b" % (_CARD, _MARKS, _LABELS, _LABELS, _COLON)
_PARAMETERS = rb"(?:cc|pw|card|%b)%b" % (_NAMES, _NAME_END)
_IN_STRINGS = compile_bytes(rb"%b|%b" % (_SHAPES, _PARAMETERS))
_IN_TEXT = compile_bytes(rb"%b|(?:%b)[^0-9A-Za-z:=]*[:=]|%b" % (_SHAPES, _LABELS, _PARAMETERS))
_IN_JSON = compile_bytes(rb"%b|%b|%b" % (_SHAPES, _SHORT, _NAMES))
