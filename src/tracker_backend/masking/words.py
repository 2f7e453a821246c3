"""The one table of names that hold secrets: of form fields, URL parameters, JSON members, headers, and labels in texts.

The server's patterns (`masking.names`), the prefilter (`masking.prefilter`) and the tag's patterns
(`tracker_js/src/mask.ts`) come from it: tests hold the tag to it, and feed the same fields, URLs and texts to both
(`tests/unit/test_masking_words.py`).

A pattern is a regular expression of the subset that Python, RE2 and JavaScript share. It is searched in a name that was
made plain (`names.plain`): words in lower case with one space between them, so that `cardNumber`, `card-number` and
`card%5Fnumber` are one name. `literal` is a text that every match contains; the prefilter searches for it.
"""

from typing import NamedTuple

FIELD, PARAMETER, MEMBER, LABEL = "fpml"


class Word(NamedTuple):
    """One row of the table."""

    pattern: str
    literal: str
    where: str
    """`f`: anywhere in what describes a form field, or in a parameter's name. `p`: last words of a parameter's name;
    `m`: of a member's, a header's, or of the name beside a `value`. `l`: before a colon in a text, or an option of a
    command.
    """
    masked: str
    """A name that it finds, in the last of its places."""
    kept: str
    """A name that it does not find there."""
    reason: str


NAMES = (
    Word("[a-z]*pass(?:words?|wort|wd|code|phrase)", "pass", "fpml", "userPassword", "passenger", "a password"),
    Word(r"\bpass\b", "pass", "fpm", "db_pass", "compass", "a password"),
    Word("[a-z]*pwd", "pwd", "fpml", "userPwd", "powder", "a password"),
    Word(r"\bpw\b", "pw", "fpm", "pw", "pwa", "a password"),
    Word("kennwort", "kennwort", "fpml", "Kennwort", "kennzahl", "a password (German)"),
    Word("contrase[^ ]{1,2}a", "contrase", "fpml", "Contraseña", "contrast", "a password (Spanish)"),
    Word("senha", "senha", "fpml", "senha", "resenha_url", "a password (Portuguese)"),
    Word("mot.?de.?passe", "pass", "fpml", "mot de passe", "passe partout", "a password (French)"),
    Word("wachtwoord", "wachtwoord", "fpml", "wachtwoord", "wachtlijst", "a password (Dutch)"),
    Word("secret", "secret", "f", "secretWord", "section", "the answer of a secret question too"),
    Word("[a-z]*secrets?(?:.?(?:answer|key))?", "secret", "pml", "secret_answer", "secretary", "a key of a client"),
    Word("token", "token", "f", "tokenField", "taken", "it logs somebody in"),
    Word("[a-z]*tokens?(?: ?id)?", "token", "pm", "accesstoken", "token_count", "it logs somebody in"),
    Word(
        "(?:access|refresh|id|auth|csrf|session).?token", "token", "l", "access_token", "token", "it logs somebody in"
    ),
    Word("[cx]srf", "srf", "pm", "csrf", "surf", "it lets a form be sent"),
    Word("jwt", "jwt", "pm", "jwt", "jwts_read", "it logs somebody in"),
    Word("auth", "auth", "pm", "auth", "author", "it logs somebody in"),
    Word("author(?:i|\u0131)zation", "auth", "pml", "Authorization", "authorized", "a header that logs somebody in"),
    Word("(?:set.)?cookies?", "cookie", "pml", "Set-Cookie", "cookie_banner", "a header that logs somebody in"),
    Word("credentials?", "credential", "pm", "credentials", "credible", "it logs somebody in"),
    Word("(?:oauth|code) ?verifier", "verifier", "pm", "oauth_verifier", "age_verifier", "OAuth's proof (RFC 7636)"),
    Word(
        "(?:api|access|private|secret|client|encryption|signing).?key",
        "key",
        "pml",
        "X-Api-Key",
        "public_key",
        "a key of a program",
    ),
    Word("card", "card", "f", "giftCard", "car", "a payment card"),
    Word("(?:credit|debit|bank|payment) ?card", "card", "pm", "credit_card", "card", "a payment card"),
    Word("(?:card|cc)[ _-]?(?:number|no|nr|num)", "c", "pml", "cardNumber", "card_name", "a payment card"),
    Word("cc ?(?:exp|csc)?", "cc", "pm", "cc_exp", "account", "a payment card"),
    Word("cv[cv]2?", "cv", "fpml", "cvc", "curve", "the code of a payment card"),
    Word(r"\bcsc\b", "csc", "fpm", "csc", "css", "the code of a payment card"),
    Word(
        "(?:i|\u0131)ban", "ban", "fpml", "iban", "ibis", "a bank account (Turkish lower case has an i without its dot)"
    ),
    Word(r"\bssn", "ssn", "fpml", "user.ssn", "session_n", "social security number (US)"),
    Word("social.?security(?:.?number)?", "social", "fpm", "socialSecurityNumber", "social_media", "the same"),
    Word("pin(?:code|number|[^a-z]|$)", "pin", "f", "userPin", "shipping", "a code that unlocks"),
    Word("pin(?: ?(?:code|number))?", "pin", "pm", "pinCode", "pinned", "a code that unlocks"),
    Word("otp(?:code|[^a-z]|$)", "otp", "f", "otp", "footprint", "a code for one time"),
    Word("otp(?: ?code)?", "otp", "pm", "otpCode", "options", "a code for one time"),
    Word("e.?mail(?:.?address)?", "mail", "fpm", "e-mail", "mailing_list", "it names a person"),
    Word("(?:tele)?phone(?: ?(?:number|no))?", "phone", "fpm", "phoneNumber", "phonetic", "it names a person"),
    Word("mobile", "mobile", "f", "mobile", "motile", "it names a person"),
    Word("mobile ?(?:number|phone)", "mobile", "pm", "mobile_number", "mobile", "it names a person"),
    Word(r"\btel\b", "tel", "fpm", "tel", "telescope", "it names a person"),
    Word("code", "code", "p", "code", "zipcode_area", "OAuth's (RFC 6749), or one of a message"),
    Word("key", "key", "p", "auth_key", "keyboard", "a key of a program"),
    Word("(?:j|php)?sess(?:ion)?(?: ?id)?", "sess", "p", "PHPSESSID", "sessions", "it logs somebody in"),
    Word("sid", "sid", "p", "sid", "side", "it logs somebody in"),
    Word("sig(?:nature)?", "sig", "p", "sig", "signal", "it opens a signed address"),
    Word("nonce", "nonce", "p", "nonce", "announce", "OpenID's"),
    Word("ticket", "ticket", "p", "ticket", "ticketing", "CAS's"),
    Word("login|user ?name", "", "p", "username", "login_page", "it names a person"),
    Word("mail", "mail", "p", "mail", "mailto", "it names a person"),
    Word("assertion|saml(?:request|response)", "", "p", "SAMLResponse", "same", "SAML's"),
)

