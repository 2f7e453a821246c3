"""Finds secrets in texts: by the tables of `masking.values` and `masking.words`, in one pass a row.

All patterns are RE2's, which does not backtrack. A text is searched as UTF-8: a position in bytes costs nothing.
"""

from collections.abc import Callable, Sequence
from itertools import islice

import re2

from tracker_backend.masking import words
from tracker_backend.masking.budget import spend
from tracker_backend.masking.prefilter import compile_bytes
from tracker_backend.masking.values import CARD, FILES, PEM, VALUES, Found, Value, is_issued_card, luhn

MASK = "********"
"""What replaces a secret: always eight characters, so that the secret's length is hidden, too."""
_MASK = MASK.encode()

SECRET_TYPES = frozenset({"password", "email", "tel", "hidden"})
LONGEST_VALUE = 1000
"""A typed value with more characters and with a card's number of digits is a secret, unsearched."""
_MOST_DIGITS = 100
_LEAST_CARD, _MOST_CARD = 13, 19
_MATCH_STEPS = 4
_AROUND = 8
_PEM_END, _PEM_DASHES = b"-----END", b"-----"
_CODE_LENGTH, _RANDOM_LENGTH, _LETTERS_LENGTH, _MOST_SEGMENTS = 6, 8, 20, 3

_MAIL_VALUE = re2.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_LOOSE_DIGITS = re2.compile(r"\p{Nd}(?:\P{Nd}{0,3}\p{Nd}){12,}")
_SIX_DIGITS = re2.compile(r"(?:\p{Nd}[ ()./+-]*){6}")
"""It may be the first half of a card or a phone number that is still being typed."""

_NAME_ESCAPE = r"%(?:25)*(?:[014-9a-f][0-9a-f]|2[0-247-9a-f]|3[0-9a-ce])"
"""Not of `?`, `&`, `#` and `=`, which end a name within an address that is a parameter's value."""
_PARAMETER = rf"(?:[?&#;]\s?|^|%(?:25)*(?:3F|26|23))((?:[^=&?#;%\s\"'<>/]|{_NAME_ESCAPE})+)(?:=|%(?:25)*3D)".encode()
_NAME = compile_bytes(_PARAMETER)
_NAME_PARTS = re2.compile(b"(?i)" + _PARAMETER)
_LONGEST_PARAMETER = 1000
"""Bytes; no name that is looked for is longer."""
_VALUE_END = re2.compile(rb"(?i)[\s\"'<>&#\\]|%(?:25)*(?:26|23|22|20)")
_USER = re2.compile(rb":(?:\\?/){2}([^/\s\"'<>?#]+)@")
_LABELS = words.alternatives(words.LABEL)
_LABEL = re2.compile(
    (
        rf"(?i)(?:^|[^\p{{L}}\p{{N}}])(?:--[\w-]{{0,30}}(?:{_LABELS})[= ]|"
        rf"({_LABELS})(?:\\{{0,8}}[\"'])?\s{{0,8}}[:=]\s{{0,8}})(\\{{0,8}}[\"'])?"
    ).encode()
)
_SCHEME = re2.compile(rb"(?i)(?:Bearer|Basic|Token)\s{1,8}")
_LINE = re2.compile(rb"[^\r\n\"'\\<>]*")
_COOKIE = re2.compile(rb"[\w.$%-]*=")
_WORD = re2.compile(rb"[^\s\"'\\,;&<>(){}\[\]]*")
_PATH = re2.compile(
    rf"(?i)(?:/|%2F)[\w.~-]{{0,30}}(?:{words.BEFORE_SECRETS})[\w.~-]{{0,30}}((?:/|%2F)[^\s\"'<>?#&=\\]+)".encode()
)
_SEGMENT = re2.compile(rb"(?i)(?:/|%2F)((?:[^/%]|%(?:[013-9a-f][0-9a-f]|2[0-9a-e]))+)")
_IS_WORDS = re2.compile(r"[A-Za-z]?[a-z]*(?:[-_.][a-z]+)*[-_.]?\d{0,2}")
_FOUR_DIGITS = re2.compile(r"\p{Nd}{4}")
_ROWS = [(row, re2.compile((f"(?i){row.pattern}" if row.hints else row.pattern).encode())) for row in VALUES]


def is_secret_value(value: str) -> bool:
    """A typed value that is an e-mail address or holds a card number, however it is written."""
    if "@" in value and _MAIL_VALUE.search(value):
        return True
    for run in _LOOSE_DIGITS.finditer(value[: LONGEST_VALUE + 1]):
        digits = "".join(str(int(one)) for one in run[0] if one.isdecimal())
        if len(digits) > _MOST_DIGITS or len(value) > LONGEST_VALUE or _has_card(digits):
            return True
    return False


def may_become_secret(value: str) -> bool:
    """Whether an unfinished value could become a secret: it is masked until it is finished."""
    return "@" in value or _SIX_DIGITS.search(value) is not None


def scrub(text: str, is_secret: Callable[[str], bool]) -> str:
    """A text, or an address, without the secrets in it; `is_secret` says whether a parameter of that name is one.

    Raises `BudgetSpentError`.
    """
    data = scrub_name(text, is_secret, VALUES)
    data = _scrub_labelled(data) if b":" in data or b"=" in data or b"--" in data else data
    return (_scrub_paths(data) if b"/" in data or b"%2" in data else data).decode(errors="surrogatepass")


