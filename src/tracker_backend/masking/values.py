"""The one table of values that are secrets wherever they stand: patterns of high precision, each with a check.

The tag has the same patterns (`tracker_js/src/mask.ts`), except for those that only a server's data holds. A pattern is
of the subset that RE2 and JavaScript share, and is searched by RE2, which does not backtrack.
"""

import binascii
import re
from collections.abc import Callable
from typing import NamedTuple

AT = r"(?:@|%(?:25){0,2}40|\\u0040|&#64;)"
MAIL = rf"[\p{{L}}\p{{N}}_.+~'^%-]+{AT}(?:[\p{{L}}\p{{N}}_-]+\.)+(?:\p{{L}}{{2,}}|xn--[\w-]+)"
GAP = "(?:[ .+\u00a0\u2009\u202f-]|%20|%2D|%C2%A0)"
_FOUR = r"\p{Nd}{4}"
CARD = (
    rf"({_FOUR}){GAP}{_FOUR}{GAP}{_FOUR}{GAP}\p{{Nd}}{{1,4}}(?:{GAP}\p{{Nd}}{{1,3}})?"
    rf"|({_FOUR}){GAP}\p{{Nd}}{{6}}{GAP}\p{{Nd}}{{4,5}}|(\p{{Nd}}{{8}}){GAP}\p{{Nd}}{{8}}|\p{{Nd}}{{14,}}"
)
IBAN = r"[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?"
JWT = r"eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"
KEY = (
    r"(?:[rs]k_(?:live|test)|whsec)_\w{10,}|gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[a-z]-[\w-]{10,}"
    r"|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{35}|sk-(?:proj-|ant-)[\w-]{20,}|npm_\w{36}|SG\.[\w-]{16,}\.[\w-]{16,}"
)
BEARER = r"(?:Bearer|Basic)(?:\s{1,8}|%20|\+)[\w.~+/-]{6,}=*"
PEM = r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"

FILES = frozenset(
    """
    png jpg jpeg gif webp avif svg ico bmp css js mjs cjs ts tsx jsx json map woff woff2 ttf eot mp4 webm mp3 html htm
    php txt xml vue wasm gz
""".split()  # noqa: SIM905 — a list of words a line would be longer than the rest
)
"""Endings of files, none of which is a top-level domain: `logo@2x.5d5d9eef.png` is no address."""
IBAN_LENGTHS = (
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23GL18"
    "GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NL18NO15"
    "PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20"
)
"""Countries and the lengths of their account numbers (SWIFT's registry of IBAN formats)."""

