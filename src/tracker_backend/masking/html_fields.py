"""Form fields in a piece of HTML, which may be cut off: their attributes and their values."""

import re
from typing import Protocol

from tracker_backend.masking import patterns
from tracker_backend.masking.caching import cache_short_texts
from tracker_backend.masking.patterns import MASK, STYLE_PATTERN

FORM_TAG = re.compile(r"<(?:input|textarea|select|option)\b[^>]*>?", re.IGNORECASE)
TAG = re.compile(r"\s*<[a-zA-Z][^>]*>?")
VALUE = re.compile(r"(\bvalue\s*=\s*)(\"[^\"]*\"?|'[^']*'?|[^\s>\"']+)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(\"[^\"]*\"?|'[^']*'?|[^\s>\"']+)")
_NAMING = ("name", "id", "placeholder", "aria-label", "label", "field")


class Words(Protocol):
    """What a project calls secret."""

    def is_field(self, words: str, pattern: re.Pattern[str] = ...) -> bool:
        """Whether these words name a secret field."""
        ...


def attributes(html: str) -> dict[str, str]:
    """The attributes of the first tag of a piece of HTML."""
    tag = TAG.match(html)
    return {name.lower(): value.strip("\"'") for name, value in _ATTRIBUTE.findall(tag[0])} if tag else {}


def is_secret_input(words: Words, named: dict[str, str]) -> bool:
    """Whether these attributes are those of a secret field."""
    if named.get("type", "").lower() in patterns.SECRET_TYPES or named.get("inputmode", "").lower() in ("tel", "email"):
        return True
    if patterns.SECRET_AUTOCOMPLETE.search(named.get("autocomplete", "")):
        return True
    return any(words.is_field(named[name]) for name in _NAMING if name in named) or (
        "class" in named and words.is_field(named["class"], STYLE_PATTERN)
    )


@cache_short_texts(4096)
def without_value(html: str) -> str:
    """An outer HTML without what was typed: neither its `value` nor the text between its tags."""
    tag = TAG.match(html)
    if tag is None:
        return MASK
    opening = VALUE.sub(rf'\1"{MASK}"', tag[0])
    return opening + MASK if html[tag.end() :].strip() else opening


def scrub_fields(words: Words, text: str) -> str:
    """A text without the values of secret fields in its HTML."""

    def mask(found: re.Match[str]) -> str:
        return VALUE.sub(rf'\1"{MASK}"', found[0]) if is_secret_input(words, attributes(found[0])) else found[0]

    return FORM_TAG.sub(mask, text)