def scrub_name(text: str, is_secret: Callable[[str], bool], rows: Sequence[Value] = VALUES[:2]) -> bytes:
    """The same for a selector, an id or a class: only parameters, addresses and cards."""
    data, small = text.encode(errors="surrogatepass"), text.lower()
    if "@" in text:
        data = _scrub_users(data)
    if "=" in text or "%" in text:
        data = _scrub_parameters(data, is_secret)
    has_digits: bool | None = None
    for row, pattern in _ROWS[: len(rows)]:
        if row.hints:
            may_be = any(hint in small for hint in row.hints)
        else:
            may_be = has_digits = _FOUR_DIGITS.search(text) is not None if has_digits is None else has_digits
        if may_be:
            data = _scrub_row(row, pattern, data)
    return data


def _scrub_row(row: Value, pattern: "re2.Regexp[bytes]", data: bytes) -> bytes:
    parts: list[bytes] = []
    copied = at = 0
    while found := pattern.search(data, at):
        spend(_MATCH_STEPS)
        start, end = found.span()
        before, after = data[max(0, start - _AROUND) : start], data[end : end + _AROUND]
        text = data[start:end].decode(errors="replace")
        secret = row.secret(Found(text, before.decode(errors="ignore"), after.decode(errors="ignore")))
        if secret:
            end = start + len(text[:secret].encode())
            if row.pattern == PEM:
                last = data.find(_PEM_END, end)
                last = data.find(_PEM_DASHES, last + len(_PEM_END)) if last >= 0 else last
                end = len(data) if last < 0 else last + len(_PEM_DASHES)
            parts += (data[copied:start], _MASK)
            copied = at = end
        else:  # of a card's groups, the next may begin one
            at = max((found.end(group) for group in (1, 2, 3)), default=end) if row.pattern == CARD else end
            at = at if at > start else end
    return b"".join((*parts, data[copied:])) if parts else data


def _scrub_users(data: bytes) -> bytes:
    parts: list[bytes] = []
    copied = 0
    while found := _USER.search(data, copied):
        spend(_MATCH_STEPS)
        parts += (data[copied : found.start(1)], _MASK)
        copied = found.end(1)
    return b"".join((*parts, data[copied:])) if parts else data


def _scrub_parameters(data: bytes, is_secret: Callable[[str], bool]) -> bytes:
    parts: list[bytes] = []
    copied = at = 0
    while found := _NAME.search(data, at):
        spend(_MATCH_STEPS)
        start, at = found.span()
        # Two equals signs end base64.
        if at - start > _LONGEST_PARAMETER or data[at : at + 1] == b"=":
            continue
        named = _NAME_PARTS.match(data[start:at])
        if named is not None and is_secret(named[1].decode(errors="replace")):
            last = _VALUE_END.search(data, at)
            end = len(data) if last is None else last.start()
            if end > at:
                parts += (data[copied:at], _MASK)
                copied = at = end
    return b"".join((*parts, data[copied:])) if parts else data


def _scrub_labelled(data: bytes) -> bytes:
    """Without what follows words such as `password:`."""
    parts: list[bytes] = []
    copied = at = 0
    while found := _LABEL.search(data, at):
        spend(_MATCH_STEPS)
        at = found.end()
        start, end = at, _labelled_end(data, found)
        if end > start and data[start:end] != _MASK:
            parts += (data[copied:start], _MASK)
            copied = at = end
    return b"".join((*parts, data[copied:])) if parts else data


def _labelled_end(data: bytes, found: "re2.Match[bytes]") -> int:
    at = found.end()
    if found[2]:
        end = data.find(found[2], at)
        return len(data) if end < 0 else end
    if b"ookie" in (found[1] or b"") and b":" in found[0]:
        first = _COOKIE.match(data, at, at + _LONGEST_PARAMETER)
        line = None if first is None else _LINE.match(data, first.end())
        return at if line is None else line.end()
    scheme = _SCHEME.match(data, at)
    word = _WORD.match(data, at if scheme is None else scheme.end())
    return at if word is None else word.end()


def _scrub_paths(data: bytes) -> bytes:
    """Without the parts of paths that look random behind one that says what they are: `/reset/5f1c…`."""
    parts: list[bytes] = []
    copied = at = 0
    while found := _PATH.search(data, at):
        spend(_MATCH_STEPS)
        at = found.end()
        for segment in islice(_SEGMENT.finditer(found[1]), _MOST_SEGMENTS):
            if _is_random(segment[1].decode(errors="replace")):
                start, end = (found.start(1) + each for each in segment.span(1))
                parts += (data[copied:start], _MASK)
                copied = end
    return b"".join((*parts, data[copied:])) if parts else data


def _is_random(part: str) -> bool:
    if part.isdecimal():
        return len(part) >= _CODE_LENGTH
    if len(part) < _RANDOM_LENGTH or part.rpartition(".")[2].lower() in FILES or MASK in part:
        return False
    if not any(map(str.isdecimal, part)):
        return len(part) >= _LETTERS_LENGTH and sum(map(_is_step, part, part[1:])) > 2
    return part.replace("-", "").isdecimal() is False and _IS_WORDS.fullmatch(part) is None


def _is_step(one: str, other: str) -> bool:
    return one.islower() and other.isupper()


def _has_card(digits: str) -> bool:
    return (_LEAST_CARD <= len(digits) <= _MOST_CARD and luhn(digits)) or any(
        is_issued_card(digits[at : at + length]) for length in (15, 16) for at in range(len(digits) - length + 1)
    )
