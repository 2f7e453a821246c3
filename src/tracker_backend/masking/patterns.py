"""What a secret looks like: e-mail addresses, card numbers, and names by the words of `masking.words`."""

import re
from collections.abc import Callable

from tracker_backend.masking import words
from tracker_backend.masking.caching import cache_short_texts

MASK = "********"
"""What replaces a secret: always eight characters, so that the secret's length is hidden, too."""

SECRET_TYPES = frozenset({"password", "email", "tel", "hidden"})
SECRET_AUTOCOMPLETE = re.compile(
    r"(^|\s)(cc-\S+|one-time-code|current-password|new-password|email|tel(-\S+)?)(\s|$)", re.IGNORECASE
)
FIELD_PATTERN = re.compile(words.alternatives(words.FIELD_WORDS))
"""Words in a field's name, id, placeholder or label, after `plain`."""
STYLE_PATTERN = re.compile(
    "|".join(words.STYLE_CARD if word.pattern == "card" else word.pattern for word in words.FIELD_WORDS)
)
"""The same in a class or a selector."""

_MEMBER = re.compile(rf"(?:.* )?(?:{words.alternatives(words.MEMBER_NAMES)})")
_PARAMETER = re.compile(rf"(?:.* )?(?:{words.alternatives(words.PARAMETER_NAMES)})")

_PARTS = re.compile(r"([a-z0-9])([A-Z])")
_JOINTS = str.maketrans(dict.fromkeys("_-.[]$:", " "))

_TOP = r"(?:[^\W\d_]{2,}|xn--[\w-]+)"
_AT = r"(?:@|%(?:25){0,2}40|\\u0040|&#64;)"
_MAIL = re.compile(
    # From the beginning of a run, so that a long one is looked at once; not a picture for two pixels, `logo@2x.png`.
    rf"(?<![\w.+~'^%-])[\w.+~'^%-]+{_AT}(?!\dx\.(?:png|jpe?g|gif|webp|avif|svg))(?:[\w-]+\.)+{_TOP}",
    re.IGNORECASE,
)
_MAIL_VALUE = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_GAP = "(?:[ \\-+\u00a0\u2009\u202f]|%20|%2D|%C2%A0)"
_DIGITS = re.compile(rf"\d(?:{_GAP}?\d){{12,}}", re.IGNORECASE)
_GROUP = re.compile(rf"(?:(?<=\d)|^)({_GAP})(?=\d)", re.IGNORECASE)
_LOOSE_DIGITS = re.compile(r"\d(?:\D{0,3}\d){12,}")
SIX_DIGITS = re.compile(r"(?:\d[ ()./+-]*){6}")
"""It may be the first half of a card or a phone number that is still being typed."""