ISSUERS = (
    r"4(?:\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17}"
    r"|(?:50|5[678]|6[37])\d{14}"
)
"""Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro. Only of 14 to 19 digits, so that it
cannot take long. Visa's cards of 13 digits are no longer issued, and article numbers (EAN-13) look like them.
"""
_ISSUED = re.compile(ISSUERS)
_GROUPINGS = frozenset({(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (4, 6, 5), (4, 6, 4), (8, 8)})
_GAPS = re.compile(GAP)
_LONGEST_CARD = 60
_ESCAPES = (r"\n", r"\r", r"\t", r"\b", r"\f")


class Found(NamedTuple):
    """A match: its text, and up to eight characters around it."""

    text: str
    before: str
    after: str


class Value(NamedTuple):
    """One row of the table."""

    name: str
    pattern: str
    hints: tuple[str, ...]
    """A text in lower case without any of these holds none. Empty: a text with four digits in a row may."""
    secret: Callable[[Found], int]
    """How many characters of a match, from its begin, are a secret; 0 for none."""
    masked: str
    kept: str
    reason: str


def luhn(digits: str) -> bool:
    """The check digit that all payment cards have."""
    double = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (double + sum(map(int, digits[-1::-2]))) % 10 == 0


def is_issued_card(digits: str) -> bool:
    """14 to 19 digits of a known issuer: of random numbers of 16 digits one in ten has the check digit, 3 in 100 are
    this.
    """
    return 14 <= len(digits) <= 19 and _ISSUED.fullmatch(digits) is not None and luhn(digits)


def _mail(found: Found) -> int:
    return 0 if found.text.rpartition(".")[2].casefold() in FILES else len(found.text)


def _is_bounded(found: Found) -> bool:
    """It is no part of a longer word, such as a hash. `%3D`, `\n` and `\u0020` are no part of the word."""
    before, after = found.before, found.after[:1]
    if after and (after.isalnum() or after == "_"):
        return False
    if not before or not before[-1].isalnum():
        return True
    return before[-3:-2] == "%" or before[-2:] in _ESCAPES or before[-6:-4] == r"\u"


def _word(found: Found) -> int:
    return len(found.text) if _is_bounded(found) else 0


def _card(found: Found) -> int:
    if len(found.text) > _LONGEST_CARD or not _is_bounded(found):
        return 0
    groups, gaps = _GAPS.split(found.text), _GAPS.findall(found.text)
    if not gaps:
        # Beside a decimal point it is a number, mostly a coordinate.
        if found.before[-1:] == "." and found.before[-2:-1].isdecimal():
            return 0
        if found.after[:1] == "." and found.after[1:2].isdecimal():
            return 0
    for size in (5, 4, 3, 2, 1):
        lengths = tuple(map(len, groups[:size]))
        if size > len(groups) or (size == 1) != (not gaps) or (gaps and lengths not in _GROUPINGS):
            continue
        if len(set(gaps[: size - 1])) <= 1 and is_issued_card("".join(str(int(one)) for one in "".join(groups[:size]))):
            return sum(lengths) + sum(map(len, gaps[: size - 1]))
    return 0


def _iban(found: Found) -> int:
    country = IBAN_LENGTHS.find(found.text[:2])
    if country < 0 or not _is_bounded(found._replace(after="")):
        return 0
    most = int(IBAN_LENGTHS[country + 2 : country + 4])
    text = found.text
    while len(bare := text.replace(" ", "")) > most and " " in text:
        text = text[: text.rindex(" ")]  # "DE89… EUR"
    if len(bare) != most or (text == found.text and not _is_bounded(found)):
        return 0
    return len(text) if int("".join(str(int(letter, 36)) for letter in bare[4:] + bare[:4])) % 97 == 1 else 0


def _credential(found: Found) -> int:
    """What follows `Basic` is a name and a password; what follows `Bearer` is no word of a sentence."""
    kind, _, value = found.text.replace("%20", " ").replace("+", " ", 1).partition(" ")
    if kind.casefold() == "bearer":
        return len(found.text) if len(value) >= 20 or not value.isalpha() else 0
    try:
        is_pair = b":" in binascii.a2b_base64(value.strip() + "==")
    except binascii.Error:
        return 0
    return len(found.text) if is_pair else 0


def _whole(found: Found) -> int:
    return len(found.text)


VALUES = (
    Value(
        "e-mail address",
        MAIL,
        ("@", "40", "&#64;"),
        _mail,
        "mary@example.com",
        "logo@2x.5d5d9eef.png",
        "it names a person; a name of a file is none",
    ),
    Value(
        "payment card",
        CARD,
        (),
        _card,
        "4111.1111.1111.1111",
        "4006381333931",
        "of an issuer, with its check digit, in one piece or in groups as they are printed",
    ),
    Value(
        "bank account",
        IBAN,
        (),
        _iban,
        "DE89 3704 0044 0532 0130 00",
        "DE89 3704 0044 0532 0130 01",
        "a country's length and two check digits (ISO 13616)",
    ),
    Value(
        "JSON web token",
        JWT,
        ("eyj",),
        _word,
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
        "eyJhbGciOiJI",
        "it logs somebody in (RFC 7519); it begins with an object of JSON in base64",
    ),
    Value(
        "key of a provider",
        KEY,
        ("_live_", "_test_", "whsec_", "gh", "glpat-", "xox", "aki", "asi", "aiza", "sk-", "npm_", "sg."),
        _word,
        "ghp_0123456789abcdefghij",
        "pk_live_0123456789abcdef",
        "Stripe, GitHub, GitLab, Slack, AWS, Google, OpenAI, Anthropic, npm, SendGrid mark theirs; `pk_` is public",
    ),
    Value(
        "credential",
        BEARER,
        ("bearer", "basic"),
        _credential,
        "Basic bWFyeTpodW50ZXIy",
        "basic knowledge",
        "what follows the scheme of an `Authorization` header (RFC 9110)",
    ),
    Value(
        "private key",
        PEM,
        ("-----begin",),
        _whole,
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "PEM (RFC 7468), up to its end line",
    ),
)
