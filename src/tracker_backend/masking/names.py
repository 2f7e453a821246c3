"""Whether a name is one of a secret, by the table of `masking.words`."""

import re
import unicodedata
from urllib.parse import unquote

import re2

from tracker_backend.masking import words

LONGEST_NAME = 200
"""Of a longer name of a member or a parameter the last characters decide, as its last words do."""
_LONGEST_WORDS = 1000
"""What describes a form field is cut to so many characters: a list of classes may be long."""
_PARTS, _JOINTS = re.compile(r"([a-z0-9])([A-Z])"), re.compile(r"[\W_]+")
"""Neither can backtrack: both have one way to match, and the texts are cut before."""

FIELD_PATTERN = re2.compile(words.alternatives(words.FIELD))
"""Words in a field's name, id, placeholder or label, after `plain`."""
STYLE_PATTERN = re2.compile(
    "|".join(
        words.STYLE_CARD if word.pattern == "card" else word.pattern
        for word in words.NAMES
        if words.FIELD in word.where
    )
)
"""The same in a class or a selector."""
_MEMBER = re2.compile(rf"(?:^| )(?:{words.alternatives(words.MEMBER)}){words.AGAIN}$")
_PARAMETER = re2.compile(
    rf"{words.alternatives(words.FIELD)}|(?:^| )(?:{words.alternatives(words.PARAMETER, words.FIELD)}){words.AGAIN}$"
)


def plain(name: str) -> str:
    """A name as words in lower case: `cardNumber`, `card-number`, `card%5Fnumber` and one of full width are one."""
    for _ in range(3):  # an address in an address in an address
        if "%" not in name:
            break
        name = unquote(name)
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name.replace("\u212a", "k"))  # Kelvin's sign: no capital begins a word
    return _JOINTS.sub(" ", _PARTS.sub(r"\1 \2", name)).strip().casefold()


def is_secret_member(name: str) -> bool:
    """Whether a JSON member of this name holds a secret. Narrower than the words of fields: `token_count` is none."""
    return _MEMBER.search(plain(name[-LONGEST_NAME:])) is not None


def is_secret_parameter(name: str) -> bool:
    """Whether a URL parameter of this name holds a secret."""
    return _PARAMETER.search(plain(name[-LONGEST_NAME:])) is not None


def is_field(text: str, pattern: "re2.Regexp[str]") -> bool:
    """Whether words that describe a form field name a secret."""
    return pattern.search(plain(text[:_LONGEST_WORDS])) is not None