# By their issuers: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17}"
    r"|(?:50|5[678]|6[37])\d{14}"
)
_GROUPINGS = frozenset({(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (4, 6, 5), (4, 6, 4), (8, 8)})

_NAME = re.compile(
    r"(?:[?&#;]\s?|^|%(?:25)*(?:3F|26|23))((?:[^=&?#;%\s\"'<>/]|%(?!(?:25)*(?:3F|26|23|3D)))+)(=|%(?:25)*3D)",
    re.IGNORECASE,
)
_VALUE_END = re.compile(r"[\s\"'<>&#\\]|%(?:25)*(?:26|23|22|20)|$", re.IGNORECASE)
_USER = re.compile(r"(:(?:\\?/){2})[^/\s@\"'<>?#]+@", re.IGNORECASE)
_LABELLED = re.compile(
    r"((?:password|passwd|passwort|pwd|passphrase|passcode|secret|api[ _-]?key"
    r"|(?:access|refresh|id|auth|csrf)[ _-]?token|authorization"
    r"|(?:card|cc)[ _-]?number|cvc|cvv|iban|ssn)\\*[\"']?\s*[:=]\s*)"
    r"(?:(\\*\")[^\"]*?(?=\\*\"|$)|(\\*')[^']*?(?=\\*'|$)"
    r"|(?:(?:Bearer|Basic|Token)\s+)?[^\s\"'\\,;&<>(){}\[\]]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer\s+)[\w.~+/-]{6,}=*", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")


def plain(name: str) -> str:
    """A name as words in lower case: `cardNumber`, `card-number` and `card_number` are one."""
    return _PARTS.sub(r"\1 \2", name).translate(_JOINTS).strip().lower()


@cache_short_texts(4096)
def is_secret_member(name: str) -> bool:
    """Whether a JSON member of this name holds a secret. Narrower than the words of fields: `token_count` is none."""
    return _MEMBER.fullmatch(plain(name)) is not None


@cache_short_texts(4096)
def is_secret_parameter(name: str) -> bool:
    """Whether a URL parameter of this name holds a secret."""
    named = plain(name)
    return FIELD_PATTERN.search(named) is not None or _PARAMETER.fullmatch(named) is not None


def is_card(digits: str) -> bool:
    """13 to 19 digits with the check digit that all payment cards have (Luhn)."""
    if not 13 <= len(digits) <= 19:
        return False
    double = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (double + sum(map(int, digits[-1::-2]))) % 10 == 0


def is_issued_card(digits: str) -> bool:
    """The same, of a known issuer: of random numbers of 16 digits one in ten has the check digit, 3 in 100 are this."""
    return _ISSUERS.fullmatch(digits) is not None and is_card(digits)


def is_secret_value(value: str) -> bool:
    """A typed value that is an e-mail address or holds a card number, however it is written."""
    if "@" in value and _MAIL_VALUE.search(value):
        return True
    return any(_has_card(re.sub(r"\D", "", run)) for run in _LOOSE_DIGITS.findall(value))


def may_become_secret(value: str) -> bool:
    """Whether an unfinished value could become a secret: it is masked until it is finished."""
    return "@" in value or SIX_DIGITS.search(value) is not None


def scrub_values(text: str) -> str:
    """A text with its e-mail addresses and card numbers masked."""
    if "@" in text or ("40" in text and ("%" in text or "\\" in text)) or "&#64;" in text:
        text = _MAIL.sub(MASK, text)
    return _DIGITS.sub(_scrub_digits, text)


def scrub_parameters(text: str, is_secret: Callable[[str], bool]) -> str:
    """A text with the values of secret parameters masked, of all URLs in it, and `user:password@`."""
    if "@" in text:
        text = _USER.sub(rf"\1{MASK}@", text)
    parts: list[str] = []
    copied = at = 0
    while found := _NAME.search(text, at):
        at = found.end()
        if is_secret(found[1]):
            end = _VALUE_END.search(text, at)
            assert end is not None  # noqa: S101 — it matches the end of the text
            if end.start() > at:
                parts += (text[copied:at], MASK)
                copied = at = end.start()
    return "".join((*parts, text[copied:])) if parts else text


def scrub_labelled(text: str) -> str:
    """A text without what follows words such as `password:`, and without bearers' tokens."""
    if ":" in text or "=" in text:
        text = _LABELLED.sub(_mask_labelled, text)
    if "earer" in text or "EARER" in text:
        text = _BEARER.sub(rf"\g<1>{MASK}", text)
    return _JWT.sub(MASK, text) if "eyJ" in text else text


def _mask_labelled(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2] or found[3] or ''}{MASK}"


def _has_card(digits: str) -> bool:
    return is_card(digits) or any(
        is_issued_card(digits[at : at + length]) for length in (15, 16) for at in range(len(digits) - length + 1)
    )


def _scrub_digits(found: re.Match[str]) -> str:
    """A run of digits and gaps: groups next to each other are tried as a card, the longest first."""
    pieces = _GROUP.split(found[0])
    groups, gaps = pieces[::2], [*pieces[1::2], ""]
    parts: list[str] = []
    at = 0
    while at < len(groups):
        size = next((size for size in (5, 4, 3, 2, 1) if _is_grouped(groups[at : at + size], size)), 0)
        parts += (MASK, gaps[at + size - 1]) if size else (groups[at], gaps[at])
        at += size or 1
    return "".join(parts)


def _is_grouped(groups: list[str], size: int) -> bool:
    if len(groups) < size or (size > 1 and tuple(map(len, groups)) not in _GROUPINGS):
        return False
    return is_issued_card("".join(groups))
