"""The one table of words that name secrets.

The server's patterns (`masking.patterns`), the prefilter (`masking.prefilter`) and the tag's patterns
(`tracker_js/src/mask.ts`) come from it: tests hold the tag to it, and feed the same fields, URLs and texts to both
(`tests/unit/test_masking_words.py`).

A pattern is a regular expression of the subset that Python, RE2 and JavaScript share. It is searched in a name that was
made plain: words in lower case with one space between them, so that `cardNumber`, `card-number` and `card_number` are
one name. `literal` is a text that every match contains; the prefilter searches for it.
"""

from typing import NamedTuple


class Word(NamedTuple):
    """One row of the table."""

    pattern: str
    literal: str


FIELD_WORDS = (
    Word("pass(w|code|phrase)", "pass"),
    Word(r"\bpass\b", "pass"),
    Word("pwd", "pwd"),
    Word("kennwort", "kennwort"),
    Word("contrase", "contrase"),
    Word("senha", "senha"),
    Word("mot.?de.?passe", "pass"),
    Word("secret", "secret"),
    Word("token", "token"),
    Word("card", "card"),
    Word("cvc", "cvc"),
    Word("cvv", "cvv"),
    Word(r"\bcsc\b", "csc"),
    Word("iban", "iban"),
    Word(r"\bssn", "ssn"),
    Word("social.?security", "social"),
    Word("pin(code|number|[^a-z]|$)", "pin"),
    Word("e.?mail", "mail"),
    Word("phone", "phone"),
    Word("mobile", "mobile"),
    Word(r"\btel\b", "tel"),
    Word("otp(code|[^a-z]|$)", "otp"),
)
"""Anywhere in the name, id, placeholder or label of a form field, or in the name of a URL parameter. A field masked for
nothing costs little, so these are wide; but `pin` must not match "shipping", nor `otp` "footprint".
"""

STYLE_CARD = r"(?:credit|debit|bank|payment).?card|card.?(?:n(?:o|r|um))"
"""In place of `card` in a class or a selector, where a card is mostly a box with a shadow."""

PARAMETER_NAMES = (
    Word("code", "code"),
    Word("key", "key"),
    Word("auth(orization)?", "auth"),
    Word("(j|php)?sess(ion)?( ?id)?", "sess"),
    Word("sid", "sid"),
    Word("sig(nature)?", "sig"),
    Word("nonce", "nonce"),
    Word("ticket", "ticket"),
    Word("login", "login"),
    Word("user ?name", "user"),
    Word("mail", "mail"),
    Word("jwt", "jwt"),
    Word("cookies?", "cookie"),
    Word("credentials?", "credential"),
    Word("assertion", "assertion"),
    Word("saml(request|response)", "saml"),
    Word("cc ?(number|num|exp|csc)?", "cc"),
)
"""Last words in the name of a URL parameter that holds a secret, beside `FIELD_WORDS`."""

MEMBER_NAMES = (
    Word("password|passwords|passwd|passwort|passcode|passphrase", "pass"),
    Word("pwd", "pwd"),
    Word("kennwort", "kennwort"),
    Word("secret", "secret"),
    Word("token", "token"),
    Word("jwt", "jwt"),
    Word("authorization", "auth"),
    Word("cookies?", "cookie"),
    Word("(?:api|access|private|secret|client|encryption) ?key", "key"),
    Word("credentials?", "credential"),
    Word("(?:credit|debit|bank) ?card|card ?(?:number|no|nr|num)", "card"),
    Word("cc ?(?:number|num|exp|csc)?", "cc"),
    Word("cvc2?", "cvc"),
    Word("cvv2?", "cvv"),
    Word("csc", "csc"),
    Word("iban", "iban"),
    Word("ssn", "ssn"),
    Word("social ?security(?: ?number)?", "social"),
    Word("otp", "otp"),
    Word("pin(?: ?code)?", "pin"),
    Word("e ?mail(?: ?address)?", "mail"),
    Word("(?:tele)?phone(?: ?number)?", "phone"),
    Word("mobile ?(?:number|phone)", "mobile"),
    Word("tel", "tel"),
)
"""Last words in the name of a JSON member that holds a secret. Narrower than the words of fields: `token_count` is not
secret.
"""


def alternatives(words: tuple[Word, ...]) -> str:
    """The patterns of these words as one."""
    return "|".join(word.pattern for word in words)


def literals() -> list[str]:
    """What the prefilter searches for: every secret name contains one of these, or `cc`, which has its own pattern.

    A literal that contains another one is left out.
    """
    every = {word.literal for word in (*FIELD_WORDS, *PARAMETER_NAMES, *MEMBER_NAMES)} - {"cc"}
    return sorted(one for one in every if not any(other in one for other in every - {one}))