AGAIN = r"(?: ?\d+)?(?: ?(?:confirm(?:ation|ed)?|repeat(?:ed)?|again|retyped?|new|old|current))?(?: ?\d+)?"
"""What may follow a name, except in a form's field: `password2`, `passwordConfirm`."""

STYLE_CARD = r"(?:credit|debit|bank|payment).?card|card.?(?:n(?:o|r|um))"
"""In place of `card` in a class or a selector, where a card is mostly a box with a shadow."""

BEFORE_SECRETS = (
    "reset|verif(?:y|ication)|magic|confirm|activat(?:e|ion)|invit(?:e|ation)|recover(?:y)?|unlock|unsubscribe|one-time"
    "|token|otp|set-?password|password|forgot"
)
"""What stands in a part of a path before a part that is a secret, where that one looks random."""


def alternatives(where: str, without: str = " ") -> str:
    """The patterns of the names of such a place, and of no place `without`, as one."""
    return "|".join(word.pattern for word in NAMES if where in word.where and without not in word.where)


def literals(where: str = "") -> list[str]:
    """What a prefilter searches for: every name that holds a secret in such a place contains one of these, or matches
    `SHORT`.

    A literal that contains another one is left out.
    """
    every = {word.literal for word in NAMES if where in word.where} - {"", "ban", "c", "cc", "cv", "pw"}
    every |= {"iban", "\u0131ban", "cvc", "cvv", "login", "user", "saml", "assertion"}
    return sorted(one for one in every if not any(other in one for other in every - {one}))


SHORT = r"(?:cc|pw)(?:[^a-z]|n(?:o|r|um)|exp|csc|conf|rep|again|retyp|new|old|curr)|card[ _-]?n(?:o|r|um)"
"""Names with too short a literal, in bytes, with what follows."""
